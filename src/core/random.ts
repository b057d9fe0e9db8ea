/** A stream of numbers in [0, 1). */
export type Random = { readonly next: () => number };

/**
 * The stream that belongs to a seed and a label. Streams of different labels are independent, so that a decision
 * does not depend on what else the process decided before it. Not for secrets.
 */
export function randomStream(seed: number, label: string): Random {
  let state = 0x811c9dc5 ^ seed;
  // FNV-1a over the label; the finaliser below spreads neighbouring labels apart.
  for (let i = 0; i < label.length; i++) state = Math.imul(state ^ label.charCodeAt(i), 0x01000193);
  return {
    next() {
      // SplitMix32: every state is used once in 2^32 steps.
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      mixed ^= mixed >>> 15;
      return (mixed >>> 0) / 2 ** 32;
    },
  };
}
