import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { definitionFlags } from "../src/cli/arguments.ts";
import type { OptionDefinition } from "../src/cli/command.ts";
import { COMMANDS } from "../src/cli/commands.ts";
import { readToml } from "../src/config/read-file.ts";
import { isInputError } from "../src/core/errors.ts";
import { FAULTS } from "../src/faults/index.ts";
import { PROVIDERS } from "../src/providers/index.ts";
import { COMMON_KEYS, parseCommand } from "../src/rules/language.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const README = read("README.md");
const LANGUAGE = read("docs/fault-language.md");
const MAN_LANGUAGE = read("man/faultproxy.7");
const MAN_SERVE = read("man/faultproxy-serve.1");

const PROVIDER_LIST = Object.values(PROVIDERS);

describe("every fault", () => {
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))("%s stands in the README with letter, level and summary", (_, fault) => {
    const cell = fault.letter === undefined ? "" : `\`${fault.letter}\``;
    expect(README).toContain(`\n| ${cell} | \`${fault.name}\` | ${fault.level} | ${fault.summary} |\n`);
  });

  test.each(FAULTS.map((fault) => [fault.name, fault] as const))("%s stands in faultproxy(7) with letter, summary and keys", (_, fault) => {
    const letter = fault.letter === undefined ? "" : ` , Ic ${fault.letter}`;
    const entry = itemOf(MAN_LANGUAGE, `Ic ${fault.name}${letter}`);
    expect(entry).toStartWith(fault.summary);
    expect([...entry.matchAll(/Cm (\w+) Ns =/g)].map(([, key]) => key)).toEqual(Object.keys(fault.parameters));
  });

  test("that is named in a table of the README exists", () => {
    const named = [...README.matchAll(/^\| (?:`\w`)? ?\| `(\w+)` \| (?:http|wire|stream|answer) \|/gm)].map(([, name]) => name ?? "");
    expect(named).toEqual(FAULTS.map(({ name }) => name));
  });
});

describe("every key", () => {
  test.each(Object.entries(COMMON_KEYS))("%s= stands in README, fault-language.md and faultproxy(7)", (key, summary) => {
    for (const text of [README, LANGUAGE]) expect(text).toContain(`\`${key}=\``);
    expect(itemOf(MAN_LANGUAGE, `Cm ${key} Ns =`)).toBe(summary);
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
  test.each(PROVIDER_LIST.map((provider) => [provider.name, provider] as const))(
    "%s stands in README and faultproxy(7)",
    (name, provider) => {
      const { prefixes, headers, keyPrefixes } = provider.recognition;
      const row = README.split("\n").find((line) => line.includes(`(\`${name}\`)`)) ?? "";
      const variables = provider.clientVariables("http://localhost:8888").map(([variable]) => variable);
      for (const word of [...prefixes.map((prefix) => `/${prefix}`), ...headers, ...keyPrefixes, provider.hostVariable, ...variables]) {
        expect(row).toContain(`\`${word}\``);
      }
      const entry = itemOf(MAN_LANGUAGE, `Ic ${name}`);
      for (const variable of [provider.hostVariable, ...variables]) expect(entry).toContain(`.Ev ${variable} `);
      for (const prefix of prefixes) expect(entry).toContain(`/${prefix}`);
      if (provider.host !== undefined) expect(entry).toContain(provider.host);
      for (const variable of variables) expect(read("man/faultproxy-run.1").replaceAll("\n", " ")).toContain(` Ev ${variable} `);
    },
  );
});

describe("every command and option", () => {
  test.each(["serve", "ctl", "run"])("of %s stands in its manual page as in the help, and no other does", async (name) => {
    const page = read(`man/faultproxy-${name}.1`);
    const command = await COMMANDS.find((each) => each.name === name)?.load();
    const options = Object.entries(command?.options ?? {});
    for (const [option, definition] of options) {
      const alias = definition.alias === undefined ? "" : `Fl ${[definition.alias].flat()[0]} , `;
      const hint = hintOf(definition).replace(" ", " Ar ");
      expect(itemOf(page, `${alias}${firstFlag(option, definition).replace("--", "Fl -")}${hint}`)).toBe(summaryOf(definition));
    }
    const listed = [...page.matchAll(/^\.It (?:Fl \w , )?Fl -([\w-]+)/gm)].map(([, option]) => option ?? "");
    expect(listed).toEqual([...options.map(([option, definition]) => firstFlag(option, definition).slice(2)), "help"]);
    for (const [code] of command?.exitCodes ?? []) expect(page).toContain(`\n.It ${code}\n`);
  });

  test.each(COMMANDS)("$name stands in faultproxy(1) with its summary", ({ name, summary }) => {
    const entry = read("man/faultproxy.1").match(new RegExp(`^\\.It Ic ${name}\\b.*\\n([\\s\\S]*?)\\n\\.(?:It|El)`, "m"))?.[1] ?? "";
    expect(withoutMacros(entry)).toStartWith(summary.replace(/\)$/, ""));
  });

  test("every key of the file stands in faultproxy-serve(1), in an example that is read without a mistake", () => {
    const example = /\.Bd -literal -offset indent\n(port[\s\S]*?)\n\.Ed/.exec(MAN_SERVE)?.[1] ?? "";
    expect(readToml(example).problems).toEqual([]);
  });
});

describe("every example", () => {
  const commands = [
    ...indented(README, "## Fault language").map(firstColumn),
    ...indented(LANGUAGE, "## Examples").map(firstColumn),
    ...(/\.Sh EXAMPLES\n\.Bd -literal\n([\s\S]*?)\n\.Ed/.exec(MAN_LANGUAGE)?.[1] ?? "").split("\n"),
    ...[README, ...manualPages()].flatMap((text) =>
      [...text.matchAll(/--mode (?:"|\\\(dq)(.+?)(?:"|\\\(dq)/g)].map(([, mode]) => mode ?? ""),
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
    const blocks = [...README.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, block]) => block ?? "");
    expect(blocks).not.toEqual([]);
    for (const block of blocks) expect(readToml(block).problems).toEqual([]);
  });

  test.each([
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    ...readdirSync(join(ROOT, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ])("of a link in %s leads somewhere", async (page) => {
    const folder = join(ROOT, page, "..");
    for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect(await Bun.file(join(folder, target ?? "")).exists()).toBe(true);
  });
});

function manualPages(): readonly string[] {
  return readdirSync(join(ROOT, "man")).map((name) => read(`man/${name}`));
}

/** The text below an `.It` line, up to the next item. */
function itemOf(page: string, head: string): string {
  const start = page.indexOf(`\n.It ${head}\n`);
  if (start < 0) return `no item ${head}`;
  const rest = page.slice(start + head.length + 6);
  return rest.slice(0, /^\.(?:It|El)\b/m.exec(rest)?.index).trim();
}

function withoutMacros(text: string): string {
  return text.replace(/^\.(?:Nm|Xr|Ic|Pq) ?/gm, "").replace(/\s+/g, " ");
}

function firstFlag(name: string, definition: OptionDefinition): string {
  return definitionFlags(name, definition)[0] ?? "";
}

function hintOf(definition: OptionDefinition): string {
  return definition.type === "boolean" ? "" : ` ${definition.valueHint ?? "VALUE"}`;
}

function summaryOf(definition: OptionDefinition): string {
  return (definition.type === "boolean" ? (definition.negativeDescription ?? definition.description) : definition.description) ?? "";
}

/** The indented lines of one section. */
function indented(text: string, heading: string): readonly string[] {
  const section = text.slice(text.indexOf(`\n${heading}\n`) + heading.length).split(/\n## /)[0] ?? "";
  return section.split("\n").filter((line) => line.startsWith("    "));
}

/** The command before two or more spaces, or before the comma of a second one. */
function firstColumn(line: string): string {
  return line.trim().split(/ {2,}|, /)[0] ?? "";
}
