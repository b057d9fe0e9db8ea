import type { Clock } from "../../core/clock.ts";
import type { Chunks } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import { Alarm } from "./alarm.ts";

/** A body whose pieces must come in time: each within `idleMs` (0 = no limit), and all before `dueMs` (monotonic). Throws `TooSlow` where they do not. */
export function patientBody(source: Chunks, idleMs: number, dueMs: number, clock: Clock, gone: Gone): Chunks {
  if (source.atHand !== undefined) return source;
  const alarm = new Alarm(clock, gone);
  return {
    ...(source.isSelfDelimited === undefined ? {} : { isSelfDelimited: source.isSelfDelimited }),
    async read() {
      alarm.set(Math.min(idleMs === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + idleMs, dueMs));
      try {
        const chunk = await alarm.guard(source.read());
        if (chunk === undefined) alarm.stop();
        return chunk;
      } catch (error) {
        alarm.stop();
        source.cancel();
        throw error;
      }
    },
    cancel() {
      alarm.stop();
      source.cancel();
    },
  };
}
