import type { Parameters } from "./fault.ts";

/** How many of the matching requests meet the fault. */
export type Amount =
  | { readonly kind: "count"; readonly remaining: number }
  /** 0 < share < 1. */
  | { readonly kind: "share"; readonly share: number }
  | { readonly kind: "all" };

/** Which requests a rule looks at; undefined matches all. Texts are globs (`*`, `?`), compared without case. */
export type Aim = {
  readonly provider?: string;
  readonly model?: string;
  /** Naming a path also reaches metadata and authentication endpoints. */
  readonly path?: string;
  readonly stream?: boolean;
  readonly session?: string;
  /** Only the nth matching request since the rule was set, 1 is the first. */
  readonly nth?: number;
  /** Not before this many matching requests have passed. */
  readonly afterRequests?: number;
  /** Milliseconds since the rule was set, [from, until). */
  readonly window?: { readonly fromMs: number; readonly untilMs: number };
};

export type Rule = {
  /** `mode`, or the rule's own id. */
  readonly id: string;
  /** Tells apart rules that reuse an id, so that a repeated command draws new numbers. */
  readonly generation: number;
  /** Name of the fault. */
  readonly fault: string;
  readonly amount: Amount;
  readonly aim: Aim;
  readonly parameters: Parameters;
  readonly side: "client" | "upstream";
  /** As typed, tidied: what `ls` and the logs show. */
  readonly text: string;
  readonly setMonotonicMs: number;
  /** Requests that matched the aim so far. */
  readonly matched: number;
  /** Requests that met the fault so far. */
  readonly fired: number;
};

/** The rules value: swapped whole, never changed. */
export type Rules = {
  readonly mode: Rule | undefined;
  readonly added: readonly Rule[];
  /** Commands so far; the next rule's generation. */
  readonly generation: number;
};

export const NO_RULES: Rules = { mode: undefined, added: [], generation: 0 };
