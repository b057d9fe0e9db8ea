/** How much of a text has been given, without the text: its length and a hash. */
export type Given = { length: number; hash: number };

/** A message's text or refusal as it comes: the whole, and the part that is on its way. */
export type TextProgress = {
  readonly whole: Given;
  readonly part: Given;
  /** The same part by the numbers (`content_index`) that its deltas had. */
  readonly numbered: Map<number, Given>;
  /** The parts that ended, by their numbers. Two kinds of event say that a part did, and both repeat its text. */
  readonly ended: Map<number | undefined, EndedPart>;
  last: EndedPart | undefined;
};

type EndedPart = { readonly given: Given; readonly saidBy: Set<PartEnd> };
export type PartEnd = "text" | "part";

/** Answers have a part or two. More numbers than these are those of a backend that numbers each delta, and say nothing. */
const NUMBERS_MAX = 64;

export function nothingGiven(): Given {
  return { length: 0, hash: 0 };
}

export function createTextProgress(): TextProgress {
  return { whole: nothingGiven(), part: nothingGiven(), numbered: new Map(), ended: new Map(), last: undefined };
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
  return begins(given, text) ? text.slice(given.length) : "";
}

/** Does the text begin with what was given? */
function begins({ length, hash }: Given, text: string): boolean {
  return text.length >= length && (length === 0 || hashed(text, length, 0) === hash);
}

function hashed(text: string, length: number, start: number): number {
  let hash = start;
  for (let index = 0; index < length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}

/** A delta of the part with this number, where it has one. */
export function giveOfPart({ whole, part, numbered, ended }: TextProgress, number: number | undefined, text: string): void {
  give(whole, text);
  give(part, text);
  // What ends a part that goes on does not repeat the one before it.
  ended.delete(number);
  if (number === undefined) return;
  const known = numbered.get(number);
  if (known !== undefined) give(known, text);
  else if (numbered.size < NUMBERS_MAX) give(kept(numbered, number, nothingGiven()), text);
}

/**
 * What of a part whose end an event tells has not been given yet. Its number is not believed at once, for there are
 * backends that number each delta as a part of its own (vllm-project/vllm#29947): the text is that of all deltas since the
 * last end, as where parts come one after the other, or else that of the deltas with its number, as where they interleave.
 * Chat has one text alone: that of parts that interleave stays in the order in which it came.
 */
export function missingOfPart(progress: TextProgress, number: number | undefined, saidBy: PartEnd, text: string): string {
  if (text === "") return "";
  const repeated = repeatedPart(progress, number, saidBy, text);
  if (repeated !== undefined) {
    repeated.saidBy.add(saidBy);
    const rest = missing(repeated.given, text);
    give(repeated.given, rest);
    return rest;
  }
  const { part, numbered } = progress;
  const own = number === undefined ? undefined : numbered.get(number);
  const isOwn = own !== undefined && !begins(part, text);
  const rest = missing(isOwn ? own : part, text);
  const given = nothingGiven();
  give(given, text);
  progress.last = kept(progress.ended, number, { given, saidBy: new Set([saidBy]) });
  if (isOwn) numbered.delete(number ?? 0);
  else numbered.clear();
  // Deltas of other numbers wait for their own end.
  if (numbered.size === 0) Object.assign(part, nothingGiven());
  return rest;
}

/** The part that has ended already, and of which this is the other kind of end. */
function repeatedPart({ part, ended, last }: TextProgress, number: number | undefined, saidBy: PartEnd, text: string) {
  const known = number === undefined ? undefined : ended.get(number);
  if (known !== undefined && !known.saidBy.has(saidBy)) return known;
  return part.length === 0 && last?.given.length === text.length && !last.saidBy.has(saidBy) ? last : undefined;
}

/** Sets it; the oldest goes where there are too many. */
function kept<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.delete(key);
  if (map.size >= NUMBERS_MAX) for (const oldest of [...map.keys()].slice(0, 1)) map.delete(oldest);
  map.set(key, value);
  return value;
}
