import type { BreakerKey, BreakerOutcome, BreakerTicket, CircuitState } from "../core/state-store.ts";

export type BreakerSettings = {
  /** So many failures within the window open a circuit; at least 1. */
  readonly failureThreshold: number;
  readonly windowMs: number;
  readonly cooldownMs: number;
  /** Global rate limits that last as long count as failures. */
  readonly escalationMs: number;
};

/** A probe that nobody settles frees its place after this: longer than any answer takes, for the official SDKs wait ten minutes. */
export const PROBE_MS_MAX = 600_000;

/** Who is refused while a probe runs comes back after this: nobody knows when it ends, but then there is an answer. */
export const PROBE_RETRY_AFTER_MS = 1_000;

export type Circuit = {
  /** Grows with each transition and each probe. */
  readonly generation: number;
  readonly phase: Phase;
  /** The newest last, at most as many as the threshold. */
  readonly failuresMs: readonly number[];
  /** A spell of global rate limits without a success. */
  readonly rateLimited: { readonly sinceMs: number; readonly lastMs: number } | undefined;
};

export type Phase =
  | { readonly kind: "closed" }
  | { readonly kind: "open"; readonly untilMs: number }
  | { readonly kind: "half_open"; readonly untilMs: number; readonly probeUntilMs: number | undefined };

export type Transition = { readonly from: CircuitState; readonly to: CircuitState; readonly reason: string };

/** Why a circuit moved, for people. */
export const REASONS = {
  cooldownOver: "the cooldown is over",
  probeSucceeded: "the probe succeeded",
  probeFailed: "the probe failed",
  opened: "opened by hand",
  reset: "reset by hand",
  failures: (count: number, { windowMs }: BreakerSettings) =>
    `${count} ${count === 1 ? "failure" : "failures"} within ${windowMs / 1000} s`,
} as const;

export type Step = { readonly circuit: Circuit; readonly transition: Transition | undefined };

export type Admission = Step &
  ({ readonly kind: "pass"; readonly isProbe: boolean } | { readonly kind: "refused"; readonly retryAfterMs: number });

const CLOSED: Phase = { kind: "closed" };

export function closedCircuit(generation: number): Circuit {
  return { generation, phase: CLOSED, failuresMs: [], rateLimited: undefined };
}

/** May a request go to the target? Its ticket has the generation of the circuit that comes out. */
export function admit(circuit: Circuit, nowMs: number): Admission {
  const { phase } = circuit;
  if (phase.kind === "closed") return { circuit, transition: undefined, kind: "pass", isProbe: false };
  if (!isDue(circuit, nowMs)) return { circuit, transition: undefined, kind: "refused", retryAfterMs: waitMs(phase, nowMs) };
  const probing: Phase = { kind: "half_open", untilMs: phase.untilMs, probeUntilMs: nowMs + PROBE_MS_MAX };
  return {
    circuit: { ...circuit, generation: laterGeneration(circuit), phase: probing },
    transition: phase.kind === "open" ? { from: "open", to: "half_open", reason: REASONS.cooldownOver } : undefined,
    kind: "pass",
    isProbe: true,
  };
}

/** The one after a probe's is kept for its success: `ticketAfter` gives it away before anybody knows whether the result came too late. */
export function laterGeneration({ generation, phase }: Circuit): number {
  return generation + (phase.kind === "half_open" ? 2 : 1);
}

/** Would the next request be a probe? */
export function isDue({ phase }: Circuit, nowMs: number): boolean {
  switch (phase.kind) {
    case "closed":
      return false;
    case "open":
      return nowMs >= phase.untilMs;
    case "half_open":
      return phase.probeUntilMs === undefined || nowMs >= phase.probeUntilMs;
  }
}

function waitMs(phase: Exclude<Phase, { kind: "closed" }>, nowMs: number): number {
  if (phase.kind === "open") return phase.untilMs - nowMs;
  return Math.min(PROBE_RETRY_AFTER_MS, (phase.probeUntilMs ?? nowMs) - nowMs);
}

/** Takes in how a request ended. A result of an earlier generation says nothing of this one. */
export function settle(
  circuit: Circuit,
  ticket: Pick<BreakerTicket, "generation" | "isProbe">,
  outcome: BreakerOutcome,
  nowMs: number,
  settings: BreakerSettings,
): Step {
  if (ticket.generation !== circuit.generation) return unchanged(circuit);
  switch (circuit.phase.kind) {
    case "closed":
      return settleClosed(circuit, outcome, nowMs, settings);
    case "open":
      return unchanged(circuit);
    case "half_open":
      if (!ticket.isProbe || circuit.phase.probeUntilMs === undefined) return unchanged(circuit);
      return settleProbe(circuit, circuit.phase, outcome, nowMs, settings);
  }
}

/** What the same request settles with from now on: after a probe's success it is one of the closed circuit. */
export function ticketAfter(ticket: BreakerTicket, outcome: BreakerOutcome): BreakerTicket {
  return ticket.isProbe && outcome === "success" ? { key: ticket.key, generation: ticket.generation + 1, isProbe: false } : ticket;
}

function settleClosed(circuit: Circuit, outcome: BreakerOutcome, nowMs: number, settings: BreakerSettings): Step {
  switch (outcome) {
    case "neutral":
      return unchanged(circuit);
    case "success":
      return circuit.rateLimited === undefined ? unchanged(circuit) : unchanged({ ...circuit, rateLimited: undefined });
    case "failure":
      return failed(circuit, nowMs, settings);
    case "global_rate_limit": {
      const limited = rateLimitedAgain(circuit, nowMs, settings);
      return isEscalated(limited, settings) ? failed(limited, nowMs, settings) : unchanged(limited);
    }
  }
}

function settleProbe(
  circuit: Circuit,
  phase: Extract<Phase, { kind: "half_open" }>,
  outcome: BreakerOutcome,
  nowMs: number,
  settings: BreakerSettings,
): Step {
  switch (outcome) {
    case "neutral":
      return unchanged(freed(circuit, phase));
    case "success":
      return moved(circuit, closedCircuit(circuit.generation + 1), REASONS.probeSucceeded);
    case "failure":
      return reopened(circuit, nowMs, settings);
    case "global_rate_limit": {
      const limited = rateLimitedAgain(circuit, nowMs, settings);
      return isEscalated(limited, settings) ? reopened(limited, nowMs, settings) : unchanged(freed(limited, phase));
    }
  }
}

function freed(circuit: Circuit, phase: Extract<Phase, { kind: "half_open" }>): Circuit {
  return { ...circuit, phase: { ...phase, probeUntilMs: undefined } };
}

function failed(circuit: Circuit, nowMs: number, settings: BreakerSettings): Step {
  const failuresMs = withFailure(circuit, nowMs, settings);
  if (failuresMs.length < settings.failureThreshold) return unchanged({ ...circuit, failuresMs });
  return moved(circuit, opened({ ...circuit, failuresMs }, nowMs, settings), REASONS.failures(failuresMs.length, settings));
}

function reopened(circuit: Circuit, nowMs: number, settings: BreakerSettings): Step {
  const failuresMs = withFailure(circuit, nowMs, settings);
  return moved(circuit, opened({ ...circuit, failuresMs }, nowMs, settings), REASONS.probeFailed);
}

function withFailure(circuit: Circuit, nowMs: number, settings: BreakerSettings): readonly number[] {
  return [...recentFailures(circuit, nowMs, settings), nowMs].slice(-settings.failureThreshold);
}

function recentFailures({ failuresMs }: Circuit, nowMs: number, { windowMs }: BreakerSettings): readonly number[] {
  return failuresMs.filter((atMs) => nowMs - atMs < windowMs);
}

function opened(circuit: Circuit, nowMs: number, { cooldownMs }: BreakerSettings): Circuit {
  return { ...circuit, generation: laterGeneration(circuit), phase: { kind: "open", untilMs: nowMs + cooldownMs } };
}

/** Longer than a window without one, and it is no longer the same spell. */
function rateLimitedAgain(circuit: Circuit, nowMs: number, { windowMs }: BreakerSettings): Circuit {
  const before = circuit.rateLimited;
  const sinceMs = before === undefined || nowMs - before.lastMs > windowMs ? nowMs : before.sinceMs;
  return { ...circuit, rateLimited: { sinceMs, lastMs: nowMs } };
}

function isEscalated({ rateLimited }: Circuit, { escalationMs }: BreakerSettings): boolean {
  return rateLimited !== undefined && rateLimited.lastMs - rateLimited.sinceMs >= escalationMs;
}

/** Forgets everything but that earlier results do not count. */
export function reset(circuit: Circuit): Step {
  return moved(circuit, closedCircuit(laterGeneration(circuit)), REASONS.reset);
}

/** For a whole cooldown from now, whatever it was. */
export function open(circuit: Circuit, nowMs: number, settings: BreakerSettings): Step {
  return moved(circuit, opened(circuit, nowMs, settings), REASONS.opened);
}

function unchanged(circuit: Circuit): Step {
  return { circuit, transition: undefined };
}

function moved(before: Circuit, circuit: Circuit, reason: string): Step {
  const from = before.phase.kind;
  const to = circuit.phase.kind;
  return { circuit, transition: from === to ? undefined : { from, to, reason } };
}

export type CircuitSight = {
  readonly state: CircuitState;
  readonly failures: number;
  /** On the clock of the circuit; undefined where it is closed. */
  readonly cooldownUntilMs: number | undefined;
};

/** As a request would find it now: after its cooldown an open circuit is half open, whether or not somebody has come to probe. */
export function sightOf(circuit: Circuit, nowMs: number, settings: BreakerSettings): CircuitSight {
  const { phase } = circuit;
  const failures = recentFailures(circuit, nowMs, settings).length;
  if (phase.kind === "closed") return { state: "closed", failures, cooldownUntilMs: undefined };
  const state = phase.kind === "open" && nowMs < phase.untilMs ? "open" : "half_open";
  return { state, failures, cooldownUntilMs: phase.untilMs };
}

/** Is it as if nothing had ever happened to it, but for its generation? */
export function isQuiet(circuit: Circuit, nowMs: number, settings: BreakerSettings): boolean {
  const { phase, rateLimited } = circuit;
  return (
    phase.kind === "closed" &&
    recentFailures(circuit, nowMs, settings).length === 0 &&
    (rateLimited === undefined || nowMs - rateLimited.lastMs > settings.windowMs)
  );
}

/** Clients choose the names of models; of a longer one no more is kept. */
const MODEL_CHARACTERS_MAX = 256;

/** The key that a circuit is kept under. */
export function circuitKey(key: BreakerKey): BreakerKey {
  return key.model === undefined || key.model.length <= MODEL_CHARACTERS_MAX
    ? key
    : { provider: key.provider, model: key.model.slice(0, MODEL_CHARACTERS_MAX) };
}
