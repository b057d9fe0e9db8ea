import type { StateStore } from "../../core/state-store.ts";
import { createMemoryBreakers } from "./memory-breakers.ts";
import { createMemoryLimits } from "./memory-limits.ts";
import type { StateStoreOptions } from "./state-store.ts";

/** The state of this process alone. */
export function createMemoryStore({ breaker, providerOpenModels, clock, tell }: StateStoreOptions): StateStore {
  const { reserve, reconcile, giveBack } = createMemoryLimits(clock.monotonicMs);
  const { admit, settle, breakers, resetBreaker, openBreaker } = createMemoryBreakers({
    ...clock,
    settings: breaker,
    providerOpenModels,
    tell,
  });
  return {
    reserve,
    reconcile,
    giveBack,
    admit,
    settle,
    breakers,
    resetBreaker,
    openBreaker,
    health: () => ({ kind: "memory", isUp: true, instances: 1, detail: undefined }),
    close() {},
  };
}
