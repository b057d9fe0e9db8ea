import type { Gone } from "./gone.ts";

/** Monotonic for durations, wall for timestamps; only the shell reads the real ones. */
export type Clock = {
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
  /** Resolves after `ms`, or at once when the signal aborts. */
  readonly sleep: (ms: number, signal: Gone) => Promise<void>;
};
