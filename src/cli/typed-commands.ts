import { isInputError } from "../core/errors.ts";
import { COMMAND_CHARACTERS_MAX } from "../core/limits.ts";
import { rulesStatus } from "../shell/status.ts";
import { rulesTable, statusBox } from "./boxes.ts";
import { printOut } from "./print.ts";
import { openPrompt, type Performed } from "./prompt.ts";
import type { RunningProxy } from "./proxy.ts";

/** Reads commands from standard input, a line each, until it ends. The end quits only where a person typed it. */
export function readTypedCommands(proxy: RunningProxy): void {
  const take = (line: string) => perform(line.trim(), proxy);
  if (process.stdin.isTTY) openPrompt(take, proxy);
  else readLines(take);
}

function readLines(take: (line: string) => Performed): void {
  const { stdin } = process;
  let unfinished = "";
  stdin.setEncoding("utf8");
  stdin.on("data", (text: string) => {
    const lines = (unfinished + text).split(/\r?\n/);
    // A line without an end must not grow for ever; one character too many is enough for the message.
    unfinished = (lines.pop() ?? "").slice(0, COMMAND_CHARACTERS_MAX + 1);
    for (const line of lines) take(line);
  });
  stdin.on("end", () => {
    if (unfinished.trim() !== "") take(unfinished);
  });
  // A standard input that cannot be read, as of a process without a terminal, is as good as none.
  stdin.on("error", () => {});
}

function perform(line: string, proxy: RunningProxy): Performed {
  if (line === "") {
    printOut(statusBox(proxy.status()));
    return "done";
  }
  const result = proxy.daemon.command(line);
  if (isInputError(result)) printOut(`❌ ${result.message}\n`);
  else if (result.command.kind === "list") printOut(rulesTable(rulesStatus(result.rules)));
  else if (result.command.kind === "reload") proxy.reload();
  else if (result.command.kind === "quit") {
    proxy.stop();
    return "quit";
  } else printOut(statusBox(proxy.status()));
  return "done";
}
