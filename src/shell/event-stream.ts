import type { FaultproxyEvent } from "../core/event.ts";
import type { EventLog } from "./event-log.ts";

/** Events that wait for a slow reader; at some hundred bytes each, a few megabytes. */
const EVENTS_WAITING_MAX = 10_000;

/** Lines that go out in one write. */
const LINES_A_WRITE_MAX = 500;

/**
 * The kept events, then, after a line `{"type":"following"}`, live ones until the reader leaves or it is over, as JSON lines. What a
 * reader is too slow for is dropped and counted in a line `{"type":"dropped","count":N}` at the place where it is missing.
 */
export function eventStream(
  events: EventLog,
  follow: boolean,
  over: AbortSignal,
  waitingMax: number = EVENTS_WAITING_MAX,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let waiting: FaultproxyEvent[] = [...events.kept()];
  let dropped = 0;
  // Told once, so that a reader has the head of the response and knows that it will miss nothing from here on.
  let untold = follow;
  let wake: (() => void) | undefined;
  const end = () => {
    unsubscribe();
    wake?.();
  };
  over.addEventListener("abort", end, { once: true });
  const unsubscribe = follow
    ? events.subscribe((event) => {
        if (waiting.length >= waitingMax) dropped++;
        else waiting.push(event);
        wake?.();
      })
    : () => {};

  const next = (): string => {
    const now = waiting.slice(0, LINES_A_WRITE_MAX);
    waiting = waiting.slice(LINES_A_WRITE_MAX);
    let lines = now.map((event) => `${JSON.stringify(event)}\n`).join("");
    if (untold && waiting.length === 0) {
      lines += `${JSON.stringify({ type: "following" })}\n`;
      untold = false;
    }
    if (dropped === 0 || waiting.length > 0) return lines;
    const count = dropped;
    dropped = 0;
    return `${lines}${JSON.stringify({ type: "dropped", count })}\n`;
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (waiting.length === 0 && follow && !untold && !over.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = undefined;
        }
        const lines = next();
        if (lines !== "") controller.enqueue(encoder.encode(lines));
        if ((!follow || over.aborted) && waiting.length === 0) controller.close();
      },
      cancel() {
        over.removeEventListener("abort", end);
        end();
      },
    },
    { highWaterMark: 0 },
  );
}
