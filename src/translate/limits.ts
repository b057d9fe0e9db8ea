/** One text of a request: more than twice the context of any model. OpenAI's own limit is of this size; images and files are not texts. */
export const TEXT_CHARACTERS_MAX = 8 * 1024 * 1024;

/** Nesting of what goes on as it is, such as schemas and tool inputs. `JSON.stringify` runs out of stack some ten thousand levels down. */
export const NESTING_LEVELS_MAX = 128;

/** Stops at the limit, and so never runs out of stack itself. */
export function isTooDeep(value: unknown, levels = NESTING_LEVELS_MAX): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isTooDeep(member, levels - 1));
}
