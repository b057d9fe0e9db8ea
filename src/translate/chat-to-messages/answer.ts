import { messagesUsage } from "../../dialects/messages/usage.ts";
import { isObject, type JsonObject, objectsOf, textOf, withPrefix } from "../../dialects/shared.ts";
import type { ChatEnvelope } from "../chat/chunks.ts";
import { inputInArguments } from "../custom-tools.ts";
import { type ErrorFacts, openaiError, statusOfError } from "../errors.ts";
import { isTooDeep } from "../limits.ts";
import type { AnswerContext, TranslatedAnswer } from "../translation.ts";
import { errorOf, finishReason, NAMELESS_CALL, refusalOf, serverError } from "./end.ts";
import { customToolsOf } from "./request-tools.ts";
import { chatUsage } from "./usage.ts";

/** A message as an answer of Chat Completions. */
export function translateAnswer(message: JsonObject, context: AnswerContext): TranslatedAnswer {
  const error = errorOf(message);
  if (error !== undefined) return failed(statusOfError(error), error);
  if (!Array.isArray(message.content)) return failed(502, NO_CONTENT);
  const blocks = objectsOf(message.content);
  const calls = blocks.filter(({ type }) => type === "tool_use");
  if (calls.some(({ name }) => textOf(name) === undefined)) return failed(502, NAMELESS_CALL);
  const usage = chatUsage(messagesUsage(message, undefined));
  const finish_reason = finishReason(textOf(message.stop_reason), calls.length > 0);
  return {
    status: 200,
    body: {
      ...envelopeOf(message, context),
      object: "chat.completion",
      choices: [{ index: 0, message: said(blocks, refusalOf(message), context), logprobs: null, finish_reason }],
      ...(usage !== undefined && { usage }),
    },
  };
}

export const NO_CONTENT = serverError("bad_gateway", "The backend's answer is no message of the Messages API: it has no 'content' list.");

function failed(status: number, facts: ErrorFacts): TranslatedAnswer {
  return { status, body: openaiError(status, facts) };
}

/** What an answer and each chunk of a stream say of themselves. The model is the one that answers: it is another than was asked for. */
export function envelopeOf(message: JsonObject, { request, id, createdSeconds }: AnswerContext): ChatEnvelope {
  return {
    id: textOf(message.id) ?? withPrefix("chatcmpl-", id),
    created: createdSeconds,
    model: textOf(message.model) ?? textOf(request.model) ?? "",
  };
}

/**
 * Texts are joined without anything between them: the service cuts one text into blocks wherever a citation stands. A text
 * that nobody wrote is null, except in an answer that says nothing at all.
 */
function said(blocks: readonly JsonObject[], refusal: string | undefined, context: AnswerContext): JsonObject {
  const joined = (type: string, key: string) => blocks.map((block) => (block.type === type ? (textOf(block[key]) ?? "") : "")).join("");
  const text = joined("text", "text");
  const thinking = joined("thinking", "thinking");
  const custom = customToolsOf(context.request);
  const calls = blocks.filter(({ type }) => type === "tool_use").map((block, index) => callOf(block, index, custom, context));
  const isSilent = text === "" && (calls.length > 0 || refusal !== undefined);
  return {
    role: "assistant",
    content: isSilent ? null : text,
    refusal: refusal ?? null,
    annotations: [],
    ...(thinking !== "" && { reasoning_content: thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function callOf(block: JsonObject, index: number, custom: ReadonlySet<string>, context: AnswerContext): JsonObject {
  const name = textOf(block.name) ?? "";
  const id = callId(block, index, context);
  const argumentsText = argumentsOf(block.input);
  if (custom.has(name)) return { id, type: "custom", custom: { name, input: inputInArguments(argumentsText) } };
  return { id, type: "function", function: { name, arguments: argumentsText } };
}

/** The id that a tool's result will name; one of our own where the backend gave none. */
export function callId(block: JsonObject, index: number, { id }: AnswerContext): string {
  return textOf(block.id) ?? `call_${id}${index}`;
}

/** JSON text of an input, which should be an object; some backends send its text. */
export function argumentsOf(input: unknown): string {
  if (typeof input === "string" && input.trim() !== "") return input;
  return isObject(input) && !isTooDeep(input) ? JSON.stringify(input) : "{}";
}
