import { PROVIDER_NAMES, type ProviderName } from "../../core/provider.ts";
import type { BreakerKey } from "../../core/state-store.ts";
import { type Circuit, closedCircuit } from "../../policy/breaker.ts";
import { createLinkedList, type Place } from "./linked-list.ts";

/** Circuits that are kept at a time; clients choose the names of models. */
export const CIRCUITS_MAX = 100_000;

export type Held = { readonly key: BreakerKey; readonly circuit: Circuit };

/** In the order in which they are given up: nothing to remember but a generation, failures, not closed. */
type Group = "quiet" | "closed" | "tripped";

type Entry = {
  readonly key: BreakerKey;
  circuit: Circuit;
  group: Group;
  /** In the list of its group, and of its provider's cooldowns. */
  place: Place<Entry> | undefined;
  coolingPlace: Place<Entry> | undefined;
};

export type CircuitTable = {
  /** One that nothing has happened to is closed. */
  readonly find: (key: BreakerKey) => Circuit;
  readonly put: (key: BreakerKey, circuit: Circuit) => void;
  /**
   * How many models of the provider have their cooldown running, and when the soonest of them ends. Circuits that are due or being
   * probed do not count: nobody may come for those models again, and the provider's others would stay refused.
   */
  readonly coolingOf: (provider: ProviderName, nowMs: number) => { readonly count: number; readonly soonestMs: number };
  readonly all: () => readonly Held[];
  readonly size: () => number;
};

/**
 * Circuits by key, at most `circuitsMax`; one that nothing has happened to takes no place. Every step but `all` takes the
 * same time however many there are. In each group the one that changed last stands last, so what is given up is the
 * oldest, which is the first to have become quiet.
 */
export function createCircuitTable(circuitsMax: number): CircuitTable {
  const entries = perProvider(() => new Map<string | undefined, Entry>());
  /** The soonest to end first. */
  const cooling = perProvider(() => createLinkedList<Entry>());
  const groups = { quiet: createLinkedList<Entry>(), closed: createLinkedList<Entry>(), tripped: createLinkedList<Entry>() };
  let size = 0;
  /** Of circuits that are not there; above those that were given up, so that late results do not count for a new one, nor what a late probe's success leads to. */
  let idle = closedCircuit(0);

  function takeOut(entry: Entry): void {
    if (entry.place !== undefined) groups[entry.group].remove(entry.place);
    if (entry.coolingPlace !== undefined) cooling[entry.key.provider].remove(entry.coolingPlace);
    entry.place = undefined;
    entry.coolingPlace = undefined;
  }

  function remove(entry: Entry): void {
    takeOut(entry);
    entries[entry.key.provider].delete(entry.key.model);
    size--;
  }

  function giveUpOne(): void {
    const entry = groups.quiet.first() ?? groups.closed.first() ?? groups.tripped.first();
    if (entry === undefined) return;
    remove(entry);
    if (entry.circuit.generation > idle.generation) idle = closedCircuit(entry.circuit.generation + 2);
  }

  function make(key: BreakerKey, circuit: Circuit, group: Group): Entry {
    if (size >= circuitsMax) giveUpOne();
    const entry: Entry = { key, circuit, group, place: undefined, coolingPlace: undefined };
    entries[key.provider].set(key.model, entry);
    size++;
    return entry;
  }

  return {
    find: ({ provider, model }) => entries[provider].get(model)?.circuit ?? idle,

    put(key, circuit) {
      const before = entries[key.provider].get(key.model);
      if (before === undefined ? circuit === idle : circuit === before.circuit) return;
      const group = groupOf(circuit);
      if (group === "quiet" && circuit.generation === idle.generation) {
        if (before !== undefined) remove(before);
        return;
      }
      const entry = before ?? make(key, circuit, group);
      takeOut(entry);
      entry.circuit = circuit;
      entry.group = group;
      entry.place = groups[group].add(entry);
      const { phase } = circuit;
      if (phase.kind !== "open" || key.model === undefined) return;
      entry.coolingPlace = cooling[key.provider].add(entry, (other) => untilMs(other) > phase.untilMs);
    },

    coolingOf(provider, nowMs) {
      const list = cooling[provider];
      for (let entry = list.first(); entry !== undefined; entry = list.first()) {
        if (nowMs < untilMs(entry)) return { count: list.size(), soonestMs: untilMs(entry) };
        if (entry.coolingPlace !== undefined) list.remove(entry.coolingPlace);
        entry.coolingPlace = undefined;
      }
      return NONE_COOLING;
    },

    all: () => PROVIDER_NAMES.flatMap((provider) => [...entries[provider].values()].map(({ key, circuit }) => ({ key, circuit }))),
    size: () => size,
  };
}

const NONE_COOLING = { count: 0, soonestMs: Number.POSITIVE_INFINITY };

function perProvider<Value>(make: () => Value): Readonly<Record<ProviderName, Value>> {
  return { openai: make(), anthropic: make(), google: make(), openrouter: make(), tetrate: make(), databricks: make() };
}

function groupOf({ phase, failuresMs, rateLimited }: Circuit): Group {
  if (phase.kind !== "closed") return "tripped";
  return failuresMs.length === 0 && rateLimited === undefined ? "quiet" : "closed";
}

function untilMs({ circuit: { phase } }: Entry): number {
  return phase.kind === "closed" ? 0 : phase.untilMs;
}
