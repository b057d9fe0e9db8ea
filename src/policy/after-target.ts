import type { CooldownReason } from "../core/cooldown.ts";
import type { Failure } from "../core/failure.ts";
import type { Route } from "../core/route.ts";

/** What becomes of a request whose target has failed for good. */
export type AfterTarget =
  /** The next target is asked. */
  | "next"
  /** The next one whose context window is larger. */
  | "larger"
  /** The failure is the request's own; its answer goes to the client. */
  | "stop";

export type FailedTarget = {
  readonly failure: Failure;
  /** Of its answer; undefined: there was none. */
  readonly status: number | undefined;
  /** Was it the first that was asked? */
  readonly isFirst: boolean;
};

/** A model or a method that the target does not have, or not for this account, another may have. */
const UNKNOWN_THERE: ReadonlySet<number> = new Set([403, 404, 405, 410, 415, 501]);

/**
 * Whether another target may do better. A request that the first target finds wrong is wrong; what only a later one finds wrong (a beginning of
 * the answer that it does not go on behind, a parameter that it does not know) is that one's peculiarity.
 */
export function afterTarget(
  { failure, status, isFirst }: FailedTarget,
  { passesContentFilter }: Pick<Route, "passesContentFilter">,
): AfterTarget {
  switch (failure.class) {
    case "context_window":
      return "larger";
    case "content_filter":
      return passesContentFilter ? "next" : "stop";
    case "client":
      return !isFirst || (status !== undefined && UNKNOWN_THERE.has(status)) ? "next" : "stop";
    case "degraded":
    case "global_rate_limit":
    case "local_rate_limit":
    case "quota":
    case "auth":
      return "next";
  }
}

/** Credit that is used up comes back in hours rather than in minutes; a target that says nothing of it is asked again sooner. */
const QUOTA_COOLDOWN_MS = 10 * 60_000;

/**
 * For how long a target that failed so is left alone; undefined: not at all. What a provider says of itself is believed up to the route's
 * maximum: reset times of days have kept gateways away from targets that worked again within the hour.
 */
export function cooldownOf(
  { class: reason, retryAfterMs }: Failure,
  status: number | undefined,
  { cooldownMs, cooldownMsMax }: Pick<Route, "cooldownMs" | "cooldownMsMax">,
): { readonly reason: CooldownReason; readonly ms: number } | undefined {
  const atMost = (ms: number) => Math.min(ms, cooldownMsMax);
  switch (reason) {
    case "global_rate_limit":
    case "local_rate_limit":
      return { reason, ms: atMost(retryAfterMs ?? cooldownMs) };
    case "quota":
      return { reason, ms: atMost(retryAfterMs ?? Math.max(cooldownMs, QUOTA_COOLDOWN_MS)) };
    case "auth":
      // Another credential ends it: that has a cooldown of its own. What is forbidden may be this one request's matter.
      return { reason, ms: status === 403 ? atMost(cooldownMs) : cooldownMsMax };
    default:
      return undefined;
  }
}
