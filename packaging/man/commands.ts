/** What the pages say of commands, from the tables by which they read their options and print their help. */
import { definitionFlags } from "../../src/cli/arguments.ts";
import type { CliCommand, OptionDefinition } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { SETTING_OPTIONS } from "../../src/cli/options.ts";
import { argument, commandLine, paragraphs, prose, tagged, typed, usage } from "./mdoc.ts";

/** Commands with a page of their own, and others that are told of in faultproxy(1). */
export const COMMANDS_WITH_PAGE: readonly string[] = ["serve", "ctl", "run", "cost", "estimate", "credentials"];

export async function commandNamed(name: string): Promise<CliCommand> {
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return command.load();
}

/** All ways to type the command. */
export function synopsis({ name, usage: ways }: CliCommand): readonly string[] {
  return ways.flatMap((way) => [`.Nm faultproxy ${name}`, ...(way === "" ? [] : [`.${usage(way)}`])]);
}

/** All options of a command, with the one that every command has. */
export function options({ options: definitions }: CliCommand): readonly string[] {
  return optionList(Object.entries(definitions), true);
}

function optionList(definitions: readonly (readonly [string, OptionDefinition])[], withHelp: boolean): readonly string[] {
  const items = definitions.map(([name, definition]) => {
    const [flag = ""] = definitionFlags(name, definition);
    const alias = definition.alias === undefined ? "" : `Fl ${[definition.alias].flat()[0]} , `;
    const value = definition.type === "boolean" ? "" : ` Ar ${argument(definition.valueHint ?? "VALUE")}`;
    const isOff = definition.type === "boolean" && definition.default === true;
    const text = (isOff ? definition.negativeDescription : definition.description) ?? "";
    return { head: `${alias}Fl ${typed(flag.slice(1))}${value}`, text: prose(text) };
  });
  return tagged([...items, ...(withHelp ? [{ head: "Fl h , Fl \\-help", text: ["this text"] }] : [])]);
}

export function exitCodes({ exitCodes: codes }: CliCommand): readonly string[] {
  return tagged(
    codes.map(([code, when]) => ({ head: code, text: prose(when) })),
    "126",
  );
}

export function examples({ examples: all }: CliCommand): readonly string[] {
  return all.flatMap(([command, what], index) => [
    ...(index === 0 ? [] : [".Pp"]),
    ...prose(`${what.slice(0, 1).toUpperCase()}${what.slice(1)}:`),
    commandLine(command),
  ]);
}

/** One of the tables that stand between the text of a command's help and its options. */
export function commandTable({ name, tables = [] }: CliCommand, title: string): readonly string[] {
  const rows = tables.find(([each]) => each === title)?.[1];
  if (rows === undefined) throw new Error(`${name} has no table ${title}`);
  return tagged(rows.map(([left, right]) => ({ head: usage(left), text: prose(right) })));
}

/** Every command with its summary, and with its page where it has one. */
export function commandList(): readonly string[] {
  return tagged(
    COMMANDS.map(({ name, summary }) => {
      const text = COMMANDS_WITH_PAGE.includes(name) ? [...prose(`${summary}; see`), `.Xr faultproxy-${name} 1`] : prose(summary);
      return { head: `Ic ${name}`, text };
    }),
    "version",
  );
}

/** All about a command that has no page of its own. */
export function wholeCommand(command: CliCommand): readonly string[] {
  const own = Object.entries(command.options).filter(([name, definition]) => SETTING_OPTIONS[name] !== definition);
  return [
    ".Bd -unfilled -offset indent -compact",
    ...command.usage.map((way) => `.Nm Ic ${command.name} ${usage(way)}`.trimEnd()),
    ".Ed",
    ".Pp",
    ...paragraphs(command.about),
    ...(own.length === 0 ? [] : [".Pp", "Its options are:", ...optionList(own, false)]),
    ".Pp",
    ...examples(command),
    ".Pp",
    "It exits with:",
    ...exitCodes(command),
  ];
}
