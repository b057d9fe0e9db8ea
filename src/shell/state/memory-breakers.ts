import type { BreakerKey, BreakerTicket, BreakerVerdict, StateStore, StoreEvent } from "../../core/state-store.ts";
import {
  admit,
  type BreakerSettings,
  type Circuit,
  circuitKey,
  closedCircuit,
  isQuiet,
  laterGeneration,
  open,
  reset,
  type Step,
  settle,
  sightOf,
  ticketAfter,
} from "../../policy/breaker.ts";
import { CIRCUITS_MAX, createCircuitTable, type Held } from "./circuit-table.ts";

export type Breakers = Pick<StateStore, "admit" | "settle" | "breakers" | "resetBreaker" | "openBreaker">;

export type BreakersSetup = {
  readonly settings: BreakerSettings;
  /** So many open models of one provider refuse all of it; 0: never. */
  readonly providerOpenModels: () => number;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
  readonly tell: (event: StoreEvent) => void;
  /** Circuits kept at a time. */
  readonly circuitsMax?: number;
};

export type MemoryBreakers = Omit<Breakers, "admit"> & {
  readonly admit: (key: BreakerKey) => BreakerVerdict;
  /** Takes over what somebody else knows of the circuit, without a word: closed, or open for so long (0: due for a probe). */
  readonly learn: (key: BreakerKey, openForMs: number | undefined) => void;
  /** What a ticket has that is given now without a decision. */
  readonly generationOf: (key: BreakerKey) => number;
  /** The number of circuits. */
  readonly size: () => number;
};

/** The circuits of one process. */
export function createMemoryBreakers(setup: BreakersSetup): MemoryBreakers {
  const { settings, providerOpenModels, monotonicMs, wallMs, tell } = setup;
  const table = createCircuitTable(setup.circuitsMax ?? CIRCUITS_MAX);

  /** Most steps change nothing. */
  function keep(key: BreakerKey, before: Circuit, { circuit, transition }: Step): void {
    if (circuit === before) return;
    table.put(key, circuit);
    if (transition !== undefined) tell({ kind: "circuit", key, ...transition });
  }

  /** Those of the provider, or of the one model; all where nothing is named. */
  function held(key: BreakerKey | undefined): readonly Held[] {
    if (key === undefined) return table.all();
    return table
      .all()
      .filter(({ key: { provider, model } }) => provider === key.provider && (key.model === undefined || model === key.model));
  }

  function refusedByProvider(key: BreakerKey, nowMs: number): number | undefined {
    const openModels = providerOpenModels();
    if (openModels <= 0) return undefined;
    const { count, soonestMs } = table.coolingOf(key.provider, nowMs);
    return count >= openModels ? soonestMs - nowMs : undefined;
  }

  /** One after another, most requests are of one model whose circuit is closed. */
  let last: { readonly circuit: Circuit; readonly verdict: BreakerVerdict } | undefined;

  return {
    admit(asked) {
      const key = circuitKey(asked);
      const circuit = table.find(key);
      if (last?.circuit === circuit && isSame(last.verdict.ticket.key, key) && providerOpenModels() <= 0) return last.verdict;
      const nowMs = monotonicMs();
      const admission = admit(circuit, nowMs);
      const ticket: BreakerTicket = {
        key,
        generation: admission.circuit.generation,
        isProbe: admission.kind === "pass" && admission.isProbe,
      };
      keep(key, circuit, admission);
      if (admission.kind === "refused") return { kind: "refused", ticket, retryAfterMs: admission.retryAfterMs };
      const retryAfterMs = ticket.isProbe ? undefined : refusedByProvider(key, nowMs);
      if (retryAfterMs !== undefined) return { kind: "refused", ticket, retryAfterMs };
      const verdict: BreakerVerdict = { kind: "pass", ticket };
      last = circuit.phase.kind === "closed" ? { circuit, verdict } : undefined;
      return verdict;
    },

    settle(ticket, outcome) {
      const circuit = table.find(ticket.key);
      keep(ticket.key, circuit, settle(circuit, ticket, outcome, monotonicMs(), settings));
      return ticketAfter(ticket, outcome);
    },

    async breakers() {
      const nowMs = monotonicMs();
      const nowWallMs = wallMs();
      return table.all().map(({ key, circuit }) => {
        const { state, failures, cooldownUntilMs } = sightOf(circuit, nowMs, settings);
        return {
          key,
          state,
          failures,
          cooldownUntilWallMs: cooldownUntilMs === undefined ? undefined : cooldownUntilMs - nowMs + nowWallMs,
        };
      });
    },

    async resetBreaker(asked) {
      const nowMs = monotonicMs();
      const those = held(asked === undefined ? undefined : circuitKey(asked)).filter(({ circuit }) => !isQuiet(circuit, nowMs, settings));
      for (const { key, circuit } of those) keep(key, circuit, reset(circuit));
      return those.length;
    },

    async openBreaker(asked) {
      const key = circuitKey(asked);
      const circuit = table.find(key);
      keep(key, circuit, open(circuit, monotonicMs(), settings));
    },

    learn(asked, openForMs) {
      const key = circuitKey(asked);
      const circuit = table.find(key);
      const generation = laterGeneration(circuit);
      if (openForMs === undefined) {
        if (circuit.phase.kind !== "closed") table.put(key, closedCircuit(generation));
        return;
      }
      const nowMs = monotonicMs();
      const isKnown =
        circuit.phase.kind !== "closed" && Math.abs(Math.max(nowMs, circuit.phase.untilMs) - nowMs - openForMs) < LEARNT_MS_APART;
      if (isKnown) return;
      const untilMs = nowMs + openForMs;
      table.put(key, { ...circuit, generation, phase: { kind: "open", untilMs } });
    },

    generationOf: (key) => table.find(circuitKey(key)).generation,
    size: table.size,
  };
}

function isSame(one: BreakerKey, other: BreakerKey): boolean {
  return one.model === other.model && one.provider === other.provider;
}

/** What was learnt twice comes out so far apart by the time that the telling took. */
const LEARNT_MS_APART = 1_000;
