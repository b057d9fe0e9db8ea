import { type JsonObject, objectsOf, textOf, withPrefix } from "../../dialects/shared.ts";
import type { ChatEnvelope } from "../chat/chunks.ts";
import { openaiError, statusOfError } from "../errors.ts";
import { type AnswerContext, modelToName, type TranslatedAnswer } from "../translation.ts";
import { createIds } from "./call-ids.ts";
import { failureOf, finishReason } from "./finish.ts";
import { type Call, inputKey, type Messages, readCall, readMessages } from "./items.ts";
import { choiceLogprobs } from "./logprobs.ts";
import { chatUsage } from "./usage.ts";

export function translateAnswer(response: JsonObject, context: AnswerContext): TranslatedAnswer {
  const failure = failureOf(response);
  if (failure !== undefined) {
    const status = statusOfError(failure);
    return { status, body: openaiError(status, failure) };
  }
  if (!Array.isArray(response.output)) return badAnswer(NO_OUTPUT);
  const items = objectsOf(response.output);
  const calls = items.flatMap((item) => readCall(item) ?? []);
  if (calls.some(({ name }) => name === undefined)) return badAnswer("The backend's answer has a tool call without a name.");
  const usage = chatUsage(response.usage);
  const service_tier = textOf(response.service_tier);
  const messages = readMessages(items, 0, context.request.logprobs === true);
  const finish_reason = finishReason(response, response.status === "incomplete", calls.length > 0);
  return {
    status: 200,
    body: {
      ...envelopeOf(response, context),
      object: "chat.completion",
      choices: [{ index: 0, message: messageOf(messages, calls, context.id), logprobs: choiceLogprobs(messages.logprobs), finish_reason }],
      ...(usage !== undefined && { usage }),
      ...(service_tier !== undefined && { service_tier }),
    },
  };
}

export const NO_OUTPUT = "The backend's answer is no response of the Responses API: it has no 'output' list.";

function badAnswer(message: string): TranslatedAnswer {
  return { status: 502, body: openaiError(502, { message, type: "server_error", code: "bad_gateway", param: null }) };
}

/** What an answer and each chunk of a stream say of themselves. */
export function envelopeOf(response: JsonObject, context: AnswerContext): ChatEnvelope {
  const { id, createdSeconds } = context;
  const { created_at } = response;
  const isTime = typeof created_at === "number" && Number.isFinite(created_at) && created_at >= 0;
  return {
    id: textOf(response.id) ?? withPrefix("chatcmpl-", id),
    created: isTime ? Math.floor(created_at) : createdSeconds,
    model: modelToName(context, response.model),
  };
}

/** A text that nobody wrote is null, except in an answer that says nothing at all. */
function messageOf({ text, refusal, annotations }: Messages, calls: readonly Call[], id: string): JsonObject {
  const unused = createIds();
  const isSilent = text === "" && (calls.length > 0 || refusal !== "");
  return {
    role: "assistant",
    content: isSilent ? null : text,
    refusal: refusal === "" ? null : refusal,
    annotations,
    ...(calls.length > 0 && { tool_calls: calls.map((call, index) => toolCall(call, unused(callId(call, index, id)))) }),
  };
}

function toolCall({ kind, name, input }: Call, id: string): JsonObject {
  return { id, type: kind, [kind]: { name, [inputKey(kind)]: input } };
}

/** The id that a tool's result will name; one of our own where the backend gave none. `id` is the exchange's. */
export function callId(call: Call, index: number, id: string): string {
  return call.id ?? `call_${id}${index}`;
}
