import type { Clock } from "../../core/clock.ts";
import type { StateStore, StoreEvent } from "../../core/state-store.ts";
import type { BreakerSettings } from "../../policy/breaker.ts";
import { createMemoryBreakers } from "./memory-breakers.ts";
import { createMemoryLimits } from "./memory-limits.ts";

export type StateStoreOptions = {
  /** Of a store that is shared; undefined: in memory. */
  readonly url: string | undefined;
  readonly prefix: string;
  readonly breaker: BreakerSettings;
  readonly providerOpenModels: () => number;
  readonly clock: Clock;
  readonly tell: (event: StoreEvent) => void;
};

export function createStateStore({ breaker, providerOpenModels, clock, tell }: StateStoreOptions): StateStore {
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
