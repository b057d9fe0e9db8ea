import type { Identified, OpenResponse, RequestFacts } from "../core/exchange.ts";
import type { Gateway } from "../core/gateway.ts";
import type { HeaderList } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import type { ErrorFacts } from "../core/provider.ts";
import { randomStream } from "../core/random.ts";
import type { BreakerVerdict, Caller, LimitRefusal, LimitVerdict } from "../core/state-store.ts";
import { named } from "../core/visible-name.ts";
import { entryFor } from "../faults/helpers/http-error.ts";
import { PROVIDERS } from "../providers/index.ts";
import { callerOf } from "./helpers/caller.ts";
import { dated } from "./helpers/dated.ts";
import { errorContext } from "./helpers/error-context.ts";
import { Governed } from "./helpers/governed.ts";

export type Admitted = {
  readonly governed: Governed;
  /** Undefined: the request may go on. */
  readonly refusal: OpenResponse | undefined;
  /** What the circuit says; undefined: there is none, or the request was refused. */
  readonly circuit: BreakerVerdict | undefined;
};

/**
 * Holds the request against its limits, and takes from them what it will use. The circuit is asked at the same time: a shared store is one
 * round trip away. `isRouted`: each target of its route has a circuit of its own, and is asked for it in its turn.
 */
export function admit(
  exchange: Identified,
  facts: RequestFacts,
  bodyBytes: number,
  gateway: Gateway,
  isRouted: boolean,
  ports: Ports,
): Admitted | Promise<Admitted> {
  const caller = callerOf(exchange, facts, ports.access.isKey !== undefined, gateway);
  const { provider, model } = caller;
  const limits = gateway.limitsOf(caller);
  const tokens = limits.length === 0 ? 0 : gateway.estimate({ provider, characters: facts.inputCharacters, bodyBytes });
  const reserving = limits.length === 0 ? undefined : gateway.store.reserve(limits, tokens);
  const admitting = gateway.breaker === undefined || isRouted ? undefined : gateway.store.admit({ provider, model });
  // A state in memory answers at once.
  if (!(reserving instanceof Promise) && !(admitting instanceof Promise))
    return admitted(exchange, facts, caller, reserving, admitting, gateway, ports);
  return admittedLater(exchange, facts, caller, Promise.all([reserving, admitting]), gateway, ports);
}

async function admittedLater(
  exchange: Identified,
  facts: RequestFacts,
  caller: Caller,
  asking: Promise<[LimitVerdict | undefined, BreakerVerdict | undefined]>,
  gateway: Gateway,
  ports: Ports,
): Promise<Admitted> {
  const [verdict, circuit] = await asking;
  return admitted(exchange, facts, caller, verdict, circuit, gateway, ports);
}

function admitted(
  exchange: Identified,
  facts: RequestFacts,
  caller: Caller,
  verdict: LimitVerdict | undefined,
  circuit: BreakerVerdict | undefined,
  gateway: Gateway,
  ports: Ports,
): Admitted {
  const reservation = verdict?.kind === "reserved" ? verdict.reservation : undefined;
  const governed = new Governed(gateway, caller, facts.stream, reservation, circuit?.ticket);
  if (verdict?.kind !== "refused") return { governed, refusal: undefined, circuit };
  governed.observed.refusedBy = verdict.limit;
  return { governed, refusal: limitRefusal(exchange, facts, verdict, ports), circuit: undefined };
}

/** The provider's own rate limit, so that its SDKs know it, with true numbers. */
function limitRefusal(
  exchange: Identified,
  facts: RequestFacts,
  { limit, remaining, retryAfterMs }: LimitRefusal,
  ports: Ports,
): OpenResponse {
  const { scope, member, metric, window } = limit;
  const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const whose = scope === "global" ? "of all clients together" : `of ${scope} ${member}`;
  const message = `faultproxy: rate limit reached: ${limit.limit} ${metric} per ${window} ${whose}. Please try again in ${retryAfterSeconds} s.`;
  const provider = PROVIDERS[exchange.provider];
  // Where a provider has a form for each metric, they are called so.
  const entry = entryFor(provider.errors.rate_limit, metric, exchange.dialect);
  const context = errorContext(exchange, facts, randomStream(ports.seed, `limit/${exchange.id}`), ports.clock.wallMs());
  const told: ErrorFacts = { ...context, retryAfterSeconds, status: 429, message };
  const content = entry.body(told);
  const headers: HeaderList = [
    ["content-type", "application/json"],
    ["x-faultproxy-error", "rate_limited"],
    ["Retry-After", String(retryAfterSeconds)],
    ["X-RateLimit-Limit", String(limit.limit)],
    ["X-RateLimit-Remaining", String(remaining)],
    ["X-RateLimit-Reset", String(retryAfterSeconds)],
    ["X-RateLimit-Reason", `${window === "day" ? "daily" : window} limit exceeded`],
    ["X-RateLimit-Metric", metric],
    ["X-RateLimit-Window", window],
    ["X-RateLimit-Scope", member === "" ? scope : `${scope}:${named(member)}`],
  ];
  const body = new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  return dated({ status: 429, reason: undefined, headers, body }, ports.clock.wallMs());
}
