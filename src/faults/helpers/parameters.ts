import type { Parameters, ParameterValue, StreamPosition } from "../../core/fault.ts";
import type { Random } from "../../core/random.ts";

/** A number, integer, rate, or duration in ms. */
export function numberOf(parameters: Parameters, key: string): number | undefined {
  const value = parameters[key];
  return typeof value === "number" ? value : undefined;
}

/** A text or choice. */
export function textOf(parameters: Parameters, key: string): string | undefined {
  const value = parameters[key];
  return typeof value === "string" ? value : undefined;
}

export function switchOf(parameters: Parameters, key: string): boolean | undefined {
  const value = parameters[key];
  return typeof value === "boolean" ? value : undefined;
}

export function positionOf(parameters: Parameters, key: string): StreamPosition | undefined {
  const value = parameters[key];
  return isPosition(value) ? value : undefined;
}

/** `ms` give or take up to `jitterMs`, uniformly, never below zero. Without jitter nothing is drawn. */
export function jittered(ms: number, jitterMs: number, random: Random): number {
  return jitterMs > 0 ? Math.max(0, ms + (2 * random.next() - 1) * jitterMs) : ms;
}

function isPosition(value: ParameterValue | undefined): value is StreamPosition {
  return typeof value === "object";
}
