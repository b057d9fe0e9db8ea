/** Every maximum of the program, unit last, with its reason. */

/** A request body is kept in memory up to here, so that it goes on with its length in one write; larger ones are streamed. */
export const REQUEST_BUFFER_BYTES_MAX = 64 * 1024;

/** A rule that needs to know the model or the stream flag reads bodies up to here; providers refuse larger ones (Anthropic: 32 MB). */
export const REQUEST_INSPECT_BYTES_MAX = 32 * 1024 * 1024;

/** A request body that is translated is kept whole as bytes, as JSON and as bytes again; OpenAI takes up to 50 MB of images. */
export const TRANSLATED_BODY_BYTES_MAX = 64 * 1024 * 1024;

/** One frame of a stream, and one whole answer that a fault rewrites; image answers reach a few megabytes. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** Running requests get this long after SIGTERM. */
export const DRAIN_MS_MAX = 10_000;

/** Events kept for `ctl events` of a reader that comes late. */
export const EVENTS_KEPT_MAX = 1_000;

/** One command or rule as text; far above anything a person types. */
export const COMMAND_CHARACTERS_MAX = 4_096;

/** Rules beside the mode; each costs every request a comparison. */
export const RULES_MAX = 1_000;

/** `fetch` allows 256 at a time unless told otherwise when the process starts. */
export const FETCH_CONCURRENT_MAX = 65_336;
