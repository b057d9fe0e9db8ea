import type { BreakerKey } from "../../src/core/state-store.ts";
import type { Circuit } from "../../src/policy/breaker.ts";

/**
 * Until when a whole provider is refused: while cooldowns run on `openModels` of its models, and then until the soonest
 * of them ends. 0 is never. Circuits that are due or being probed do not count: nobody may come for those models again,
 * and the others would stay refused.
 */
export function providerOpenUntilMs(
  circuits: Iterable<{ readonly key: BreakerKey; readonly circuit: Circuit }>,
  nowMs: number,
  openModels: number,
): number | undefined {
  const untilsMs: number[] = [];
  for (const { key, circuit } of circuits) {
    const { phase } = circuit;
    if (key.model !== undefined && phase.kind === "open" && nowMs < phase.untilMs) untilsMs.push(phase.untilMs);
  }
  return openModels > 0 && untilsMs.length >= openModels ? Math.min(...untilsMs) : undefined;
}
