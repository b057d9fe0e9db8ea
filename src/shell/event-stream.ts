import type { FaultproxyEvent } from "../core/event.ts";
import type { EventLog } from "./event-log.ts";

/** Events that wait for a slow reader; at some hundred bytes each, a few megabytes. */
const EVENTS_WAITING_MAX = 10_000;

/** Lines that go out in one write. */
const LINES_A_WRITE_MAX = 500;

type Line = FaultproxyEvent | { readonly type: "following" } | { readonly type: "dropped"; readonly count: number };

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
  // Following is told, so that a reader has the head of the response and knows that it misses nothing from here on.
  let waiting: Line[] = follow ? [...events.kept(), { type: "following" }] : [...events.kept()];
  let wake = () => {};
  const add = (event: FaultproxyEvent) => {
    const last = waiting.at(-1);
    if (waiting.length < waitingMax) waiting.push(event);
    else if (last?.type === "dropped") waiting[waiting.length - 1] = { type: "dropped", count: last.count + 1 };
    else waiting.push({ type: "dropped", count: 1 });
    wake();
  };
  const unsubscribe = follow ? events.subscribe(add) : () => {};
  const end = () => {
    over.removeEventListener("abort", end);
    unsubscribe();
    wake();
  };
  if (follow) over.addEventListener("abort", end);

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (waiting.length === 0 && follow && !over.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const now = waiting.slice(0, LINES_A_WRITE_MAX);
        waiting = waiting.slice(LINES_A_WRITE_MAX);
        if (now.length > 0) controller.enqueue(encoder.encode(now.map((line) => `${JSON.stringify(line)}\n`).join("")));
        if ((!follow || over.aborted) && waiting.length === 0) controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
