/** Tells once that nobody waits any more: what is used of an `AbortSignal`, so that an engine can have one that costs less. */
export type Gone = {
  readonly aborted: boolean;
  readonly addEventListener: (type: "abort", listener: () => void) => void;
  readonly removeEventListener: (type: "abort", listener: () => void) => void;
};
