/**
 * All that is held of one answer. Each item of a streamed answer ends with an event that repeats its whole text, and the last event
 * repeats every item, so the text has to be kept until then; no model writes this much.
 */
export const ANSWER_CHARACTERS_MAX = 16 * 1024 * 1024;

/** What an item or a part counts for beside its text, so that a stream of empty ones ends too. */
export const ITEM_CHARACTERS = 256;
