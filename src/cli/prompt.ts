import { clearLine, createInterface, cursorTo, type Interface } from "node:readline";
import { FAULTS } from "../faults/index.ts";
import { WORD_COMMANDS } from "../rules/language.ts";
import { keepBelow, printOut } from "./print.ts";
import type { RunningProxy } from "./proxy.ts";

export type Performed = "done" | "quit";

/** What can be typed, but for the letters. */
const WORDS = [...FAULTS.map(({ name }) => name), ...WORD_COMMANDS].filter(({ length }) => length > 1);

/** A line to type on, with editing, history and completion. What is printed meanwhile goes above it. Its end quits. */
export function openPrompt(take: (line: string) => Performed, proxy: RunningProxy): void {
  const { stdin, stdout } = process;
  const line = createInterface({ input: stdin, output: stdout, prompt: "Enter command: ", completer: completed });
  const ask = () => {
    printOut("\n");
    line.prompt();
    // Where the prompt stands in a file, nothing stands below it.
    if (!stdout.isTTY) return;
    keepBelow({
      hide() {
        clearLine(stdout, 0);
        cursorTo(stdout, 0);
      },
      show: () => line.prompt(true),
    });
  };
  line.on("line", (text) => {
    keepBelow(undefined);
    if (take(text) === "quit") close(line);
    else ask();
  });
  line.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  line.on("close", () => {
    keepBelow(undefined);
    printOut("\n");
    proxy.stop();
  });
  void proxy.stopped.then(() => close(line));
  ask();
}

/** A terminal that was closed can no longer be given back as it was. */
function close(line: Interface): void {
  try {
    line.close();
  } catch {
    // Nobody looks at it any more.
  }
}

/** The last word, where it is the name of a fault or a command. */
function completed(text: string): [string[], string] {
  const word = /\S*$/.exec(text)?.[0] ?? "";
  const found = WORDS.filter((name) => name.startsWith(word.toLowerCase()));
  return [found.length === 1 ? found.map((name) => `${name} `) : found, word];
}
