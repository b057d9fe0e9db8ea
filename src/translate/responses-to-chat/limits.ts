/** One text of a request. OpenAI's own limit is of this size; images and files are not texts and may be larger. */
export const TEXT_CHARACTERS_MAX = 8 * 1024 * 1024;

/**
 * All that is held of one answer. Each item of a streamed answer ends with an event that repeats its whole text, and the last event
 * repeats every item, so the text has to be kept until then; no model writes this much.
 */
export const ANSWER_CHARACTERS_MAX = 16 * 1024 * 1024;

/** What an item or a part counts for beside its text, so that a stream of empty ones ends too. */
export const ITEM_CHARACTERS = 256;

/** Nesting of what goes on as it is, such as the schemas of tools; writing JSON of any depth would use up the stack. */
export const DEPTH_MAX = 128;

export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(member, levels - 1));
}
