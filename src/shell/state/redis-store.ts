import type { StateStore } from "../../core/state-store.ts";
import { createRedisBreakers } from "./redis-breakers.ts";
import { createRedisConnection } from "./redis-connection.ts";
import { createRedisLimits } from "./redis-limits.ts";
import type { StateStoreOptions } from "./state-store.ts";

/** No decision waits longer for the server; a request must not notice that its limits are kept elsewhere. */
const ANSWER_MS_MAX = 25;

/** State that is shared by all instances with the same server and prefix. */
export function createRedisStore(url: string, { prefix, breaker, providerOpenModels, clock, tell }: StateStoreOptions): StateStore {
  const scripts = createRedisConnection({
    url,
    prefix,
    timeoutMs: ANSWER_MS_MAX,
    onChange: (isUp, detail) => tell({ kind: "store", isUp, detail }),
  });
  const limits = createRedisLimits({ scripts, monotonicMs: clock.monotonicMs, timeoutMs: ANSWER_MS_MAX });
  const breakers = createRedisBreakers({ ...clock, settings: breaker, providerOpenModels, tell, scripts });
  return {
    ...limits,
    ...breakers,
    health: () => ({ kind: "redis", isUp: scripts.isUp(), instances: scripts.instances().count, detail: scripts.detail() }),
    close: scripts.close,
  };
}
