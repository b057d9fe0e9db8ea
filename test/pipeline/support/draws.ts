import { randomStream } from "../../../src/core/random.ts";

/** Draws that depend on the seed and a label alone. */
export type Draws = {
  readonly chance: (share: number) => boolean;
  readonly between: (from: number, to: number) => number;
  /** Both included. */
  readonly whole: (from: number, to: number) => number;
  readonly pick: <Value>(values: readonly [Value, ...Value[]]) => Value;
  /** By their weights. */
  readonly oneOf: <Value>(weighted: readonly [readonly [number, Value], ...(readonly [number, Value])[]]) => Value;
};

export function drawsOf(seed: number, label: string): Draws {
  const random = randomStream(seed, label);
  const between = (from: number, to: number) => from + random.next() * (to - from);
  const whole = (from: number, to: number) => Math.floor(between(from, to + 1));
  return {
    chance: (share) => random.next() < share,
    between,
    whole,
    pick: (values) => values[whole(0, values.length - 1)] ?? values[0],
    oneOf(weighted) {
      let left = between(
        0,
        weighted.reduce((sum, [weight]) => sum + weight, 0),
      );
      for (const [weight, value] of weighted) {
        left -= weight;
        if (left < 0) return value;
      }
      return weighted[0][1];
    },
  };
}
