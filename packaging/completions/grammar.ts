import { definitionFlags } from "../../src/cli/arguments.ts";
import type { CliCommand, OptionDefinition } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { CREDENTIALS_WORDS } from "../../src/cli/credentials.ts";
import { SETTING_ROWS } from "../../src/config/schema.ts";
import type { Fault, ParameterSpec } from "../../src/core/fault.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { FAULTS, variantsOf } from "../../src/faults/index.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { COMMON_KEYS, WORD_COMMANDS } from "../../src/rules/language.ts";
import { REPORT_GROUPS } from "../../src/shell/cost/report.ts";

/** What may be typed, and what it does. */
export type Entry = { readonly word: string; readonly summary: string };

/** What can stand in one place. `any` is a number, a duration or a text: nothing to offer. */
export type Values =
  | { readonly kind: "words"; readonly entries: readonly Entry[] }
  | { readonly kind: "files" }
  | { readonly kind: "any" }
  /** A command of the fault language, to the end of the line. */
  | { readonly kind: "rule" };

export type OptionGrammar = {
  /** As typed, with dashes. */
  readonly flags: readonly string[];
  readonly summary: string;
  /** Undefined for a switch. */
  readonly values: Values | undefined;
  readonly repeatable: boolean;
};

export type CommandGrammar = Entry & {
  readonly options: readonly OptionGrammar[];
  readonly words: Values;
  /** Behind `--` stands a command with its own completion. */
  readonly takesRest: boolean;
};

export type KeyGrammar = { readonly key: string; readonly summary: string; readonly values: readonly string[] };
export type FaultGrammar = { readonly names: readonly string[]; readonly summary: string; readonly keys: readonly KeyGrammar[] };

export type Grammar = {
  readonly commands: readonly CommandGrammar[];
  /** First words of the fault language that are no faults. */
  readonly ruleWords: readonly Entry[];
  readonly faults: readonly FaultGrammar[];
  readonly commonKeys: readonly KeyGrammar[];
  /** Amounts that show their forms; a `*` would be taken by the shell. */
  readonly amounts: readonly Entry[];
};

const ANY: Values = { kind: "any" };
const FILES: Values = { kind: "files" };
const SWITCH_WORDS = ["on", "off"];
const AMOUNTS: readonly Entry[] = [
  { word: "3", summary: "three times" },
  { word: "30%", summary: "that share of the requests" },
  { word: "100%", summary: "all" },
];

/** All that the shells offer, from the tables that the program itself is made of. */
export async function completionGrammar(): Promise<Grammar> {
  const commands = await Promise.all(
    COMMANDS.map(async ({ name, summary, load }) => {
      const command = await load();
      return {
        word: name,
        summary,
        options: optionsOf(command),
        words: wordsOf(command),
        takesRest: command.takesRest === true,
      };
    }),
  );
  const ctl = await COMMANDS.find(({ name }) => name === "ctl")?.load();
  return {
    commands,
    ruleWords: ctl === undefined ? [] : ruleWordsOf(ctl),
    faults: FAULTS.map(({ name, letter, summary, parameters }, index) => ({
      names: letter === undefined ? [name] : [name, letter],
      summary,
      keys: Object.entries(parameters).map(([key, spec]) => ({ key, summary: spec.summary, values: keyValues(key, spec, FAULTS[index]) })),
    })),
    commonKeys: Object.entries(COMMON_KEYS).map(([key, summary]) => ({ key, summary, values: COMMON_VALUES[key] ?? [] })),
    amounts: AMOUNTS,
  };
}

const COMMON_VALUES: Readonly<Record<string, readonly string[]>> = {
  provider: PROVIDER_NAMES,
  stream: SWITCH_WORDS,
  side: ["client", "upstream"],
};

function keyValues(key: string, { type, choices }: ParameterSpec, fault: Fault | undefined): readonly string[] {
  if (choices !== undefined) return choices;
  if (type === "switch") return SWITCH_WORDS;
  return key === "variant" && fault !== undefined ? variantsOf(fault, Object.values(PROVIDERS), DIALECTS) : [];
}

function optionsOf(command: CliCommand): readonly OptionGrammar[] {
  const help = { flags: ["-h", "--help"], summary: "print help", values: undefined, repeatable: false };
  const own = Object.entries(command.options).map(([name, definition]) => ({
    flags: flagsOf(name, definition),
    summary: summaryOf(definition),
    values: definition.type === "boolean" ? undefined : optionValues(name, definition),
    repeatable: definition.repeatable === true,
  }));
  return [...own, help];
}

/** A switch that is on anyway is offered as what turns it off, alone. */
function flagsOf(name: string, definition: OptionDefinition): readonly string[] {
  const flags = definitionFlags(name, definition);
  return definition.type === "boolean" && definition.default === true ? flags.slice(0, 1) : flags;
}

function summaryOf(definition: OptionDefinition): string {
  const text = definition.type === "boolean" ? (definition.negativeDescription ?? definition.description) : definition.description;
  return text ?? "";
}

function optionValues(name: string, { valueHint = "" }: OptionDefinition & { readonly valueHint?: string }): Values {
  if (name === "by") return { kind: "words", entries: REPORT_GROUPS.map((word) => ({ word, summary: "" })) };
  if (name === "provider") return { kind: "words", entries: PROVIDER_NAMES.map((word) => ({ word, summary: PROVIDERS[word].title })) };
  if (name === "mode") return { kind: "words", entries: FAULTS.map((fault) => ({ word: fault.name, summary: fault.summary })) };
  const choices = SETTING_ROWS.find(([, { option }]) => option === name)?.[1].value.choices;
  if (choices !== undefined) return { kind: "words", entries: choices.map((word) => ({ word, summary: "" })) };
  if (/NAME\]?=/.test(valueHint)) return { kind: "words", entries: PROVIDER_NAMES.map((word) => ({ word: `${word}=`, summary: "" })) };
  return /^(FILE|PATH)$/.test(valueHint) ? FILES : ANY;
}

/** What the words of a command are; the tables of commands say only how many there can be. */
const WORDS: Readonly<Record<string, Values>> = {
  ctl: { kind: "rule" },
  check: FILES,
  credentials: { kind: "words", entries: CREDENTIALS_WORDS.map(([word, summary]) => ({ word, summary })) },
  estimate: FILES,
  faults: {
    kind: "words",
    entries: [
      ...PROVIDER_NAMES.map((word) => ({ word, summary: `${PROVIDERS[word].title}: how its errors look` })),
      ...FAULTS.map(({ name, summary }) => ({ word: name, summary })),
    ],
  },
  help: { kind: "words", entries: COMMANDS.map(({ name, summary }) => ({ word: name, summary })) },
};

function wordsOf({ name, wordsMax }: CliCommand): Values {
  const words = wordsMax === 0 ? ANY : WORDS[name];
  if (words === undefined) throw new Error(`completions: what are the words of ${name}?`);
  return words;
}

/** From the table in the help of `ctl`: `rm ID, clear` are two words with one summary. */
function ruleWordsOf({ tables = [] }: CliCommand): readonly Entry[] {
  const rows = tables.flatMap(([, tableRows]) => tableRows);
  const entries = rows.flatMap(([typed, summary]) =>
    typed.split(", ").flatMap((way) => {
      const word = way.split(" ")[0] ?? "";
      return /^[a-z]{2,}$/.test(word) ? [{ word, summary }] : [];
    }),
  );
  const missing = WORD_COMMANDS.filter((word) => word.length > 1 && !entries.some((entry) => entry.word === word));
  if (missing.length > 0) throw new Error(`completions: the help of ctl does not speak of ${missing.join(", ")}`);
  return [{ word: "n", summary: "no error: pass everything through" }, ...entries];
}
