/**
 * Builds the manual pages into dist/man. Their texts stand in man/; a line such as `.\" @options serve`
 * is where a table of the program goes, so that no page can say of an option, a key or a fault what the program does not.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../package.json" with { type: "json" };
import { FAULT_LEVELS } from "../src/core/fault.ts";
import { commandList, commandNamed, commandTable, examples, exitCodes, options, synopsis, wholeCommand } from "./man/commands.ts";
import { ledgerColumns } from "./man/cost.ts";
import { columnKeys, exampleOfEveryKey, keysOfStart, preset, programKeys, targetKeys } from "./man/keys.ts";
import { addingFaults, clientVariables, commonKeys, faultKeys, faultList, providerList, rawFaults } from "./man/language.ts";

const ROOT = join(import.meta.dir, "..");
const SOURCES = join(ROOT, "man");

type Block = (...words: readonly string[]) => readonly string[] | Promise<readonly string[]>;

/** What the markers stand for, by their names. */
const BLOCKS: Readonly<Record<string, Block>> = {
  synopsis: async (command = "") => synopsis(await commandNamed(command)),
  options: async (command = "") => options(await commandNamed(command)),
  exit: async (command = "") => exitCodes(await commandNamed(command)),
  examples: async (command = "") => examples(await commandNamed(command)),
  table: async (command = "", title = "") => commandTable(await commandNamed(command), title),
  command: async (command = "") => wholeCommand(await commandNamed(command)),
  commands: commandList,
  keys: (table = "") => programKeys(table),
  columns: (list = "") => columnKeys(list),
  "target-keys": (table) => targetKeys(table === "auth"),
  "keys-of-start": keysOfStart,
  preset: (name = "") => preset(name),
  "every-key": exampleOfEveryKey,
  faults: (level) => faultList(levelNamed(level)),
  "fault-keys": (level) => faultKeys(levelNamed(level)),
  "common-keys": commonKeys,
  "adding-faults": addingFaults,
  "raw-faults": rawFaults,
  providers: providerList,
  "client-variables": clientVariables,
  "ledger-columns": ledgerColumns,
};

function levelNamed(name: string | undefined) {
  const level = FAULT_LEVELS.find((each) => each === name);
  if (level === undefined) throw new Error(`there is no level ${name}`);
  return level;
}

/** Every page by the name of its file. */
export async function manualPages(): Promise<Readonly<Record<string, string>>> {
  const sources = readdirSync(SOURCES).filter((name) => /\.[1-8]$/.test(name));
  const date = dateOfPages();
  const pages = await Promise.all(
    sources.map(async (name) => [name, await finished(readFileSync(join(SOURCES, name), "utf8"), date)] as const),
  );
  return Object.fromEntries(pages);
}

async function finished(source: string, date: string): Promise<string> {
  const lines = await Promise.all(
    source.split("\n").map(async (line) => {
      const [, name, words = ""] = /^\.\\" @([\w-]+) ?(.*)$/.exec(line) ?? [];
      if (name === undefined) return [line.replace("@date@", date).replace("@version@", packageFile.version)];
      const block = BLOCKS[name];
      if (block === undefined) throw new Error(`nothing is known of @${name}`);
      return block(...words.split(" ").filter((word) => word !== ""));
    }),
  );
  return lines.flat().join("\n");
}

/** As mdoc has dates. The day of the newest commit, so that the same source makes the same pages (https://reproducible-builds.org). */
function dateOfPages(): string {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const seconds = epoch === undefined || epoch === "" ? secondsOfCommit() : Number(epoch);
  return new Date(seconds * 1_000).toLocaleDateString("en-US", { month: "long", day: "numeric", year: "numeric", timeZone: "UTC" });
}

/** A source archive has no commits; its files have their times. A repository around an unpacked one is another project's. */
function secondsOfCommit(): number {
  if (existsSync(join(ROOT, ".git")) && Bun.which("git") !== null) {
    const { stdout, success } = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: ROOT, stderr: "ignore" });
    if (success) return Number(stdout.toString());
  }
  return Math.max(...readdirSync(SOURCES).map((name) => statSync(join(SOURCES, name)).mtimeMs)) / 1_000;
}

/** The page of a program's other name; a link, since mandoc warns of pages that only include another. */
const LINK = { name: "faultctl.1", page: "faultproxy-ctl.1" } as const;

/** What mandoc finds in the pages of a folder. Which manuals a machine has says nothing of ours. Undefined where there is no mandoc. */
export function lintFindings(folder: string): readonly string[] | undefined {
  if (Bun.which("mandoc") === null) return undefined;
  const files = readdirSync(folder).sort();
  const { stdout } = Bun.spawnSync(["mandoc", "-Tlint", ...files], { cwd: folder });
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "" && !line.includes("referenced manual not found"));
}

if (import.meta.main) {
  const folder = join(ROOT, "dist", "man");
  const pages = await manualPages();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
  symlinkSync(LINK.page, join(folder, LINK.name));
  const findings = lintFindings(folder);
  if (findings === undefined) process.stderr.write("man: mandoc is not installed, so the pages were not checked\n");
  else if (findings.length > 0) {
    process.stderr.write(`${findings.join("\n")}\n`);
    process.exit(1);
  }
  process.stdout.write("dist/man\n");
}
