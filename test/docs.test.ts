import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { manualPages } from "../packaging/man.ts";
import { readToml } from "../src/config/read-file.ts";
import { isInputError } from "../src/core/errors.ts";
import { FAULTS } from "../src/faults/index.ts";
import { PROVIDERS } from "../src/providers/index.ts";
import { COMMON_KEYS, parseCommand } from "../src/rules/language.ts";
import { displayAfter, unescaped } from "./packaging/support/mdoc.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const README = read("README.md");
const LANGUAGE = read("docs/fault-language.md");
/** What they say of tables is tested with what builds them. */
const MANUAL = await manualPages();

const PAGES: readonly string[] = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const PROVIDER_LIST = Object.values(PROVIDERS);

describe("every fault", () => {
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))("%s stands in the README with letter, level and summary", (_, fault) => {
    const cell = fault.letter === undefined ? "" : `\`${fault.letter}\``;
    expect(README).toContain(`\n| ${cell} | \`${fault.name}\` | ${fault.level} | ${fault.summary} |\n`);
  });

  test("that is named in a table of the README exists", () => {
    const named = [...README.matchAll(/^\| (?:`\w`)? ?\| `(\w+)` \| (?:http|wire|stream|answer) \|/gm)].map(([, name]) => name ?? "");
    expect(named).toEqual(FAULTS.map(({ name }) => name));
  });
});

describe("every key", () => {
  test.each(Object.keys(COMMON_KEYS))("%s= stands in README and fault-language.md", (key) => {
    for (const text of [README, LANGUAGE]) expect(text).toContain(`\`${key}=\``);
  });

  test("of a fault stands in fault-language.md with the faults that take it", () => {
    for (const fault of FAULTS) {
      for (const key of Object.keys(fault.parameters)) {
        const row =
          LANGUAGE.split("\n").find((line) => line.startsWith("| ") && line.split(" | ")[0]?.includes(`\`${key}=\``)) ??
          `no row for ${key}=`;
        expect(row).toMatch(fault.level === "http" ? new RegExp(`http faults|\`${fault.name}\``) : new RegExp(`\`${fault.name}\``));
      }
    }
  });
});

describe("every provider", () => {
  test.each(PROVIDER_LIST.map((provider) => [provider.name, provider] as const))("%s stands in the README", (name, provider) => {
    const { prefixes, headers, keyPrefixes } = provider.recognition;
    const row = README.split("\n").find((line) => line.includes(`(\`${name}\`)`)) ?? "";
    const variables = provider.clientVariables("http://localhost:8888").map(([variable]) => variable);
    for (const word of [...prefixes.map((prefix) => `/${prefix}`), ...headers, ...keyPrefixes, provider.hostVariable, ...variables]) {
      expect(row).toContain(`\`${word}\``);
    }
  });
});

describe("every example", () => {
  const commands = [
    ...indented(README, "## Fault language").map(firstColumn),
    ...indented(LANGUAGE, "## Examples").map(firstColumn),
    ...displayAfter(MANUAL["faultproxy.7"] ?? "", ".Sh EXAMPLES").split("\n"),
    ...[README, ...Object.values(MANUAL).map(unescaped)].flatMap((text) =>
      [...text.matchAll(/--mode "(.+?)"/g)].map(([, mode]) => mode ?? ""),
    ),
  ];

  test("of the fault language is understood", () => {
    expect(commands.length).toBeGreaterThan(40);
    for (const command of commands) {
      const parsed = parseCommand(command);
      expect(isInputError(parsed) ? `${command}: ${parsed.message}` : "understood").toBe("understood");
    }
  });

  test("of a configuration file is read without a mistake", () => {
    const blocks = PAGES.flatMap((page) => [...read(page).matchAll(/```toml\n([\s\S]*?)```/g)].map(([, block = ""]) => [page, block]));
    expect(new Set(blocks.map(([page]) => page))).toContain("docs/gateway.md");
    for (const [page, block = ""] of blocks) expect([page, readToml(block).problems]).toEqual([page, []]);
  });

  test.each(PAGES)("of a link in %s leads somewhere", async (page) => {
    const folder = join(ROOT, page, "..");
    for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect(await Bun.file(join(folder, target ?? "")).exists()).toBe(true);
  });
});

/** The indented lines of one section. */
function indented(text: string, heading: string): readonly string[] {
  const section = text.slice(text.indexOf(`\n${heading}\n`) + heading.length).split(/\n## /)[0] ?? "";
  return section.split("\n").filter((line) => line.startsWith("    "));
}

/** The command before two or more spaces, or before the comma of a second one. */
function firstColumn(line: string): string {
  return line.trim().split(/ {2,}|, /)[0] ?? "";
}
