/** How much of a text has been given, without the text: its length and a hash. */
export type Given = { length: number; hash: number };

/** A message's text or refusal as it comes: the whole, and the part that is on its way. */
export type TextProgress = {
  readonly whole: Given;
  readonly part: Given;
  lastPart: LastPart | undefined;
};

/** The part that ended last; two kinds of event say that it did, and both repeat its text. */
type LastPart = { readonly length: number; readonly saidBy: Set<PartEnd> };
export type PartEnd = "text" | "part";

export function nothingGiven(): Given {
  return { length: 0, hash: 0 };
}

export function createTextProgress(): TextProgress {
  return { whole: nothingGiven(), part: nothingGiven(), lastPart: undefined };
}

export function give(given: Given, text: string): void {
  given.hash = hashed(text, text.length, given.hash);
  given.length += text.length;
}

/**
 * What of the whole text has not been given yet. Nothing where the text does not begin with what was given: a backend
 * that repeats a text changed would otherwise have its end told twice.
 */
export function missing(given: Given, text: string): string {
  if (text.length <= given.length) return "";
  return given.length === 0 || hashed(text, given.length, 0) === given.hash ? text.slice(given.length) : "";
}

function hashed(text: string, length: number, start: number): number {
  let hash = start;
  for (let index = 0; index < length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}

/**
 * The same for a part whose end an event tells. Parts come one after the other, and that is all that is relied on: there
 * are backends that number each delta as a part of its own (vllm-project/vllm#29947).
 */
export function missingOfPart(progress: TextProgress, saidBy: PartEnd, text: string): string {
  const { part, lastPart } = progress;
  if (text === "") return "";
  if (part.length === 0 && lastPart?.length === text.length && !lastPart.saidBy.has(saidBy)) {
    lastPart.saidBy.add(saidBy);
    return "";
  }
  const rest = missing(part, text);
  progress.lastPart = { length: text.length, saidBy: new Set([saidBy]) };
  part.length = 0;
  part.hash = 0;
  return rest;
}
