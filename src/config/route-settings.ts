import type { CredentialSource } from "../core/credential.ts";
import type { DialectName } from "../core/dialect.ts";
import type { ProviderName } from "../core/provider.ts";
import type { Rescue } from "../core/route.ts";

/** Of which requests a route takes care: globs, and all that are there must match. */
export type RouteMatchSetting = { readonly provider?: string; readonly model?: string; readonly path?: string };

/** One of a route's targets. What nobody has set is not there. */
export type RouteTargetSetting = {
  readonly provider: ProviderName;
  /** As it was written: a base URL, or `simulated`. */
  readonly url?: string;
  readonly model?: string;
  readonly dialect?: DialectName;
  readonly credential?: CredentialSource;
  /** Until the head of its response, the connection included; 0 = no limit. */
  readonly timeoutMs?: number;
  /** From the sending of the request to the first output of a stream; 0 = no limit. */
  readonly firstTokenTimeoutMs?: number;
  /** Between two pieces of a response; 0 = no limit. */
  readonly idleTimeoutMs?: number;
  readonly retries?: number;
  /** In tokens. */
  readonly contextWindow?: number;
  readonly prefill?: boolean;
};

/** How much of the beginning of a stream is held back; 0 ms = until its first-token time is over. */
export type RouteHoldSetting = { readonly frames?: number; readonly bytes?: number; readonly ms?: number };

export const CONTENT_FILTER_WAYS = ["stop", "next"] as const;
export type ContentFilterWay = (typeof CONTENT_FILTER_WAYS)[number];

/** `[[route]]`: targets in the order in which they are asked, at least one. */
export type RouteSetting = {
  /** Empty: every request. */
  readonly match: RouteMatchSetting;
  readonly targets: readonly RouteTargetSetting[];
  /** 0 = no limit. */
  readonly timeoutMs?: number;
  readonly rescue?: Rescue;
  readonly buffer?: boolean;
  readonly contentFilter?: ContentFilterWay;
  readonly maxWaitMs?: number;
  readonly cooldownMs?: number;
  readonly cooldownMaxMs?: number;
  readonly hold?: RouteHoldSetting;
};

/** What holds of a route where it says nothing. */
export const ROUTE_DEFAULTS = {
  /** A client knows how long it waits, and a number that cuts a long answer off would surprise more than it helps. */
  timeoutMs: 0,
  /** A client that reads a stream again from its beginning, or with a seam in it, must have been made ready for it. */
  rescue: "none",
  /** Whoever asks for a stream wants to see it grow. */
  buffer: false,
  /** To carry what one provider refuses to another is a decision for people. */
  contentFilter: "stop",
  /** A person before a screen waits that long without a thought; most other targets have answered by then. */
  maxWaitMs: 5_000,
  /** Rate limits count by the minute where nothing else is said. */
  cooldownMs: 60_000,
  /** A quota of a day may say 24 hours, but credit that has been bought is there at once: an hour is what is lost at most. */
  cooldownMaxMs: 3_600_000,
  hold: {
    /** Before its first output no stream has nearly so many frames; one that has them is at work. */
    frames: 256,
    /** Several times what the longest known beginnings have, and a thousand such streams still fit into 256 MiB. */
    bytes: 262_144,
    /** The target's own first-token time is the bound. */
    ms: 0,
  },
} as const satisfies Required<Omit<RouteSetting, "match" | "targets">>;

/** What holds of a route's target where it says nothing. */
export const ROUTE_TARGET_DEFAULTS = {
  /** Whole answers come with their head, and long ones take minutes. */
  timeoutMs: 300_000,
  /** Models that think show nothing of it for a minute and more; beyond two another target is the better hope. */
  firstTokenTimeoutMs: 120_000,
  /** Tools and thoughts make pauses in good streams too; what keeps the connection alive does not count. */
  idleTimeoutMs: 120_000,
} as const satisfies Partial<RouteTargetSetting>;
