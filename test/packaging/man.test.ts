import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../../package.json" with { type: "json" };
import { lintFindings, manualPages } from "../../packaging/man.ts";
import { definitionFlags } from "../../src/cli/arguments.ts";
import type { CliCommand, OptionDefinition } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { SETTING_OPTIONS } from "../../src/cli/options.ts";
import { itemsAfter, listsOf, type PageItem, paragraph, sectionOf, seen } from "./support/mdoc.ts";

const ROOT = join(import.meta.dir, "../..");
const BUILT = join(ROOT, "dist/man");
const PAGES = await manualPages();
const page = (name: string) => PAGES[name] ?? `no page ${name}`;

const WITH_PAGE = ["serve", "ctl", "run", "cost", "estimate", "credentials"];
const LOADED = await Promise.all(COMMANDS.map(async ({ name, summary, load }) => ({ name, summary, command: await load() })));
const commandNamed = (name: string): CliCommand => {
  const found = LOADED.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found.command;
};

/** An option as the help has it. */
function optionRow([name, definition]: readonly [string, OptionDefinition]): readonly [string, string] {
  const [flag = ""] = definitionFlags(name, definition);
  const alias = definition.alias === undefined ? "" : `-${[definition.alias].flat()[0]}, `;
  const isSwitch = definition.type === "boolean";
  const summary = isSwitch && definition.default === true ? definition.negativeDescription : definition.description;
  return [`${alias}${flag}${isSwitch ? "" : ` ${definition.valueHint ?? "VALUE"}`}`, summary ?? ""];
}

const OVERSTRIKE = new RegExp(`.${String.fromCharCode(8)}`, "gu");

const rowOf = ({ head, text }: PageItem) => [head, text] as const;
/** Pages have three points where the help has their sign. */
const points = (text: string) => text.replaceAll("…", "...");
const withPoints = ([left, right]: readonly [string, string]) => [points(left), points(right)] as const;

describe.each(WITH_PAGE)("the page of %s", (name) => {
  const text = page(`faultproxy-${name}.1`);
  const command = commandNamed(name);

  test("has the options of the help, in its order, and no others", () => {
    const expected = [...Object.entries(command.options).map(optionRow), ["-h, --help", "this text"]] as (readonly [string, string])[];
    expect(itemsAfter(text, "The options are:").map(rowOf)).toEqual(expected.map(withPoints));
  });

  test("has its exit codes", () => {
    expect(itemsAfter(text, ".Sh EXIT STATUS").map(rowOf)).toEqual([...command.exitCodes]);
  });

  test("has its ways to be typed, and its examples", () => {
    const ways = sectionOf(text, ".Sh SYNOPSIS").split("\n").slice(1).map(seen);
    for (const way of command.usage) expect(ways.join(" ")).toContain(`faultproxy ${name} ${way}`);
    const examples = sectionOf(text, ".Sh EXAMPLES").split("\n").map(seen);
    for (const [line] of command.examples) expect(examples).toContain(`$ ${line}`);
  });
});

test.each([
  ["ctl", "The commands are:"],
  ["serve", ".Ss Commands"],
  ["credentials", "The commands are:"],
])("the page of %s has the commands that its help tells of", (name, line) => {
  const rows = commandNamed(name).tables?.find(([title]) => title === "Commands")?.[1] ?? [];
  expect(itemsAfter(page(`faultproxy-${name}.1`), line).map(rowOf)).toEqual(rows.map(withPoints));
});

test("the page of run has the variables that its help tells of", () => {
  const rows = commandNamed("run").tables?.find(([title]) => title === "Variables")?.[1] ?? [];
  expect(itemsAfter(page("faultproxy-run.1"), "expect:").map(rowOf)).toEqual([...rows]);
});

describe("faultproxy(1)", () => {
  const text = page("faultproxy.1");

  test("has every command with its summary, and where more is told", () => {
    expect(itemsAfter(text, "The commands are:").map(rowOf)).toEqual(
      COMMANDS.map(({ name, summary }) => [name, `${summary}${WITH_PAGE.includes(name) ? `; see faultproxy-${name} 1` : ""}`]),
    );
  });

  test.each(LOADED.filter(({ name }) => !WITH_PAGE.includes(name)))("has all of the help of $name", ({ name, command }) => {
    const section = sectionOf(text, `.Ss faultproxy ${name}`);
    const whole = paragraph(section.split("\n").slice(1));
    for (const way of command.usage) expect(whole).toContain(`${name} ${way}`.trim());
    for (const about of command.about) expect(whole).toContain(about);
    for (const [line] of command.examples) expect(whole).toContain(`$ ${line}`);
    const own = Object.entries(command.options).filter(([option, definition]) => SETTING_OPTIONS[option] !== definition);
    if (own.length === 0) expect(section).not.toContain("Its options are:");
    else expect(itemsAfter(section, "Its options are:").map(rowOf)).toEqual(own.map(optionRow) as (readonly [string, string])[]);
    expect(itemsAfter(section, "It exits with:").map(rowOf)).toEqual([...command.exitCodes]);
  });
});

describe("make man", () => {
  // What is installed is as it should be, or this test could not run.
  const make = Bun.spawnSync(["make", "--old-file=node_modules/.installed", "man"], { cwd: ROOT });

  test("writes the pages into dist/man, and nothing else", () => {
    expect(`${make.exitCode} ${make.stderr}`).toBe("0 ");
    const files = Object.fromEntries(readdirSync(BUILT).map((name) => [name, readFileSync(join(BUILT, name), "utf8")]));
    expect(files).toEqual({ ...PAGES, "faultctl.1": page("faultproxy-ctl.1") });
    expect(lstatSync(join(BUILT, "faultctl.1")).isSymbolicLink()).toBe(true);
  });

  test("leaves no marker, and puts in date and version", () => {
    for (const text of Object.values(PAGES)) {
      expect(text).not.toMatch(/^\.\\" @|@date@|@version@/m);
      expect(text).toMatch(/^\.Dd [A-Z][a-z]+ \d{1,2}, \d{4}\n/);
    }
    expect(page("faultproxy.1")).toContain(`\nThese pages are those of version ${packageFile.version}.\n`);
  });

  test("dates the pages as it is told, so that they can be built again", async () => {
    const before = process.env.SOURCE_DATE_EPOCH;
    process.env.SOURCE_DATE_EPOCH = "86399";
    const pages = await manualPages();
    if (before === undefined) delete process.env.SOURCE_DATE_EPOCH;
    else process.env.SOURCE_DATE_EPOCH = before;
    expect(Object.values(pages).map((text) => text.split("\n")[0])).toEqual(Object.keys(PAGES).map(() => ".Dd January 1, 1970"));
  });

  test("makes pages that lead to one another", () => {
    const names = [...Object.keys(PAGES), "faultctl.1"];
    expect(names.sort()).toEqual([
      "faultctl.1",
      "faultproxy-config.5",
      "faultproxy-cost.1",
      "faultproxy-credentials.1",
      "faultproxy-ctl.1",
      "faultproxy-estimate.1",
      "faultproxy-run.1",
      "faultproxy-serve.1",
      "faultproxy.1",
      "faultproxy.7",
    ]);
    for (const text of Object.values(PAGES)) {
      for (const [, name, section] of text.matchAll(/^\.Xr (fault\S+) (\d)/gm)) expect(names).toContain(`${name}.${section}`);
      for (const [, title] of text.matchAll(/^\.Sx (.+)$/gm)) expect(text).toContain(`\n.Ss ${title}\n`);
    }
  });

  const hasMandoc = Bun.which("mandoc") !== null;
  test.skipIf(!hasMandoc && process.env.CI === undefined)("makes pages in which mandoc finds nothing", () => {
    expect(lintFindings(BUILT)).toEqual([]);
  });

  test.skipIf(!hasMandoc && process.env.CI === undefined).each(Object.keys(PAGES))(
    "makes %s, which a reader sees as it was meant",
    (name) => {
      const { stdout } = Bun.spawnSync(["mandoc", "-Tutf8", "-O", "width=1000", join(BUILT, name)]);
      // Bold and underlined characters are written over themselves.
      const shown = stdout.toString().replaceAll(OVERSTRIKE, "").replace(/\s+/g, " ");
      const items = listsOf(page(name)).flat();
      expect(items.length).toBeGreaterThan(3);
      for (const { head, text, isPlain } of items) expect(shown).toContain(isPlain ? `${head} ${text}` : head);
    },
  );
});
