import type { Clock } from "../../core/clock.ts";
import type { StateStore, StoreEvent } from "../../core/state-store.ts";
import type { BreakerSettings } from "../../policy/breaker.ts";
import { createMemoryStore } from "./memory-store.ts";
import { createRedisStore } from "./redis-store.ts";

export type StateStoreOptions = {
  /** Of a store that is shared; undefined: in memory. */
  readonly url: string | undefined;
  readonly prefix: string;
  readonly breaker: BreakerSettings;
  readonly providerOpenModels: () => number;
  readonly clock: Clock;
  readonly tell: (event: StoreEvent) => void;
};

export function createStateStore(options: StateStoreOptions): StateStore {
  return options.url === undefined ? createMemoryStore(options) : createRedisStore(options.url, options);
}
