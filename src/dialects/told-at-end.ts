import type { AtHand } from "../core/exchange.ts";
import { interned } from "../core/interned.ts";
import { isObject, type JsonObject } from "./shared.ts";

/** Usage and what follows it take less in any answer. */
const END_BYTES_MAX = 4_096;
/** And what stands before the end of the model's name. */
const START_BYTES_MAX = 512;

const USAGE = Buffer.from('"usage"');
/** The beginning of `error`, and of Databricks' `error_code`: without it an answer says no error. */
export const ERROR_MEMBER = '"error';
const ERROR = Buffer.from(ERROR_MEMBER);

/**
 * Usage and model of a whole answer that names its model at its start and tells its usage at its end, as those of Chat Completions and
 * Messages do, without reading all of it: a long answer takes a hundred times as long to read. Undefined where it must be read after all, as
 * where it may say an error. Inside a text every quote is escaped, so that what looks like a key is one; and as many braces are closed
 * behind the usage as were opened before it, so that it is a member of the answer itself.
 */
export function toldAtEnd(answer: AtHand): JsonObject | undefined {
  const at = answer.lastIndexOf(USAGE);
  if (at < 0 || answer.length - at > END_BYTES_MAX || answer.has(ERROR)) return undefined;
  const model = modelAtStart(answer, Math.min(at, START_BYTES_MAX));
  if (model === undefined) return undefined;
  try {
    const { usage } = JSON.parse(`{${answer.latin1(at, answer.length)}`) as JsonObject;
    return isObject(usage) ? { usage, model } : undefined;
  } catch {
    return undefined;
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPENING_BRACKET = 0x5b;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const SPACE = 0x20;

/** The answer's member `model`, where nothing but members without members of their own stands before it. */
function modelAtStart(answer: AtHand, end: number): string | undefined {
  let place = behindSpace(answer, 0, end);
  if (answer.byteAt(place) !== OPENING_BRACE) return undefined;
  for (;;) {
    const key = behindSpace(answer, place + 1, end);
    const keyEnd = endOfText(answer, key, end);
    if (keyEnd === undefined) return undefined;
    const colon = behindSpace(answer, keyEnd + 1, end);
    if (answer.byteAt(colon) !== COLON) return undefined;
    const value = behindSpace(answer, colon + 1, end);
    const valueEnd = answer.byteAt(value) === QUOTE ? endOfText(answer, value, end) : endOfWord(answer, value, end);
    if (valueEnd === undefined) return undefined;
    if (isModel(answer, key, keyEnd)) return answer.byteAt(value) === QUOTE ? nameAt(answer, value + 1, valueEnd) : undefined;
    place = behindSpace(answer, valueEnd + (answer.byteAt(value) === QUOTE ? 1 : 0), end);
    if (answer.byteAt(place) !== COMMA) return undefined;
  }
}

function behindSpace(answer: AtHand, from: number, end: number): number {
  let place = from;
  // No control character but those of white space stands between values.
  while (place < end && (answer.byteAt(place) ?? SPACE) <= SPACE) place++;
  return place;
}

/** The place of its closing quote; undefined where it is no text, or one with escapes. */
function endOfText(answer: AtHand, from: number, end: number): number | undefined {
  if (answer.byteAt(from) !== QUOTE) return undefined;
  for (let place = from + 1; place < end; place++) {
    const byte = answer.byteAt(place);
    if (byte === QUOTE) return place;
    if (byte === BACKSLASH) return undefined;
  }
  return undefined;
}

/** Behind a number, `true`, `false` or `null`. */
function endOfWord(answer: AtHand, from: number, end: number): number | undefined {
  for (let place = from; place < end; place++) {
    const byte = answer.byteAt(place) ?? SPACE;
    if (byte === COMMA || byte <= SPACE) return place === from ? undefined : place;
    if (byte === QUOTE || byte === OPENING_BRACE || byte === OPENING_BRACKET || byte === CLOSING_BRACE) return undefined;
  }
  return undefined;
}

const MODEL = '"model';

function isModel(answer: AtHand, from: number, end: number): boolean {
  return end - from === MODEL.length && isAt(answer, from, MODEL);
}

function isAt(answer: AtHand, from: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (answer.byteAt(from + index) !== text.charCodeAt(index)) return false;
  return true;
}

/** One after another, most answers are of one model. */
let last = "";

/** Of ASCII alone. */
function nameAt(answer: AtHand, from: number, end: number): string | undefined {
  if (end - from === last.length && isAt(answer, from, last)) return last;
  const name = answer.latin1(from, end);
  if (!/^[ -~]+$/.test(name)) return undefined;
  last = interned(name);
  return last;
}
