import type { BooleanArgDef, StringArgDef } from "citty";

/** An option as citty knows it; a repeatable one joins its values with commas, and of some an empty value means something. */
export type OptionDefinition = (BooleanArgDef | StringArgDef) & { readonly repeatable?: boolean; readonly mayBeEmpty?: boolean };
export type OptionDefinitions = Readonly<Record<string, OptionDefinition>>;

/** What was typed after the command's name. */
export type Call = {
  /** Parsed by citty: texts and switches by option name; undefined where not given. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
  /** What stood behind `--`; undefined where there was none. */
  readonly rest: readonly string[] | undefined;
};

/** One command: how it is typed, what its help says, what it does. */
export type CliCommand = {
  readonly name: string;
  /** What follows the name, one line for each way. */
  readonly usage: readonly string[];
  /** Paragraphs, wrapped by the help. */
  readonly about: readonly string[];
  readonly options: OptionDefinitions;
  /** How many words it takes beside its options. */
  readonly wordsMax: number;
  /** Words that begin with one dash are words (`ctl c -1` is answered by the fault language). */
  readonly dashesAreWords?: boolean;
  /** Whether `--` and what follows is taken. */
  readonly takesRest?: boolean;
  /** Tables between the text and the options: a title, and rows of what is typed and what it does. */
  readonly tables?: readonly (readonly [title: string, rows: readonly (readonly [string, string])[]])[];
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly exitCodes: readonly (readonly [code: string, when: string])[];
  /** Gives the exit code. */
  readonly run: (call: Call) => Promise<number>;
};
