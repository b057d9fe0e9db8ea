/** What a failure of a target means for what is done next. */
export const FAILURE_CLASSES = [
  /** The target does not work: 5xx, transport errors, timeouts. */
  "degraded",
  /** The whole account is out of its rate. */
  "global_rate_limit",
  /** This request was too much at this moment. */
  "local_rate_limit",
  /** Credit or quota is used up; waiting does not help. */
  "quota",
  /** The key is wrong, or may not do this. */
  "auth",
  "context_window",
  "content_filter",
  /** Every other mistake of the client's. */
  "client",
] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

export type Failure = {
  readonly class: FailureClass;
  /** The target gave nothing within its time; it is not asked again. */
  readonly isSilent: boolean;
  /** What the target asks to be left alone for. */
  readonly retryAfterMs: number | undefined;
  /** Asking the same target again is no use, whatever the class: a gateway has given up already, or it says so itself. */
  readonly isFinal?: boolean;
};

/** The target does not work, and says nothing else. */
export const BROKEN: Failure = { class: "degraded", isSilent: false, retryAfterMs: undefined };
/** It gave nothing in time. */
export const SILENT: Failure = { class: "degraded", isSilent: true, retryAfterMs: undefined };
