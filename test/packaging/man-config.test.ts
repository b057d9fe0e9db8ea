import { describe, expect, test } from "bun:test";
import { manualPages } from "../../packaging/man.ts";
import { exampleFile } from "../../src/config/example.ts";
import { LIST_COLUMNS } from "../../src/config/gateway-schema.ts";
import { PRESET_NAMES } from "../../src/config/presets.ts";
import { readToml } from "../../src/config/read-file.ts";
import { problemLines } from "../../src/config/read-settings.ts";
import { SETTING_ROWS } from "../../src/config/schema.ts";
import type { Column } from "../../src/config/table-list.ts";
import { TARGET_ROWS, type TargetRow } from "../../src/config/target-schema.ts";
import type { ValueKind } from "../../src/config/value-kinds.ts";
import { FAILURE_CLASSES } from "../../src/core/failure.ts";
import { displayAfter, itemsAfter, type PageItem, paragraph, sectionOf, unescaped } from "./support/mdoc.ts";

const PAGE = (await manualPages())["faultproxy-config.5"] ?? "";
const OF_PROGRAM = SETTING_ROWS.map(([, setting]) => setting).filter(({ key }) => key !== "");
const OF_TARGETS = TARGET_ROWS.map(([, row]) => row);
const isAuth = ({ key }: TargetRow) => key.startsWith("auth.");
const lastOf = (key: string) => key.split(".").at(-1) ?? "";
const tableOf = (key: string) => key.split(".").slice(0, -1).join(".");

const TABLES = [
  ["", ".Ss For the whole program"],
  ["server", ".Ss The [server] table"],
  ["simulator", ".Ss The [simulator] table"],
  ["limits", ".Ss The [limits] table"],
  ["limits.estimation", ".Ss The [limits.estimation] table"],
  ["retry", ".Ss The [retry] table"],
  ["breaker", ".Ss The [breaker] table"],
  ["cors", ".Ss The [cors] table"],
  ["cost", ".Ss The [cost] table"],
  ["state", ".Ss The [state] table"],
] as const;
const LISTS = [
  ["limits.override", ".Ss The [[limits.override]] tables"],
  ["cost.price", ".Ss The [[cost.price]] tables"],
] as const;
/** Where the tables of routes stand, and what goes before a line of theirs in a file. */
const ROUTE_TABLES = [
  ["route", ".Ss The [[route]] tables", "[[route]]"],
  ["route.match", ".Ss The match tables of routes", "[[route]]\n[route.match]"],
  ["route.hold", ".Ss The hold tables of routes", "[[route]]\n[route.hold]"],
  ["route.targets", ".Ss The [[route.targets]] tables", "[[route]]\n[[route.targets]]"],
  ["route.targets.credential", ".Ss The credential tables of targets", "[[route]]\n[[route.targets]]\n[route.targets.credential]"],
] as const;
const TARGET_TABLES = [
  [false, ".Ss The [backend] and [providers.NAME] tables"],
  [true, ".Ss The [backend.auth] and [providers.NAME.auth] tables"],
] as const;

/** The words after a label: `Option: --port.` */
function told({ more }: PageItem, label: string): string | undefined {
  return new RegExp(`(?:^|[.] )${label}: (.*?)[.](?= [A-Z][a-z]+:| Only | Must |$)`).exec(more)?.[1];
}

describe("the keys of faultproxy-config(5)", () => {
  test.each(TABLES)("of the program in [%s] are those of the table, with what they mean", (table, title) => {
    const rows = OF_PROGRAM.filter(({ key }) => tableOf(key) === table);
    expect(rows).not.toEqual([]);
    expect(itemsAfter(PAGE, title).map(({ head, text }) => [head.split(" ")[0], text])).toEqual(
      // Pages have three points where the table has their sign.
      rows.map(({ key, summary, fileSummary }) => [lastOf(key), (fileSummary ?? summary).replaceAll("…", "...")]),
    );
  });

  test.each(TARGET_TABLES)("of targets (of auth: %p) are those of the table, with what they mean", (wanted, title) => {
    expect(itemsAfter(PAGE, title).map(({ head, text }) => [head.split(" ")[0], text])).toEqual(
      OF_TARGETS.filter((row) => isAuth(row) === wanted).map(({ key, summary }) => [lastOf(key), summary]),
    );
  });

  test("are in no table that is left out", () => {
    const tables = new Set(OF_PROGRAM.map(({ key }) => tableOf(key)));
    expect([...tables].sort()).toEqual(TABLES.map(([table]) => table).sort());
  });

  const items = TABLES.flatMap(([table, title]) => itemsAfter(PAGE, title).map((item) => ({ table, ...item })));
  test.each(OF_PROGRAM.map((setting) => [setting.key, setting] as const))("%s: default, option, variables, other names", (key, setting) => {
    const item = items.find(({ table, head }) => table === tableOf(key) && head.split(" ")[0] === lastOf(key));
    if (item === undefined) throw new Error(key);
    const { option, negated, variables, aliases = [], onlyAtStart } = setting;
    const reverse = negated ? " (the reverse)" : "";
    expect(told(item, "Option")).toBe(option === undefined ? undefined : `--${negated ? "no-" : ""}${option}${reverse}`);
    expect(told(item, "Variables?")).toBe(variables.length === 0 ? undefined : `${variables.join(", ")}${reverse}`);
    expect(told(item, "Also")).toBe(aliases.length === 0 ? undefined : aliases.join(", "));
    expect(item.more.endsWith("Only at the start.")).toBe(onlyAtStart === true);
    checkBounds(item, setting.value);
    // As it stands there it can be written, but for those in words.
    const preset = told(item, "Default") ?? "";
    const { default: value } = setting;
    const isInWords = value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
    if (isInWords) expect(preset).toBe(setting.defaultText ?? "none");
    else expect(readToml(`${key} = ${preset}`)).toMatchObject({ problems: [], settings: { [nameOf(key)]: value } });
  });

  describe.each(LISTS)("of [[%s]]", (list, title) => {
    const columns = itemsAfter(PAGE, title);
    const problems = (line: string) => readToml(`[[${list}]]\n${line}\n`).problems.map(({ message }) => message);
    const problem = (line: string) => problems(line)[0] ?? "none";

    test("are those that the reader knows, and no others", () => {
      const known = /\(known: (.*)\)$/.exec(problem("nonsense = 1"))?.[1];
      expect(columns.map(({ head }) => head).join(", ")).toBe(known ?? "");
    });

    test.each(columns.map(({ head, text }) => [head, text] as const))("%s: what may be written", (key, text) => {
      // What is missing beside it is told too.
      const found = problems(`${key} = []`).find((message) => message.startsWith(`[[${list}]] number 1, ${key}`));
      expect(found).toEndWith(`: expected ${text.replace("; must be given", "")}`);
    });

    test("say which of them must be given", () => {
      const written = columns.map(({ head, text }) => [head, text.endsWith("; must be given")] as const);
      const all = new Map(written.map(([key]) => [key, key === "on_store_loss" ? '"open"' : key.includes("_") ? "1" : '"openai"']));
      for (const [key, isRequired] of written) {
        const line = [...all].flatMap(([each, value]) => (each === key ? [] : [`${each} = ${value}`])).join("\n");
        expect([key, problem(line).includes(`: expected ${key} in each table: `)]).toEqual([key, isRequired]);
      }
    });
  });

  test("of lists of tables are all there", () => {
    expect([...LISTS, ...ROUTE_TABLES].map(([list]): string => list).sort()).toEqual(Object.keys(LIST_COLUMNS).sort());
  });

  describe.each(ROUTE_TABLES)("of %s", (table, title, before) => {
    const columns = Object.entries<Column>(LIST_COLUMNS[table]);

    test("are those that the reader knows, with what they mean", () => {
      const messages = readToml(`${before}\nnonsense = 1\n`).problems.map(({ message }) => message);
      const known = /no key "nonsense" \(known: (.*)\)$/m.exec(messages.join("\n"))?.[1];
      expect(columns.map(([key]) => key).join(", ")).toBe(known ?? "");
      expect(itemsAfter(PAGE, title).map(({ head, text }) => [head, text])).toEqual(
        columns.map(([key, { summary }]) => [key, summary ?? ""]),
      );
    });

    test.each(columns)("%s: bounds and default", (key, { value, defaultText, isRequired }) => {
      const item = itemsAfter(PAGE, title).find(({ head }) => head === key);
      if (item === undefined) throw new Error(key);
      checkBounds(item, value);
      expect(item.more.endsWith(" Must be given.")).toBe(isRequired === true);
      expect(told(item, "Default")).toBe(isRequired ? undefined : defaultText);
    });
  });

  const targetItems = TARGET_TABLES.flatMap(([, title]) => itemsAfter(PAGE, title));
  test.each(OF_TARGETS.map((row) => [row.key, row] as const))("%s of targets: default, and where it may stand", (key, row) => {
    const item = targetItems.find(({ head, text }) => head.split(" ")[0] === lastOf(key) && text === row.summary);
    if (item === undefined) throw new Error(key);
    expect(told(item, "Default")).toBe(row.defaultText);
    checkBounds(item, row.value);
    for (const table of ["backend", "providers"] as const) {
      const isHere = row.only === undefined || row.only === table;
      expect(item.more.includes(`Only in [${table === "backend" ? "backend" : "providers.NAME"}].`)).toBe(row.only === table);
      const scope = table === "backend" ? "backend" : "providers.openai";
      const { problems } = readToml(`${scope}.${key} = ${row.example}`);
      expect(problems.some(({ message }) => message.startsWith("unknown key"))).toBe(!isHere);
    }
    // The page says it of all of them.
    expect(row.aliases ?? []).toEqual(isAuth(row) ? [lastOf(key)] : []);
  });

  test("that wait for the next start are named with reloading", () => {
    const names = [
      ...OF_PROGRAM.filter(({ onlyAtStart }) => onlyAtStart).map(({ key }) => key),
      ...OF_TARGETS.filter(({ onlyAtStart }) => onlyAtStart).map(({ key }) => `providers.NAME.${key}`),
    ];
    expect(paragraph(sectionOf(PAGE, ".Sh RELOADING").split("\n"))).toContain(`next start: ${names.join(", ")}.`);
  });
});

function nameOf(key: string): string {
  return SETTING_ROWS.find(([, setting]) => setting.key === key)?.[0] ?? key;
}

/** Numbers up to the bounds that are told are taken, and none beyond; and every word that is told, and no other. */
function checkBounds(item: PageItem, value: ValueKind<unknown>): void {
  const text = told(item, "Value") ?? "";
  expect(text).not.toBe("");
  const [, from, to] = /^a whole number from (\d+) to (\d+)$/.exec(text) ?? [];
  expect(from !== undefined).toBe(value.tomlTypes.join() === "number");
  if (from !== undefined) {
    const taken = [Number(from) - 1, Number(from), Number(to), Number(to) + 1].map((each) => value.parse(String(each)).ok);
    expect(taken).toEqual([false, true, true, false]);
  }
  if (value.choices !== undefined) {
    expect(text.startsWith("one of ")).toBe(value.choices.length > 2);
    expect([...text.matchAll(/"(\w+)"/g)].map(([, word]) => word)).toEqual([...value.choices]);
  }
}

test("faultproxy-config(5) has every class of failure, and no other", () => {
  const heads = itemsAfter(PAGE, ".Ss Failures and retries").flatMap(({ head }) => head.split(", "));
  expect(heads).toEqual([...FAILURE_CLASSES]);
});

describe("the examples of faultproxy-config(5)", () => {
  test("with every key tell what says the reverse", () => {
    expect(exampleFile()).toContain("\n# FAULTPROXY_NO_STDIN, --no-stdin (the reverse)\n#stdin = true\n");
  });

  const everyKey = [
    ...OF_PROGRAM.map(({ key }) => key),
    ...OF_TARGETS.filter(({ only, key }) => only !== "providers" && key !== "").map(({ key }) => `backend.${key}`),
    ...OF_TARGETS.filter(({ only }) => only !== "backend").map(({ key }) => `providers.openai.${key}`),
  ].sort();

  test.each([
    ["on the page", displayAfter(PAGE, "Every key, with its default or an example:")],
    ["of faultproxy config --example", exampleFile().replace(/^#(?! )/gm, "")],
  ])("with every key, %s, has every key and no mistake", (_, toml) => {
    const { problems, written } = readToml(toml);
    expect(problems).toEqual([]);
    expect([...written.keys()].sort()).toEqual(everyKey);
  });

  const blocks = [...sectionOf(PAGE, ".Sh EXAMPLES").matchAll(/\.Bd -literal.*\n([\s\S]*?)\n\.Ed/g)].map(([, block = ""]) =>
    unescaped(block),
  );
  test("are read without a mistake", () => {
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) expect(readToml(block).problems).toEqual([]);
  });

  test.each(PRESET_NAMES)("of the preset %s say what it stands for", (name) => {
    const backend = (lines: string) => readToml(`[backend]\nendpoint = "https://b.example/v1"\n${lines}`);
    const written = backend(displayAfter(PAGE, ".Ss Presets"));
    expect(written.problems).toEqual([]);
    expect(written.settings).toEqual(backend(`preset = "${name}"`).settings);
  });

  test("of mistakes are told so", () => {
    const lines = displayAfter(PAGE, ".Sh DIAGNOSTICS").split("\n");
    const found = problemLines("config.toml", readToml("prot = 1\nport = 70000\n"));
    expect(found.length).toBe(lines.length);
    for (const [index, line] of lines.entries()) expect(found[index]).toStartWith(line.replace(/\.\.\.\)$/, ""));
  });
});
