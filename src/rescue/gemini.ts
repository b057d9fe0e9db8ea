import type { Payload } from "../core/dialect.ts";
import { countOf, isObject, type JsonObject, objectsOf, parseObject, textOf } from "../dialects/shared.ts";
import { createChoices } from "./choices.ts";
import type { PartialAnswer, RescueDialect } from "./partial-answer.ts";
import { rewritten } from "./rewritten.ts";
import { createSaid } from "./said.ts";
import { createSeam, type Seam, toldOf } from "./seam.ts";

export const gemini: RescueDialect = {
  partial: createPartial,
  error: ({ message, status }) => [
    { event: undefined, data: JSON.stringify({ error: { code: codeOf(status), message, status: wordOf(status) } }) },
  ],
  terminator: [],
  finish: createFinish,
};

/** Google's client takes no other for an error. */
function codeOf(status: number): number {
  return Number.isInteger(status) && status >= 400 && status < 600 ? status : 500;
}

const WORDS: ReadonlyMap<number, string> = new Map([
  [429, "RESOURCE_EXHAUSTED"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
  [504, "DEADLINE_EXCEEDED"],
]);

function wordOf(status: number): string {
  return WORDS.get(status) ?? "INTERNAL";
}

// ---- what is there ----

function createPartial(): PartialAnswer {
  const said = createSaid();
  const isFinished = createFinish();
  let isOver = false;
  let hasThought = false;
  let id: string | undefined;

  const notePart = (part: JsonObject) => {
    if (isThought(part)) hasThought = true;
    else if (typeof part.text === "string") said.add(part.text);
    if (typeof part.text !== "string" || isSigned(part)) said.spoil();
  };

  return {
    note(payload) {
      isOver = isFinished(payload);
      const chunk = parseObject(payload.data);
      id ??= textOf(chunk?.responseId);
      for (const candidate of objectsOf(chunk?.candidates)) {
        if ((countOf(candidate.index) ?? 0) > 0) said.spoil();
        for (const part of partsOf(candidate)) notePart(part);
      }
    },
    id: () => id,
    isEmpty: () => !isOver && !hasThought && said.text() === "",
    continuing(request) {
      const text = said.text();
      if (isOver || text === undefined || asksForSeveral(request) || (hasThought && text === "")) return undefined;
      return withPrefill(request, toldOf(text));
    },
    splice: () => createSplice(id, said.text() ?? ""),
  };
}

function partsOf({ content }: JsonObject): readonly JsonObject[] {
  return isObject(content) ? objectsOf(content.parts) : [];
}

function isThought({ thought }: JsonObject): boolean {
  return thought === true;
}

function isSigned({ thoughtSignature, thought_signature }: JsonObject): boolean {
  return textOf(thoughtSignature ?? thought_signature) !== undefined;
}

function asksForSeveral({ generationConfig, generation_config }: JsonObject): boolean {
  const config = [generationConfig, generation_config].find(isObject) ?? {};
  return (countOf(config.candidateCount ?? config.candidate_count) ?? 1) > 1;
}

// ---- going on ----

/** The client may have begun the answer itself: then its last turn goes on. */
function withPrefill(request: JsonObject, told: string): JsonObject | undefined {
  const turns: unknown = isObject(request.contents) ? [request.contents] : request.contents;
  if (!Array.isArray(turns)) return undefined;
  if (told === "") return request;
  const last: unknown = turns.at(-1);
  const isBegun = isObject(last) && last.role === "model" && Array.isArray(last.parts);
  if (!isBegun) return { ...request, contents: [...turns, { role: "model", parts: [{ text: told }] }] };
  return { ...request, contents: turns.with(-1, { ...last, parts: [...objectsOf(last.parts), { text: told }] }) };
}

/** Each chunk stands for itself, and keeps the model that it names: it is the one that went on. */
function createSplice(id: string | undefined, text: string): (payload: Payload) => readonly Payload[] {
  const seam = createSeam(text);
  const leavesThoughts = text !== "";
  return (payload) => {
    const chunk = parseObject(payload.data);
    if (chunk === undefined || isObject(chunk.error)) return [payload];
    const candidates: readonly unknown[] = Array.isArray(chunk.candidates) ? chunk.candidates : [];
    const fitted = candidates.map((candidate) => (isObject(candidate) ? fitCandidate(candidate, leavesThoughts, seam) : candidate));
    const isChanged = fitted.some((candidate, index) => candidate !== candidates[index]);
    if (isChanged && fitted.every(saysNothing)) return [];
    const isOfOther = "responseId" in chunk && id !== undefined && chunk.responseId !== id;
    if (!isChanged && !isOfOther) return [payload];
    return [rewritten(payload, { ...chunk, ...(isChanged && { candidates: fitted }), ...(isOfOther && { responseId: id }) })];
  };
}

/** The same object where it loses nothing. */
function fitCandidate(candidate: JsonObject, leavesThoughts: boolean, seam: Seam): JsonObject {
  const { content } = candidate;
  if (!isObject(content)) return candidate;
  const parts = partsOf(candidate);
  const fitted = parts.flatMap((part) => (leavesThoughts && isThought(part) ? [] : [fitPart(part, seam)]));
  const isSame = fitted.length === parts.length && fitted.every((part, index) => part === parts[index]);
  return isSame ? candidate : { ...candidate, content: { ...content, parts: fitted.length === 0 ? [{ text: "" }] : fitted } };
}

function fitPart(part: JsonObject, seam: Seam): JsonObject {
  if (typeof part.text !== "string" || isThought(part)) return part;
  const text = seam(part.text);
  return text === part.text ? part : { ...part, text };
}

function saysNothing(candidate: unknown): boolean {
  return isObject(candidate) && textOf(candidate.finishReason) === undefined && partsOf(candidate).every(isEmpty);
}

function isEmpty(part: JsonObject): boolean {
  return part.text === "" && !isSigned(part);
}

// ---- the end ----

function createFinish(): (payload: Payload) => boolean {
  const choices = createChoices();
  let isBlocked = false;
  return ({ data }) => {
    const chunk = parseObject(data);
    const feedback = chunk?.promptFeedback;
    isBlocked ||= isObject(feedback) && textOf(feedback.blockReason) !== undefined;
    for (const { index, finishReason } of objectsOf(chunk?.candidates)) choices.see(index, textOf(finishReason) !== undefined);
    return isBlocked || choices.areFinished();
  };
}
