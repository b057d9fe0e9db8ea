/** What bounds a connection, unit last, with the reasons. Maxima of one message stand in http1/limits.ts. */
export type ConnectionLimits = {
  /** From the first byte of a head, or from the opening of the connection, to the head's end. */
  readonly headMs: number;
  /** Between two pieces of a request body, while they are waited for. */
  readonly bodyIdleMs: number;
  /** Between two requests. */
  readonly idleMs: number;
};

/** Longer than any honest client takes, short enough that those who trickle cannot pile up. */
export const CONNECTION_LIMITS: ConnectionLimits = { headMs: 15_000, bodyIdleMs: 60_000, idleMs: 75_000 };

/** Bytes of a body, or of a socket's unsent output, above which the sender is made to wait. */
export const BUFFER_BYTES_HIGH = 64 * 1024;

/** Bytes of further requests that are kept while one is being answered; above it the client is made to wait. */
export const PIPELINED_BYTES_MAX = 64 * 1024;

/** A closed connection is still read for so long, so that what the client was sending does not destroy the answer (RFC 9112 section 9.6). */
export const LINGER_MS = 1_000;

/** A reset throws away what has not been read yet, so the bytes before it get this long to arrive. */
export const RESET_DELAY_MS = 20;

/** How often deadlines of connections are looked at; they are kept to this precision. */
export const SWEEP_MS = 250;

/** A kept connection to a target is used again for so long; servers close theirs after five seconds and more. */
export const POOL_IDLE_MS = 4_000;

/** Kept connections to one target. */
export const POOL_CONNECTIONS_MAX = 256;

/** Interim responses before one final response; a target that goes on with them would keep the client waiting without end. */
export const INTERIM_RESPONSES_MAX = 32;

/** The answer of an HTTP proxy to CONNECT. */
export const PROXY_ANSWER_BYTES_MAX = 16 * 1024;
