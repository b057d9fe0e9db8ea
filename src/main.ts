import { basename } from "node:path";
import { readCall } from "./cli/arguments.ts";
import { EXIT } from "./cli/exit-code.ts";
import { commandHelp } from "./cli/help.ts";
import { commandNamed, programHelp } from "./cli/help-command.ts";
import { message } from "./cli/message.ts";
import { printError, printed, printOut, styleFor } from "./cli/print.ts";
import { BUILD_INFO } from "./config/build-info.ts";
import { isInputError } from "./core/errors.ts";

/** What was typed, to the exit code. */
async function main(typed: readonly string[]): Promise<number> {
  const [name, ...rest] = typed;
  if (name === undefined) {
    printError(programHelp());
    return EXIT.usage;
  }
  if (name === "--help" || name === "-h") {
    printOut(programHelp());
    return EXIT.ok;
  }
  if (name === "--version" || name === "-V") {
    printOut(`faultproxy ${BUILD_INFO.version}\n`);
    return EXIT.ok;
  }
  const command = await commandNamed(name);
  if (isInputError(command)) return refuse(command.message);
  const ownWords = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (ownWords.includes("--help") || ownWords.includes("-h")) {
    printOut(commandHelp(command, styleFor(process.stdout)));
    return EXIT.ok;
  }
  const call = readCall(command, rest);
  return isInputError(call) ? refuse(call.message) : command.run(call);
}

function refuse(mistake: string): number {
  message.error(mistake);
  return EXIT.usage;
}

function calledAsFaultctl(): boolean {
  return /^faultctl(\.exe)?$/i.test(basename(process.argv0));
}

async function exitCode(): Promise<number> {
  const typed = process.argv.slice(2);
  try {
    return await main(calledAsFaultctl() ? ["ctl", ...typed] : typed);
  } catch (error) {
    return unexpected(error);
  }
}

/** A bug: one line for the report, no stack. */
function unexpected(error: unknown): number {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  message.error(`unexpected: ${what.split("\n")[0]}. This is a bug in faultproxy; please report it`);
  return EXIT.bug;
}

process.exitCode = await exitCode();
await printed();
process.exit();
