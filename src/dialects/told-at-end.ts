import { type JsonObject, parseObject } from "./shared.ts";

/** Usage and what follows it take less in any answer. */
const END_CHARACTERS_MAX = 4_096;

const USAGE = /"usage"\s*:\s*(?=\{)/y;
/** Members without members of their own, and then the end of the answer: what stands before them is a member of the answer itself. */
const REST = /^(?:\s*,\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|null|true|false|-?[\d.]+))*\s*\}\s*$/;
const MODEL = /"model"\s*:\s*"([^"\\]{1,256})"/;
/** From here on the answer has members of members. */
const OUTPUT = /"(?:choices|content)"/;

const OPENING = 0x7b;
const CLOSING = 0x7d;

/**
 * Usage and model of a whole answer that names its model before its output and tells its usage at its end, as those of Chat Completions and
 * Messages do, without reading all of it: a long answer takes a hundred times as long to read. Undefined where it must be read after all.
 * Inside a text every quote is escaped, so that what looks like a key is one.
 */
export function toldAtEnd(text: string): JsonObject | undefined {
  const at = text.lastIndexOf('"usage"');
  if (at < 0 || text.length - at > END_CHARACTERS_MAX) return undefined;
  USAGE.lastIndex = at;
  if (!USAGE.test(text)) return undefined;
  const from = USAGE.lastIndex;
  const end = endOfObject(text, from);
  if (end === undefined || !REST.test(text.slice(end))) return undefined;
  const model = MODEL.exec(text);
  if (model === null || model.index > text.search(OUTPUT)) return undefined;
  const usage = parseObject(text.slice(from, end));
  return usage === undefined ? undefined : { usage, model: model[1] };
}

/** Behind its closing brace. Braces in texts make it end too early or never; it is no object then. */
function endOfObject(text: string, from: number): number | undefined {
  let depth = 0;
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === OPENING) depth++;
    else if (code === CLOSING && --depth === 0) return index + 1;
  }
  return undefined;
}
