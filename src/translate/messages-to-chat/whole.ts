import { isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { anthropicError, type ErrorFacts, errorIn, statusOfError } from "../errors.ts";
import { inputOf } from "../tool-input.ts";
import { type AnswerContext, modelToName, type TranslatedAnswer } from "../translation.ts";
import { errorOf, NAMELESS_CALL, plainError } from "./answer-error.ts";
import { brokenOff, type End, endOf, isCutShort, matchedStop } from "./end.ts";
import { type Pieces, piecesOf } from "./pieces.ts";
import { type Usage, usageOf } from "./usage.ts";

/** A whole answer of Chat Completions as a message. */
export function translateWhole(answer: JsonObject, context: AnswerContext): TranslatedAnswer {
  const choice = firstChoice(answer);
  const error = errorOf(answer) ?? (choice === undefined ? errorIn(answer) : brokenOff(textOf(choice.finish_reason)));
  if (error !== undefined) return failed(statusOfError(error), error);
  if (choice === undefined) return failed(502, plainError("the backend's answer has no choices"));
  if (!isObject(choice.message)) return failed(502, plainError("the backend's answer has a choice without a message"));
  const finish = textOf(choice.finish_reason);
  const brought = piecesOf(choice.message);
  const pieces = { ...brought, calls: brought.calls.filter(({ name }) => name !== undefined) };
  if (pieces.calls.length < brought.calls.length && !isCutShort(finish)) return failed(502, NAMELESS_CALL);
  const facts = { finish, matched: matchedStop(choice), hasCalls: pieces.calls.length > 0 };
  const end = endOf({ ...facts, isRefused: pieces.isRefused }, context.request);
  return { status: 200, body: messageOf(answer, context, contentOf(pieces, context), end, usageOf(answer.usage)) };
}

/** Only one is ever asked for. */
export function firstChoice(answer: JsonObject): JsonObject | undefined {
  return objectsOf(answer.choices).find(({ index }) => index === undefined || index === null || index === 0);
}

function failed(status: number, error: ErrorFacts): TranslatedAnswer {
  return { status, body: anthropicError(status, error) };
}

/** Thinking comes before what it led to. */
function contentOf({ thinking, text, calls }: Pieces, context: AnswerContext): readonly JsonObject[] {
  return [
    ...(thinking === "" ? [] : [thinkingBlock(thinking)]),
    ...(text === "" ? [] : [{ type: "text", text }]),
    ...calls.map(({ id, name, argumentsText }, index) => toolUseBlock(id ?? madeId(context, index), name, inputOf(argumentsText))),
  ];
}

/**
 * The signature lets the service know its own thinking again; nobody else can make one. It must stand there, or Claude
 * Code throws the block or the turn away, and may be empty, as with llama.cpp's server (ggml-org/llama.cpp#18551); the
 * official SDK takes it so. When the block comes back, it is left out of the request.
 */
export function thinkingBlock(thinking: string): JsonObject {
  return { type: "thinking", thinking, signature: "" };
}

/** The target's own ids come back with the results, so they stay as they are: Kimi's models read theirs. */
export function toolUseBlock(id: string, name: string | undefined, input: JsonObject): JsonObject {
  return { type: "tool_use", id, name: name ?? "", input, caller: { type: "direct" } };
}

/** For a call without an id. */
export function madeId({ id }: AnswerContext, index: number): string {
  return `toolu_${id}${index}`;
}

/** A message, whole or as it stands when its stream begins. Every count is there, which readers of usage rely on. */
export function messageOf(
  answer: JsonObject,
  context: AnswerContext,
  content: readonly JsonObject[],
  end: End | { readonly [key in keyof End]: null },
  { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens, ...details }: Usage,
): JsonObject {
  return {
    model: modelToName(context, answer.model),
    id: `msg_${textOf(answer.id)?.replace(/^chatcmpl-/, "") ?? context.id}`,
    type: "message",
    role: "assistant",
    content,
    ...end,
    usage: {
      input_tokens,
      cache_creation_input_tokens,
      cache_read_input_tokens,
      cache_creation: { ephemeral_5m_input_tokens: cache_creation_input_tokens, ephemeral_1h_input_tokens: 0 },
      output_tokens,
      service_tier: "standard",
      ...details,
    },
  };
}
