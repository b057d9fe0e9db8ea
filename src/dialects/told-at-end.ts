import { type JsonObject, parseObject } from "./shared.ts";

/** More than the usage of any answer takes. */
const USAGE_CHARACTERS_MAX = 4_096;

const USAGE = /"usage"\s*:\s*(?=\{)/y;
const MODEL = /"model"\s*:\s*"([^"\\]{1,256})"/;

/**
 * Usage and model of a whole answer whose last words are its usage, as those of Chat Completions and Messages are, without reading all of
 * it: inside a text every quote is escaped, so that what looks like a key is one. Undefined where it must be read after all.
 */
export function toldAtEnd(text: string): JsonObject | undefined {
  const at = text.lastIndexOf('"usage"');
  if (at < 0 || text.length - at > USAGE_CHARACTERS_MAX || !/\}\s*$/.test(text.slice(-8))) return undefined;
  USAGE.lastIndex = at;
  if (!USAGE.test(text)) return undefined;
  const from = USAGE.lastIndex;
  let depth = 0;
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === OPENING) depth++;
    else if (code === CLOSING && --depth === 0) {
      const usage = parseObject(text.slice(from, index + 1));
      return usage === undefined ? undefined : { usage, model: MODEL.exec(text)?.[1] };
    }
  }
  return undefined;
}

const OPENING = 0x7b;
const CLOSING = 0x7d;
