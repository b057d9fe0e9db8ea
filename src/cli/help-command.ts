import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { CliCommand } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT } from "./exit-code.ts";
import { commandHelp, table } from "./help.ts";
import { message } from "./message.ts";
import { printOut, styleFor } from "./print.ts";

export const HELP: CliCommand = {
  name: "help",
  usage: ["[COMMAND]"],
  about: ["Prints what the program does, or the help of one command."],
  options: {},
  wordsMax: 1,
  examples: [["faultproxy help serve", "all options of the proxy"]],
  exitCodes: [
    ["0", "printed"],
    ["2", "there is no such command"],
  ],
  async run({ words }) {
    const [name] = words;
    if (name === undefined) {
      printOut(programHelp());
      return EXIT.ok;
    }
    const command = await commandNamed(name);
    if (isInputError(command)) {
      message.error(command.message);
      return EXIT.usage;
    }
    printOut(commandHelp(command, styleFor(process.stdout)));
    return EXIT.ok;
  },
};

/** The command of this name, or which it may have been meant to be. */
export async function commandNamed(name: string): Promise<CliCommand | InputError> {
  const found = COMMANDS.find((command) => command.name === name);
  if (found !== undefined) return found.load();
  const meant = didYouMean(
    name,
    COMMANDS.map((command) => command.name),
  );
  return inputError(`unknown command "${name}"${meant} (faultproxy help lists all)`);
}

export function programHelp(): string {
  const { bold } = styleFor(process.stdout);
  return [
    `${bold("Usage:")} faultproxy COMMAND [OPTIONS]`,
    "",
    "A proxy between LLM clients and providers that answers, on command, exactly as each provider fails.",
    "Start it, point a client's base URL at it, type c 30% and watch how the client takes it.",
    "",
    bold("Commands:"),
    ...table(COMMANDS.map(({ name, summary }) => [name, summary] as const)),
    "",
    bold("Options:"),
    ...table([
      ["-h, --help", "this text; after a command, the help of that command"],
      ["-V, --version", "print the version"],
    ]),
    "",
    bold("Examples:"),
    ...table([
      ["faultproxy demo", "what it does, in a few seconds"],
      ["faultproxy serve --simulate", "try it without a key"],
      ['faultproxy run --mode "r 2" -- COMMAND', "the command's first two requests are rate limited"],
      ["faultproxy ctl c 30%", "in another terminal: context errors for 30% of requests"],
    ]),
    "",
    bold("Exit codes:"),
    ...table([
      ["0", "done"],
      ["1", "it failed"],
      ["2", "wrong usage or bad input"],
      ["3", "no daemon to talk to"],
    ]),
    "",
  ].join("\n");
}
