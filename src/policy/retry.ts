import type { Failure } from "../core/failure.ts";
import type { RetryManner } from "../core/gateway.ts";

export type RetrySettings = Omit<RetryManner, "bodyBytesMax">;

/** The retries that one request has had on one target. */
export type RetryState = { readonly transient: number; readonly rateLimit: number };

export const NO_RETRIES: RetryState = { transient: 0, rateLimit: 0 };

export type RetryStop =
  /** Another attempt would end the same way: quota, auth, the client's mistakes, or a target that says so. */
  | "useless"
  /** The target gave nothing within its time. */
  | "silent"
  /** All retries are used up. */
  | "exhausted"
  /** The target asks for more than `retryAfterMaxMs`. */
  | "retry_after_too_long";

export type RetryDecision =
  | { readonly kind: "retry"; readonly waitMs: number; readonly state: RetryState }
  | { readonly kind: "stop"; readonly reason: RetryStop };

/** Keeps the doubling in bounds where somebody sets many retries. */
export const BACKOFF_MS_MAX = 60_000;

/** What to do after an attempt that failed. `random` is a draw in [0, 1). */
export function afterFailure(state: RetryState, failure: Failure, settings: RetrySettings, random: number): RetryDecision {
  if (failure.isSilent) return stop("silent");
  if (failure.isFinal === true) return stop("useless");
  switch (failure.class) {
    case "degraded":
      return afterDegraded(state, failure, settings, random);
    case "global_rate_limit":
    case "local_rate_limit":
      return afterRateLimit(state, failure, settings, random);
    case "quota":
    case "auth":
    case "context_window":
    case "content_filter":
    case "client":
      return stop("useless");
  }
}

/** A 503 can name its time as well; it lengthens the wait, but a target that is down for an hour may be up again before. */
function afterDegraded(state: RetryState, { retryAfterMs = 0 }: Failure, settings: RetrySettings, random: number): RetryDecision {
  if (state.transient >= settings.maxTransientRetries) return stop("exhausted");
  const waitMs = Math.max(backoffMs(settings.transientDelayMs, state.transient, random), Math.min(retryAfterMs, settings.retryAfterMaxMs));
  return { kind: "retry", waitMs, state: { ...state, transient: state.transient + 1 } };
}

function afterRateLimit(state: RetryState, { retryAfterMs }: Failure, settings: RetrySettings, random: number): RetryDecision {
  if (state.rateLimit >= settings.maxRateLimitRetries) return stop("exhausted");
  if (retryAfterMs !== undefined && retryAfterMs > settings.retryAfterMaxMs) return stop("retry_after_too_long");
  const waitMs = retryAfterMs ?? backoffMs(settings.rateLimitDelayMs, state.rateLimit, random);
  return { kind: "retry", waitMs, state: { ...state, rateLimit: state.rateLimit + 1 } };
}

/** Twice as long each time, and up to half of it more, so that clients that failed together do not come back together. */
function backoffMs(delayMs: number, retries: number, random: number): number {
  const waitMs = Math.min(delayMs * 2 ** retries, BACKOFF_MS_MAX);
  return waitMs + (random * waitMs) / 2;
}

function stop(reason: RetryStop): RetryDecision {
  return { kind: "stop", reason };
}
