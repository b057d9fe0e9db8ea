/**
 * Writes dist/homebrew/faultproxy.rb from the checksums of a release: formula.ts BASE-URL [SHA256SUMS]. BASE-URL is where the release's files
 * are, as a tap must name them; nothing in the formula is written by hand.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../../package.json" with { type: "json" };
import { formulaText } from "./formula-text.ts";

const DIST = join(import.meta.dir, "../../dist");

try {
  const [base, file = join(DIST, "release/SHA256SUMS"), output = join(DIST, "homebrew")] = process.argv.slice(2);
  if (base === undefined || !/^https:\/\/\S+$/.test(base))
    throw new Error("expected the https address under which the release's files are");
  const { version, license } = packageFile;
  const formula = formulaText({ base: base.replace(/\/+$/, ""), version, license }, readFileSync(file, "utf8"));
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, "faultproxy.rb"), formula);
  process.stdout.write(`${join(output, "faultproxy.rb")}\n`);
} catch (error) {
  process.stderr.write(`formula: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
