import { PROVIDER_NAMES } from "../../core/provider.ts";
import type { BreakerKey, CircuitState } from "../../core/state-store.ts";
import type { SharedScripts } from "./shared-scripts.ts";

/** A circuit in the shared store. */
export type SharedCircuit = {
  readonly key: BreakerKey;
  /** Among all circuits. */
  readonly name: string;
  /** Its model, as scripts take it; empty where there is none. */
  readonly member: string;
  /** Names in the store. */
  readonly hash: string;
  readonly failures: string;
  readonly cooling: string;
};

export function sharedCircuit({ keyOf }: Pick<SharedScripts, "keyOf">, key: BreakerKey): SharedCircuit {
  const { provider, model } = key;
  const name = model === undefined ? provider : `${provider}:${model}`;
  return {
    key,
    name,
    member: model ?? "",
    hash: keyOf(`circuit:${name}`),
    failures: keyOf(`circuit-failures:${name}`),
    cooling: keyOf(`circuit-cooling:${provider}`),
  };
}

/** The key of a circuit of this name; undefined where no version of ours gave it. */
export function keyOfName(name: string): BreakerKey | undefined {
  const provider = PROVIDER_NAMES.find((one) => name === one || name.startsWith(`${one}:`));
  if (provider === undefined) return undefined;
  return { provider, model: name.length === provider.length ? undefined : name.slice(provider.length + 1) };
}

export function stateOf(phase: unknown): CircuitState {
  return phase === "open" || phase === "half_open" ? phase : "closed";
}

/** What a script gave, by its place; undefined where it is no number. */
export function numbersOf(answer: unknown): readonly (number | undefined)[] {
  return Array.isArray(answer) ? answer.map((value) => (typeof value === "number" ? value : undefined)) : [];
}
