import type { Clock } from "../../core/clock.ts";
import type { StateStore, StoreEvent } from "../../core/state-store.ts";
import type { BreakerSettings } from "../../policy/breaker.ts";
import { createMemoryLimits } from "./memory-limits.ts";

export type StateStoreOptions = {
  readonly url: string | undefined;
  readonly prefix: string;
  readonly breaker: BreakerSettings;
  readonly providerOpenModels: () => number;
  readonly clock: Clock;
  readonly tell: (event: StoreEvent) => void;
};

export function createStateStore({ clock }: StateStoreOptions): StateStore {
  const limits = createMemoryLimits(clock.monotonicMs);
  return {
    reserve: limits.reserve,
    reconcile: limits.reconcile,
    giveBack: limits.giveBack,
    admit: (key) => ({ kind: "pass", ticket: { key, generation: 0, isProbe: false } }),
    settle: (ticket) => ticket,
    breakers: async () => [],
    resetBreaker: async () => 0,
    openBreaker: async () => {},
    health: () => ({ kind: "memory", isUp: true, instances: 1, detail: undefined }),
    close() {},
  };
}
