/** Lua that the shared store runs in one piece. */
export type Script = {
  /** For people, in messages. */
  readonly name: string;
  readonly source: string;
};

/** No answer came within the bound, or the store is away. It may have been done all the same, late. */
export const AWAY: unique symbol = Symbol("away");

/**
 * Runs a script on the store. Keys must come from `SharedScripts.keyOf`. Gives what Lua returned (numbers, strings, lists, null),
 * or `AWAY`. Never rejects, and never takes longer than the bound.
 */
export type RunScript = (script: Script, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** How long the listeners' `run` waits for an answer when the store is back: no request waits for it. */
export const RETURN_MS_MAX = 1_000;

/** The store that several instances share, as limits and circuits need it. */
export type SharedScripts = {
  /** While the store is away, or not yet brought back in step by those who listen for its return, `AWAY` comes without waiting. */
  readonly run: RunScript;
  /** Whether `run` asks the store; without waiting. */
  readonly isUp: () => boolean;
  /** The key of this name in the store: under the prefix, which is the hash tag of all of them. */
  readonly keyOf: (name: string) => string;
  /** That share the store by what was last seen, this one included, and the place of this one among them, from 0. */
  readonly instances: () => { readonly count: number; readonly rank: number };
  /**
   * Called whenever the store can be reached, at first and again, before `run` asks it: to bring the store in step with what
   * was decided meanwhile. It must use the `run` that it is given, and end without waiting for anything else.
   */
  readonly onReturn: (listener: (run: RunScript) => Promise<void>) => void;
  /** Why it is away, for people; never a secret. Undefined where it is up. */
  readonly detail: () => string | undefined;
  readonly close: () => void;
};
