import { parseArgs } from "citty";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { Call, CliCommand, OptionDefinition } from "./command.ts";

type Typed = { readonly tidy: readonly string[]; readonly words: readonly string[]; readonly rest: readonly string[] | undefined };

/** Reads what was typed after the command's name. citty would pass over unknown options and missing values. */
export function readCall(command: CliCommand, raw: readonly string[]): Call | InputError {
  const typed = sortOut(command, raw);
  if (isInputError(typed)) return typed;
  const { tidy, words, rest } = typed;
  const extra = words[command.wordsMax];
  if (extra !== undefined && command.takesRest && rest === undefined)
    return inputError(`the command goes behind --: faultproxy ${command.name} [OPTIONS] -- ${extra} …${helpHint(command)}`);
  if (extra !== undefined) return inputError(`"${extra}" is too much for ${command.name}${helpHint(command)}`);
  if (rest !== undefined && command.takesRest !== true) return inputError(`${command.name} takes nothing after --${helpHint(command)}`);
  const { _, ...options } = parseArgs([...tidy], command.options);
  return { options: options as Call["options"], words, rest };
}

/** Sorts what was typed into options (as `--name=value`, `--name` or `--no-name`), words, and what follows `--`. */
function sortOut(command: CliCommand, raw: readonly string[]): Typed | InputError {
  const tidy: string[] = [];
  const words: string[] = [];
  const repeated = new Map<string, string[]>();
  for (let i = 0; i < raw.length; i++) {
    const word = raw[i] ?? "";
    if (word === "--") return { tidy: [...tidy, ...joined(repeated)], words, rest: raw.slice(i + 1) };
    if (!isOption(word, command)) {
      words.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    const found = optionNamed(command, flag);
    if (isInputError(found)) return found;
    const { name, definition, isOff } = found;
    if (definition.type === "boolean") {
      if (equals >= 0) return inputError(`${flag} takes no value${helpHint(command)}`);
      tidy.push(isOff ? `--no-${name}` : `--${name}`);
      continue;
    }
    const value = equals < 0 ? raw[++i] : word.slice(equals + 1);
    if (value === undefined || (value === "" && definition.mayBeEmpty !== true) || (equals < 0 && value === "--")) {
      return inputError(`${flag} needs a value: ${flag} ${definition.valueHint ?? "VALUE"}${helpHint(command)}`);
    }
    if (definition.repeatable) repeated.set(name, [...(repeated.get(name) ?? []), value]);
    else tidy.push(`--${name}=${value}`);
  }
  return { tidy: [...tidy, ...joined(repeated)], words, rest: undefined };
}

function joined(repeated: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return [...repeated].map(([name, values]) => `--${name}=${values.join(",")}`);
}

function isOption(word: string, command: CliCommand): boolean {
  if (word.startsWith("--")) return true;
  return !command.dashesAreWords && word.startsWith("-") && word !== "-";
}

function optionNamed(
  command: CliCommand,
  flag: string,
): { readonly name: string; readonly definition: OptionDefinition; readonly isOff: boolean } | InputError {
  for (const [name, definition] of Object.entries(command.options)) {
    if (definitionFlags(name, definition).includes(flag)) return { name, definition, isOff: flag === `--no-${name}` };
  }
  const known = Object.entries(command.options).flatMap(([name, definition]) => definitionFlags(name, definition));
  const meant = didYouMean(
    flag.replace(/^-+/, "--"),
    known.filter((candidate) => candidate.startsWith("--")),
  );
  return inputError(`unknown option ${flag} for ${command.name}${meant}${helpHint(command)}`);
}

/** The ways to type an option. */
export function definitionFlags(name: string, definition: OptionDefinition): readonly string[] {
  const aliases = definition.alias === undefined ? [] : [definition.alias].flat();
  const off = definition.type === "boolean" && definition.default === true ? [`--no-${name}`] : [];
  return [...off, `--${name}`, ...aliases.map((alias) => `-${alias}`)];
}

function helpHint(command: CliCommand): string {
  return ` (faultproxy ${command.name} --help lists all)`;
}
