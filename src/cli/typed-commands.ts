import { isInputError } from "../core/errors.ts";
import { COMMAND_CHARACTERS_MAX } from "../core/limits.ts";
import { rulesStatus } from "../shell/status.ts";
import { rulesTable, statusBox } from "./boxes.ts";
import { printOut } from "./print.ts";
import type { RunningProxy } from "./proxy.ts";

const PROMPT = "Enter command: ";

/** Reads commands from standard input, a line each, until it ends. The end quits only where a person typed it. */
export function readTypedCommands(proxy: RunningProxy): void {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  const prompt = () => {
    if (isTerminal) printOut(`\n${PROMPT}`);
  };
  let unfinished = "";
  stdin.setEncoding("utf8");
  stdin.on("data", (text: string) => {
    const lines = (unfinished + text).split(/\r?\n/);
    // A line without an end must not grow for ever; one character too many is enough for the message.
    unfinished = (lines.pop() ?? "").slice(0, COMMAND_CHARACTERS_MAX + 1);
    for (const line of lines) {
      perform(line.trim(), proxy);
      prompt();
    }
  });
  stdin.on("end", () => {
    if (unfinished.trim() !== "") perform(unfinished.trim(), proxy);
    if (!isTerminal) return;
    printOut("\n");
    proxy.stop();
  });
  // A standard input that cannot be read, as of a process without a terminal, is as good as none.
  stdin.on("error", () => {});
  prompt();
}

function perform(line: string, proxy: RunningProxy): void {
  if (line === "") {
    printOut(statusBox(proxy.status()));
    return;
  }
  const result = proxy.daemon.command(line);
  if (isInputError(result)) printOut(`❌ ${result.message}\n`);
  else if (result.command.kind === "list") printOut(rulesTable(rulesStatus(result.rules)));
  else if (result.command.kind === "quit") proxy.stop();
  else printOut(statusBox(proxy.status()));
}
