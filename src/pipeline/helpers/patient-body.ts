import type { Clock } from "../../core/clock.ts";
import type { Chunks } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import { Alarm } from "./alarm.ts";

const SPACE = 0x20;

/**
 * A body whose pieces must come in time: each within `idleMs` (0 = no limit), and all before `dueMs` (monotonic). White space is no piece: it
 * keeps connections alive. Throws `TooSlow` where they do not come.
 */
export function patientBody(source: Chunks, idleMs: number, dueMs: number, clock: Clock, gone: Gone): Chunks {
  if (source.atHand !== undefined) return source;
  // A body that nobody reads here leaves nothing behind.
  let alarm: Alarm | undefined;
  let pieceDueMs = 0;
  let hasProgress = true;
  return {
    ...(source.isSelfDelimited === undefined ? {} : { isSelfDelimited: source.isSelfDelimited }),
    async read() {
      alarm ??= new Alarm(clock, gone);
      if (hasProgress) pieceDueMs = idleMs === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + idleMs;
      alarm.set(Math.min(pieceDueMs, dueMs));
      try {
        const chunk = await alarm.guard(source.read());
        if (chunk === undefined) alarm.stop();
        else hasProgress = chunk.some((byte) => byte > SPACE);
        return chunk;
      } catch (error) {
        alarm.stop();
        source.cancel();
        throw error;
      }
    },
    cancel() {
      alarm?.stop();
      source.cancel();
    },
  };
}
