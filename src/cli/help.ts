import type { CliCommand, OptionDefinition } from "./command.ts";
import type { Style } from "./print.ts";

const COLUMNS = 100;

/** The help of one command: usage, what it does, options, examples, exit codes. */
export function commandHelp(command: CliCommand, { bold }: Style): string {
  const { name, usage, about, tables = [], options, examples, exitCodes } = command;
  const optionRows = [...Object.entries(options).map(([option, definition]) => optionRow(option, definition)), HELP_ROW];
  return [
    ...usage.map((line, index) => `${index === 0 ? bold("Usage:") : "      "} faultproxy ${name}${line === "" ? "" : ` ${line}`}`),
    "",
    ...about.flatMap((paragraph) => [...wrapped(paragraph, 0), ""]),
    ...tables.flatMap(([title, rows]) => [bold(`${title}:`), ...table(rows), ""]),
    bold("Options:"),
    ...table(optionRows),
    "",
    ...(examples.length === 0 ? [] : [bold("Examples:"), ...examples.flatMap(([line, what]) => [`  ${line}`, ...wrapped(what, 6)]), ""]),
    bold("Exit codes:"),
    ...table(exitCodes),
    "",
  ].join("\n");
}

const HELP_ROW = ["-h, --help", "this text"] as const;

function optionRow(name: string, definition: OptionDefinition): readonly [string, string] {
  if (definition.type === "boolean" && definition.default === true) return [`--no-${name}`, definition.negativeDescription ?? ""];
  const alias = definition.alias === undefined ? "" : `-${[definition.alias].flat()[0]}, `;
  const hint = definition.type === "boolean" ? "" : ` ${definition.valueHint ?? "VALUE"}`;
  return [`${alias}--${name}${hint}`, definition.description ?? ""];
}

/** Rows of two columns; the second is wrapped. */
export function table(rows: readonly (readonly [string, string])[], indent = 2): readonly string[] {
  const fits = rows.map(([left]) => left.length).filter((length) => length <= 28);
  const at = indent + Math.max(0, ...fits) + 2;
  return rows.flatMap(([left, right]) => {
    const lines = wrapped(right, at);
    const first = " ".repeat(indent) + left;
    if (first.length + 2 > at) return [first, ...lines];
    return [(first.padEnd(at) + (lines[0] ?? "").slice(at)).trimEnd(), ...lines.slice(1)];
  });
}

/** Lines of at most COLUMNS characters, indented. A word that is too long for a line, such as a path, is broken behind a slash. */
export function wrapped(text: string, indent: number): readonly string[] {
  const room = COLUMNS - indent;
  const lines: string[] = [];
  let line = "";
  for (const [index, word] of text.split(" ").entries()) {
    const parts = word.length > room ? word.split(/(?<=\/)/) : [word];
    for (const [part, piece] of parts.entries()) {
      const space = part === 0 && index > 0 && line !== "" ? " " : "";
      if (line !== "" && line.length + space.length + piece.length > room) {
        lines.push(line);
        line = piece;
      } else {
        line += space + piece;
      }
    }
  }
  if (line !== "") lines.push(line);
  return lines.map((each) => " ".repeat(indent) + each);
}
