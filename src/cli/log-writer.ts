import type { EventLog } from "../shell/event-log.ts";
import type { LogLine } from "../shell/log-lines.ts";
import { printError } from "./print.ts";

/** At tens of thousands of requests a second, a write for each line would cost more than the requests. */
const BATCH_MS = 16;

/** Characters that wait for a reader of standard error who does not read; more are dropped, because requests must not wait for it. */
const UNWRITTEN_CHARACTERS_MAX = 4 * 1024 * 1024;

/** Prints a line for each event, many in one write. Gives the function that prints what is left and ends it. */
export function writeLog(events: EventLog, line: LogLine): () => void {
  let lines: string[] = [];
  let unwritten = 0;
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    if (lines.length === 0) return;
    const text = `${lines.join("\n")}\n`;
    lines = [];
    if (unwritten > UNWRITTEN_CHARACTERS_MAX) {
      dropped += text.split("\n").length - 1;
      return;
    }
    const note = dropped === 0 ? "" : `faultproxy: warning: ${dropped} log lines were dropped, nobody read them\n`;
    dropped = 0;
    unwritten += text.length;
    printError(note + text, () => {
      unwritten -= text.length;
    });
  };
  const unsubscribe = events.subscribe((event) => {
    const text = line(event);
    if (text === undefined) return;
    lines.push(text);
    timer ??= setTimeout(flush, BATCH_MS);
  });
  return () => {
    unsubscribe();
    clearTimeout(timer);
    flush();
  };
}
