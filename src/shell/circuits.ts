import { type InputError, inputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES } from "../core/provider.ts";
import type { BreakerKey, BreakerView, CircuitState } from "../core/state-store.ts";

/** A circuit as the control socket tells it. */
export type CircuitStatus = {
  /** `openai/gpt-5`, or `openai` where the model is unknown. */
  readonly circuit: string;
  readonly state: CircuitState;
  readonly failures: number;
  /** RFC 3339. */
  readonly cooldownUntil: string | null;
};

/** Several circuits as one. */
export type CircuitSight = Pick<BreakerView, "state" | "failures" | "cooldownUntilWallMs">;

const ORDER: readonly CircuitState[] = ["closed", "half_open", "open"];

/** Of several circuits the worst, with the failures of all. */
export function worstOf(views: readonly BreakerView[]): CircuitSight {
  const until = Math.max(0, ...views.map(({ cooldownUntilWallMs = 0 }) => cooldownUntilWallMs));
  return {
    state: ORDER[Math.max(0, ...views.map(({ state }) => ORDER.indexOf(state)))] ?? "closed",
    failures: views.reduce((sum, { failures }) => sum + failures, 0),
    cooldownUntilWallMs: until === 0 ? undefined : until,
  };
}

export function circuitStatus({ key, state, failures, cooldownUntilWallMs }: BreakerView): CircuitStatus {
  return {
    circuit: key.model === undefined ? key.provider : `${key.provider}/${key.model}`,
    state,
    failures,
    cooldownUntil: cooldownUntilWallMs === undefined ? null : new Date(cooldownUntilWallMs).toISOString(),
  };
}

/** `openai/gpt-5` or `openai`; a model's name may hold slashes of its own. */
export function circuitKey(name: string): BreakerKey | InputError {
  const [typed = "", ...model] = name.split("/");
  const provider = PROVIDER_NAMES.find((known) => known === typed.toLowerCase());
  if (provider === undefined) {
    return inputError(
      `circuit "${name}": expected PROVIDER/MODEL or PROVIDER, a provider being one of ${PROVIDER_NAMES.join(", ")}${didYouMean(typed, PROVIDER_NAMES)}`,
    );
  }
  return { provider, model: model.length === 0 ? undefined : model.join("/") };
}
