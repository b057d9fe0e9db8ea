import type { BreakerOutcome, CircuitState } from "../../src/core/state-store.ts";
import { type BreakerSettings, PROBE_MS_MAX, PROBE_RETRY_AFTER_MS } from "../../src/policy/breaker.ts";

/** What a request carries: the stage of the story in which it began, and whether it is the probe. */
export type ModelTicket = { readonly stage: object; readonly isProbe: boolean };

type Happening = { readonly atMs: number; readonly what: "failure" | "limit" | "success" };

/**
 * A circuit as plain as it can be said: it forgets nothing and counts everything anew each time. Stages are objects
 * that are compared, not numbers that grow.
 */
export function createBreakerModel({ failureThreshold, windowMs, cooldownMs, escalationMs }: BreakerSettings) {
  let story: Happening[] = [];
  let stage: object = {};
  let openedAtMs: number | undefined;
  let probe: { readonly stage: object; readonly atMs: number } | undefined;
  let hasBeenProbed = false;

  const stateAt = (nowMs: number): CircuitState => {
    if (openedAtMs === undefined) return "closed";
    return nowMs - openedAtMs < cooldownMs && !hasBeenProbed ? "open" : "half_open";
  };
  const failuresAt = (nowMs: number) =>
    Math.min(failureThreshold, story.filter(({ atMs, what }) => what === "failure" && atMs > nowMs - windowMs).length);

  /** From the newest limit back to where a success or a long pause stands. */
  const limitedForMs = () => {
    let newestMs: number | undefined;
    let oldestMs = 0;
    for (const { atMs, what } of story.toReversed()) {
      if (what === "success") break;
      if (what === "failure") continue;
      if (newestMs !== undefined && oldestMs - atMs > windowMs) break;
      newestMs ??= atMs;
      oldestMs = atMs;
    }
    return newestMs === undefined ? 0 : newestMs - oldestMs;
  };

  const begin = (openMs: number | undefined) => {
    stage = {};
    openedAtMs = openMs;
    probe = undefined;
    hasBeenProbed = false;
  };

  return {
    stateAt,
    failuresAt,
    cooldownUntilMs: () => (openedAtMs === undefined ? undefined : openedAtMs + cooldownMs),
    isProbing: (nowMs: number) => probe !== undefined && nowMs - probe.atMs < PROBE_MS_MAX,
    admit(nowMs: number): { readonly passes: boolean; readonly ticket: ModelTicket; readonly retryAfterMs: number } {
      const state = stateAt(nowMs);
      if (state === "closed") return { passes: true, ticket: { stage, isProbe: false }, retryAfterMs: 0 };
      const left = (openedAtMs ?? 0) + cooldownMs - nowMs;
      if (state === "open") return { passes: false, ticket: { stage, isProbe: false }, retryAfterMs: left };
      if (probe !== undefined && nowMs - probe.atMs < PROBE_MS_MAX) {
        const rest = probe.atMs + PROBE_MS_MAX - nowMs;
        return {
          passes: false,
          ticket: { stage, isProbe: false },
          retryAfterMs: rest < PROBE_RETRY_AFTER_MS ? rest : PROBE_RETRY_AFTER_MS,
        };
      }
      stage = {};
      probe = { stage, atMs: nowMs };
      hasBeenProbed = true;
      return { passes: true, ticket: { stage, isProbe: true }, retryAfterMs: 0 };
    },
    settle(ticket: ModelTicket, outcome: BreakerOutcome, nowMs: number): ModelTicket {
      if (ticket.stage !== stage) return ticket;
      const probing = probe !== undefined && ticket.isProbe;
      if (openedAtMs !== undefined && !probing) return ticket;
      if (outcome === "global_rate_limit") story.push({ atMs: nowMs, what: "limit" });
      const fails = outcome === "failure" || (outcome === "global_rate_limit" && limitedForMs() >= escalationMs);
      if (fails) story.push({ atMs: nowMs, what: "failure" });
      if (outcome === "success") story.push({ atMs: nowMs, what: "success" });
      if (probing) {
        if (fails) begin(nowMs);
        else if (outcome === "success") {
          begin(undefined);
          story = [];
          return { stage, isProbe: false };
        } else probe = undefined;
      } else if (fails && failuresAt(nowMs) >= failureThreshold) begin(nowMs);
      return ticket;
    },
    reset() {
      begin(undefined);
      story = [];
    },
    open(nowMs: number) {
      begin(nowMs);
    },
  };
}
