/** What faultproxy-config(5) says of the keys of the file, from the tables by which it is read. */
import { exampleFile } from "../../src/config/example.ts";
import { LIST_COLUMNS } from "../../src/config/gateway-schema.ts";
import { PRESETS } from "../../src/config/presets.ts";
import { SETTING_ROWS, SETTINGS, type Setting } from "../../src/config/schema.ts";
import type { Column } from "../../src/config/table-list.ts";
import { TARGET_ROWS, type TargetRow } from "../../src/config/target-schema.ts";
import { tomlText } from "../../src/config/toml-text.ts";
import type { ValueKind } from "../../src/config/value-kinds.ts";
import { argument, displayed, enumeratedLines, type Item, prose, tagged } from "./mdoc.ts";

/** The keys of the whole program that stand in one table of the file; the empty name is that of no table. */
export function programKeys(table: string): readonly string[] {
  return tagged(
    SETTING_ROWS.map(([, setting]) => setting)
      .filter(({ key }) => key !== "" && tableOf(key) === table)
      .map(programKey),
  );
}

function tableOf(key: string): string {
  return key.split(".").slice(0, -1).join(".");
}

function programKey(setting: Setting<unknown>): Item {
  const { key, aliases = [], summary, fileSummary, value, onlyAtStart } = setting;
  return {
    head: headOf(key.split(".").at(-1) ?? "", value),
    text: [
      ...prose(fileSummary ?? summary),
      ".Pp",
      ...facts(value, defaultOf(setting)),
      ...sources(setting),
      ...labelled("Also", "Cm", aliases),
      ...(onlyAtStart ? AT_START : []),
    ],
  };
}

/** Where the value of a setting can come from besides the file. */
function sources({ option, negated, variables }: Pick<Setting<unknown>, "option" | "negated" | "variables">): readonly string[] {
  const reverse = negated ? "(the reverse)" : "";
  return [
    ...(option === undefined ? [] : labelled("Option", "Fl", [`-${negated ? "no-" : ""}${option}`], reverse)),
    ...labelled(variables.length === 1 ? "Variable" : "Variables", "Ev", variables, reverse),
  ];
}

/** The keys of `[providers.NAME]` and `[backend]`, or those of their tables `auth`. */
export function targetKeys(isAuth: boolean): readonly string[] {
  return tagged(
    TARGET_ROWS.filter(([, { key }]) => key.startsWith("auth.") === isAuth).map(([name, row]) => ({
      head: headOf(row.key.replace("auth.", ""), row.value),
      text: [
        ...prose(row.summary),
        ".Pp",
        ...facts(row.value, row.defaultText),
        ...(name === "upstream" ? sources(SETTINGS.upstreams) : []),
        ...onlyIn(row),
        ...(row.onlyAtStart ? AT_START : []),
      ],
    })),
  );
}

/** The keys of each table in a list of tables, such as `limits.override`, by what may be written. */
export function columnKeys(list: string): readonly string[] {
  const columns = Object.entries<Readonly<Record<string, Column>>>(LIST_COLUMNS).find(([name]) => name === list)?.[1];
  if (columns === undefined) throw new Error(`there is no list of tables ${list}`);
  return tagged(Object.entries(columns).map(([key, column]) => ({ head: `Cm ${argument(key)}`, text: columnText(column) })));
}

function columnText({ value, summary, defaultText, isRequired }: Column): readonly string[] {
  if (summary === undefined) return prose(isRequired ? `${valueText(value)}; must be given` : valueText(value));
  const preset = isRequired ? "Must be given." : `Default: ${defaultText}.`;
  return [
    ...prose(summary),
    ".Pp",
    ...prose(`Value: ${valueText(value)}.`),
    ...(isRequired || defaultText !== undefined ? prose(preset) : []),
  ];
}

const AT_START: readonly string[] = ["Only at the start."];

function onlyIn({ only }: TargetRow): readonly string[] {
  if (only === undefined) return [];
  return [`Only in ${only === "backend" ? "[backend]" : "[providers.NAME]"}.`];
}

function headOf(key: string, value: ValueKind<unknown>): string {
  return `Cm ${argument(key)} No = Ar ${argument(isSwitch(value) ? "true|false" : value.hint)}`;
}

function facts(value: ValueKind<unknown>, defaultText: string): readonly string[] {
  return [...prose(`Value: ${valueText(value)}.`), ...prose(`Default: ${defaultText}.`)];
}

function isSwitch({ tomlTypes }: ValueKind<unknown>): boolean {
  return tomlTypes.length === 1 && tomlTypes[0] === "boolean";
}

/** What may be written, in the words of the refusal of what may not: nothing else knows the bounds. */
function valueText(value: ValueKind<unknown>): string {
  if (isSwitch(value)) return "true or false";
  if (value.choices !== undefined) {
    const choices = value.choices.map(tomlText);
    return choices.length > 2 ? `one of ${choices.join(", ")}` : choices.join(" or ");
  }
  for (const none of NO_VALUES) {
    const parsed = value.parse(none);
    // What is wrong with this one says nothing of other values.
    if (!parsed.ok) return parsed.expected.replace(/; this is [^;]*$/, "");
  }
  throw new Error(`${value.hint} takes anything`);
}

/** Nothing takes both. */
const NO_VALUES = [" ", "x".repeat(10_000)];

function defaultOf({ default: preset, defaultText, value }: Setting<unknown>): string {
  const isNothing = preset === undefined || preset === "" || (Array.isArray(preset) && preset.length === 0);
  return isNothing ? (defaultText ?? "none") : (value.toToml?.(preset) ?? tomlText(preset));
}

/** `remark` stands behind the words. */
function labelled(label: string, macro: string, words: readonly string[], remark = ""): readonly string[] {
  if (words.length === 0) return [];
  const list = remark === "" ? enumeratedLines(macro, words, ".") : [...enumeratedLines(macro, words, ""), `${remark}.`];
  return [`${label}:`, ...list];
}

/** The keys that a reload leaves as they are. */
export function keysOfStart(): readonly string[] {
  const ofProgram = SETTING_ROWS.flatMap(([, { key, onlyAtStart }]) => (onlyAtStart ? [key] : []));
  const ofTargets = TARGET_ROWS.flatMap(([, { key, onlyAtStart }]) => (onlyAtStart ? [`providers.NAME.${key}`] : []));
  return enumeratedLines("Cm", [...ofProgram, ...ofTargets], ".");
}

/** What a preset stands for, as it would be written. */
export function preset(name: string): readonly string[] {
  const settings = Object.entries(PRESETS).find(([each]) => each === name)?.[1];
  if (settings === undefined) throw new Error(`there is no preset ${name}`);
  const values: Readonly<Record<string, unknown>> = settings;
  const lines = TARGET_ROWS.flatMap(([setting, { key }]) => (setting in values ? [`${key} = ${tomlText(values[setting])}`] : []));
  return displayed(lines);
}

/** A file with every key, without its comments. */
export function exampleOfEveryKey(): readonly string[] {
  const lines = exampleFile()
    .split("\n")
    .filter((line) => /^#[^ ]/.test(line))
    .map((line) => line.slice(1));
  return displayed(lines.flatMap((line) => (line.startsWith("[") ? ["", line] : [line])));
}
