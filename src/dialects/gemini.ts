import type { Answer, Dialect, Envelope, Finish, Payload } from "../core/dialect.ts";
import type { RequestFacts } from "../core/exchange.ts";
import type { Framing } from "../core/frame.ts";
import { JSON_ARRAY } from "../stream/json-array.ts";
import { SSE } from "../stream/sse.ts";
import { WHOLE } from "../stream/whole.ts";
import { geminiStreamErrors } from "./gemini/stream-errors.ts";
import { geminiUsage } from "./gemini/usage.ts";
import {
  type Budget,
  charactersIn,
  countOf,
  createBudget,
  decodeSegment,
  factsFromPath,
  isObject,
  type JsonObject,
  objectsOf,
  parseObject,
  textOf,
  textsOf,
  tokensIn,
  turnText,
} from "./shared.ts";

/** Google's `generateContent` and `streamGenerateContent`. */
export const gemini: Dialect = {
  name: "gemini",
  matches: (path) => /:(?:generateContent|streamGenerateContent)$/.test(path),
  facts: (path, _query, json) => readFacts(path, json),
  framing: framingOf,
  isContent: ({ data }) => bringsOutput(parseObject(data)),
  isTerminal: ({ data }) => isLast(parseObject(data)),
  streamErrors: geminiStreamErrors(),
  keepalive: undefined,
  whole: renderWhole,
  frames: renderFrames,
  usage: geminiUsage,
  withoutUsage: () => withoutUsage,
  endedByLength,
};

function isStream(path: string): boolean {
  return path.endsWith(":streamGenerateContent");
}

/** Google takes `$alt` for `alt` too. */
function framingOf(path: string, query: string): Framing {
  if (!isStream(path)) return WHOLE;
  const parameters = new URLSearchParams(query);
  return (parameters.get("alt") ?? parameters.get("$alt")) === "sse" ? SSE : JSON_ARRAY;
}

function readFacts(path: string, json: unknown): RequestFacts {
  const inPath = decodeSegment(/\/([^/:]+):[A-Za-z]+$/.exec(path)?.[1]);
  if (!isObject(json)) return factsFromPath(inPath, isStream(path), true);
  const contents = objectsOf(json.contents);
  const config = [json.generationConfig, json.generation_config].find(isObject) ?? {};
  const inputCharacters =
    charactersIn(json.systemInstruction) + charactersIn(json.system_instruction) + charactersIn(contents) + charactersIn(json.tools);
  return {
    model: inPath ?? textOf(json.model),
    stream: isStream(path),
    session: undefined,
    user: undefined,
    inputCharacters,
    inputTokens: tokensIn(inputCharacters),
    outputTokensMax: countOf(config.maxOutputTokens) ?? countOf(config.max_output_tokens),
    tools: toolNames(json),
    prompt: turnText(contents.findLast((turn) => turn.role !== "model" && turnText(turn.parts) !== "")?.parts),
    afterToolResult: objectsOf(contents.at(-1)?.parts).some((part) => "functionResponse" in part || "function_response" in part),
    usageInStream: true,
  };
}

function toolNames(json: JsonObject): readonly string[] {
  const declarations = objectsOf(json.tools).flatMap((tool) => objectsOf(tool.functionDeclarations ?? tool.function_declarations));
  return textsOf(declarations.map((declaration) => declaration.name));
}

function partsOf(candidate: JsonObject): readonly JsonObject[] {
  return isObject(candidate.content) ? objectsOf(candidate.content.parts) : [];
}

/** A part with anything but an empty text. */
function bringsOutput(chunk: JsonObject | undefined): boolean {
  return objectsOf(chunk?.candidates).some((candidate) =>
    partsOf(candidate).some((part) => textOf(part.text) !== undefined || !("text" in part)),
  );
}

function isLast(chunk: JsonObject | undefined): boolean {
  const feedback = chunk?.promptFeedback;
  const isBlocked = isObject(feedback) && textOf(feedback.blockReason) !== undefined;
  return isBlocked || objectsOf(chunk?.candidates).some((candidate) => textOf(candidate.finishReason) !== undefined);
}

// ---- answers ----

const FINISH_REASONS: Readonly<Record<Finish, string>> = {
  stop: "STOP",
  length: "MAX_TOKENS",
  // There is no reason of its own for a call.
  tool_calls: "STOP",
  content_filter: "SAFETY",
};

function chunkOf(candidate: JsonObject, usage: JsonObject, envelope: Envelope): JsonObject {
  return { candidates: [{ ...candidate, index: 0 }], usageMetadata: usage, modelVersion: envelope.model, responseId: envelope.id };
}

function usageOf({ inputTokens }: Answer, outputTokens: number | undefined): JsonObject {
  return {
    promptTokenCount: inputTokens,
    ...(outputTokens !== undefined && { candidatesTokenCount: outputTokens }),
    totalTokenCount: inputTokens + (outputTokens ?? 0),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: inputTokens }],
  };
}

/** The calls as parts, or undefined where one has arguments that do not parse: then the service gives up the whole turn. */
function callParts({ toolCalls }: Answer): readonly JsonObject[] | undefined {
  const parts = toolCalls.map(({ name, argumentsText }) => ({ name, args: parseObject(argumentsText === "" ? "{}" : argumentsText) }));
  return parts.some(({ args }) => args === undefined) ? undefined : parts.map((functionCall) => ({ functionCall }));
}

function malformed({ toolCalls }: Answer): JsonObject {
  const call = toolCalls.find(({ argumentsText }) => parseObject(argumentsText) === undefined);
  return {
    content: {},
    finishReason: "MALFORMED_FUNCTION_CALL",
    finishMessage: `Malformed function call: ${call?.name ?? ""}${call?.argumentsText ?? ""}`,
  };
}

/** A refusal is text like any other. */
function textPieces({ text, refusal }: Answer): readonly string[] {
  return refusal === undefined ? text : [...text, refusal];
}

function renderWhole(answer: Answer, envelope: Envelope): string {
  const calls = callParts(answer);
  const text = textPieces(answer).join("");
  const parts = [...(text === "" ? [] : [{ text }]), ...(calls ?? [])];
  const candidate =
    calls === undefined
      ? malformed(answer)
      : { content: { ...(parts.length > 0 && { parts }), role: "model" }, finishReason: FINISH_REASONS[answer.finish] };
  return JSON.stringify(chunkOf(candidate, usageOf(answer, answer.outputTokens), envelope), null, 2);
}

/** The last chunk brings an empty text, the reason and the final usage; an answer with nothing in it has no parts at all. */
function renderFrames(answer: Answer, envelope: Envelope): readonly Payload[] {
  const calls = callParts(answer);
  const pieces = textPieces(answer);
  const payload = (candidate: JsonObject, outputTokens: number | undefined): Payload => ({
    event: undefined,
    data: JSON.stringify(chunkOf(candidate, usageOf(answer, outputTokens), envelope)),
  });
  const content = (parts: readonly JsonObject[]) => ({ content: { parts, role: "model" } });
  const isEmpty = pieces.length === 0 && calls?.length === 0;
  const end = { ...(isEmpty ? { content: { role: "model" } } : content([{ text: "" }])), finishReason: FINISH_REASONS[answer.finish] };
  return [
    ...pieces.map((text) => payload(content([{ text }]), undefined)),
    ...(calls !== undefined && calls.length > 0 ? [payload(content(calls), undefined)] : []),
    payload(calls === undefined ? malformed(answer) : end, answer.outputTokens),
  ];
}

// ---- rewriters ----

function withoutUsage(payload: string): string {
  if (!payload.includes('"usageMetadata"')) return payload;
  const json = parseObject(payload);
  if (json?.usageMetadata === undefined) return payload;
  const { usageMetadata: _left, ...rest } = json;
  return JSON.stringify(rest);
}

/** Used on a whole answer too, which differs from a chunk in nothing: it is one that brings output and is the last. */
function endedByLength(contentFramesMax: number): (payload: string) => string | undefined {
  let contentFrames = 0;
  let framesRead = 0;
  return (payload) => {
    const json = parseObject(payload);
    const candidates = objectsOf(json?.candidates);
    const isWhole = framesRead++ === 0 && isLast(json);
    if (candidates.length === 0) return payload;
    if (isWhole) {
      const budget = createBudget(contentFramesMax);
      return JSON.stringify({ ...json, candidates: candidates.map((candidate) => ended(cutCandidate(candidate, budget))) });
    }
    const isOver = contentFrames >= contentFramesMax && bringsOutput(json);
    if (!isOver && bringsOutput(json)) contentFrames++;
    if (isOver && !isLast(json)) return undefined;
    if (!isOver && !candidates.some(endsOtherwise)) return payload;
    return JSON.stringify({ ...json, candidates: candidates.map((candidate) => ended(isOver ? emptied(candidate) : candidate)) });
  };
}

function endsOtherwise({ finishReason }: JsonObject): boolean {
  return typeof finishReason === "string" && finishReason !== "MAX_TOKENS";
}

function ended(candidate: JsonObject): JsonObject {
  if (!endsOtherwise(candidate)) return candidate;
  const { finishMessage: _left, ...rest } = candidate;
  return { ...rest, finishReason: "MAX_TOKENS" };
}

function emptied(candidate: JsonObject): JsonObject {
  return { ...candidate, content: { parts: [{ text: "" }], role: "model" } };
}

/** A call is not cut in two: the service sends it whole or not at all. */
function cutCandidate(candidate: JsonObject, budget: Budget): JsonObject {
  const parts = partsOf(candidate).flatMap((part) => {
    if (budget.isSpent()) return [];
    if (typeof part.text === "string") return [{ ...part, text: budget.take(part.text) }];
    const text = JSON.stringify(part);
    return budget.take(text) === text ? [part] : [];
  });
  const content = isObject(candidate.content) ? candidate.content : { role: "model" };
  const { parts: _cut, ...rest } = content;
  return { ...candidate, content: parts.length > 0 ? { parts, ...rest } : rest };
}
