import type { Clock } from "../../core/clock.ts";
import type { Gone } from "../../core/gone.ts";

export type Deadline = {
  /** Aborts when the client has gone, and when the time is over before `stop`. */
  readonly signal: Gone;
  readonly isOver: () => boolean;
  /** It has been kept. */
  readonly stop: () => void;
};

/** The client's patience, cut short by a limit of our own. */
export function deadlineOf(clientGone: Gone, ms: number, clock: Clock): Deadline {
  const ours = new AbortController();
  const kept = new AbortController();
  let isOver = false;
  const abort = () => ours.abort();
  if (clientGone.aborted) abort();
  else clientGone.addEventListener("abort", abort);
  void clock.sleep(ms, kept.signal).then(() => {
    if (kept.signal.aborted || ours.signal.aborted) return;
    isOver = true;
    abort();
  });
  return { signal: ours.signal, isOver: () => isOver, stop: () => kept.abort() };
}
