import { describe, expect, test } from "bun:test";
import { manualPages } from "../../packaging/man.ts";

const PAGES = await manualPages();
const CONTROLS = new RegExp(`.${String.fromCharCode(8)}|${String.fromCharCode(27)}\\[[\\d;]*m`, "gu");
const WIDE = 1000;

/** How each formatter is asked for a page of so many columns. */
const FORMATTERS: readonly (readonly [string, (columns: number) => readonly string[]])[] = [
  ["mandoc", (columns) => ["mandoc", "-Tutf8", "-O", `width=${columns}`]],
  ["groff", (columns) => ["groff", "-mdoc", "-t", "-Tutf8", `-rLL=${columns}n`]],
];

function linesOf(command: readonly string[], page: string): readonly string[] {
  const { stdout, exitCode } = Bun.spawnSync([...command], { stdin: new TextEncoder().encode(page) });
  expect(exitCode).toBe(0);
  return stdout.toString().replaceAll(CONTROLS, "").split("\n");
}

const wordsOf = (lines: readonly string[]) => lines.flatMap((line) => line.split(/\s+/)).filter((word) => word !== "");

/** Words of plain text, which may be broken, and are the same in pieces: `transla‐` `tion`, `built-in`. */
const PLAIN = /^[("]?[A-Za-z’']+(?:[-‐][A-Za-z’']+)*[-‐]?[)".,:;]*$/;
const PROVIDERS = /openai|anthropic|google|openrouter|tetrate|databricks/;
const isLiteral = (word: string) => !PLAIN.test(word) || /^x[-‐]/.test(word) || PROVIDERS.test(word);

describe.each(FORMATTERS)("%s", (program, commandOf) => {
  const isThere = Bun.which(program) !== null;
  describe.each([78, 80])("at %d columns", (columns) => {
    test.skipIf(!isThere && process.env.CI === undefined).each(Object.entries(PAGES))(
      "keeps every literal of %s in one piece, within the columns",
      (_, page) => {
        const lines = linesOf(commandOf(columns), page);
        expect(lines.filter((line) => line.length > columns)).toEqual([]);
        const left = wordsOf(lines);
        const whole = new Set(left);
        const literals = wordsOf(linesOf(commandOf(WIDE), page)).filter(isLiteral);
        expect(literals.length).toBeGreaterThan(20);
        expect(literals.filter((word) => !whole.has(word))).toEqual([]);
        // Nor is one broken in one place and whole in another.
        const ends = lines.filter((line) => /\S[-‐]$/.test(line)).map((line) => line.split(/\s+/).at(-1) ?? "");
        expect(ends.filter((word) => isLiteral(word))).toEqual([]);
      },
    );
  });
});
