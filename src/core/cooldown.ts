import type { FailureClass } from "./failure.ts";

/** Why a target is left alone for a while. What concerns all its credentials alike is its circuit's matter. */
export type CooldownReason = Extract<FailureClass, "global_rate_limit" | "local_rate_limit" | "quota" | "auth">;

/** A target of routes, with whose credential it is asked: another credential has another account. */
export type CooldownKey = {
  /** The target's name. */
  readonly target: string;
  /** A short hash; undefined: it is asked without one. */
  readonly credential: string | undefined;
};

export type CooldownView = {
  readonly key: CooldownKey;
  readonly reason: CooldownReason;
  readonly untilWallMs: number;
};

/** Which targets are left alone by now. Nothing here throws. */
export type Cooldowns = {
  /** Undefined: it may be asked. */
  readonly of: (key: CooldownKey) => { readonly reason: CooldownReason; readonly leftMs: number } | undefined;
  readonly enter: (key: CooldownKey, reason: CooldownReason, ms: number) => void;
  /** It has answered a request of this time (monotonic); one from before the cooldown says nothing of it. */
  readonly succeeded: (key: CooldownKey, askedMs: number) => void;
  readonly all: () => readonly CooldownView[];
  /** Of the target of this name, or of all; gives how many there were. */
  readonly reset: (target: string | undefined) => number;
};
