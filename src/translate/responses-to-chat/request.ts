import { countOf, isObject, type JsonObject, textOf } from "../../dialects/shared.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../translation.ts";
import { mistakeIn } from "./check-request.ts";
import { asksForNothing, type Dropped, drop } from "./dropped.ts";
import { translateMessages } from "./messages.ts";
import { mistake } from "./mistakes.ts";
import { offeredTools } from "./tools.ts";
import { translateTools } from "./translate-tools.ts";

export function translateRequest(
  request: JsonObject,
  { systemMessages, customTools = "function" }: RequestOptions,
): TranslatedRequest | RequestMistake {
  const offered = offeredTools(request);
  const wrong = mistakeIn(request, offered);
  if (wrong !== undefined) return wrong;
  const dropped: Dropped = new Set();
  const messages = translateMessages(request, { systemMessages, offered, customTools, dropped });
  if (messages.length === 0) return mistake("input", "invalid_value", "'input' holds nothing that the target could be sent.");
  const body = {
    ...(textOf(request.model) !== undefined && { model: request.model }),
    messages,
    ...translateTools(request, offered, customTools, dropped),
    ...streaming(request),
    ...sameNames(request),
    ...limits(request),
    ...output(request, dropped),
    ...effort(request, dropped),
  };
  nameDroppedParameters(request, dropped);
  return { kind: "request", body, dropped: [...dropped] };
}

/** The usage always arrives in the Responses API. */
function streaming({ stream }: JsonObject): JsonObject {
  if (typeof stream !== "boolean") return {};
  return stream ? { stream, stream_options: { include_usage: true } } : { stream };
}

const SAME_NAMES = [
  "temperature",
  "top_p",
  "metadata",
  "user",
  "service_tier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
];

/** What says what Chat Completions does without it is left out: servers that are strict know few of these. */
const DEFAULTS: Readonly<Record<string, unknown>> = { service_tier: "auto", store: false };

function sameNames(request: JsonObject): JsonObject {
  const kept = [...SAME_NAMES, "store"].filter((name) => !asksForNothing(request[name]) && request[name] !== DEFAULTS[name]);
  return Object.fromEntries(kept.map((name) => [name, request[name]]));
}

/**
 * Every server knows `max_tokens`; Ollama and Mistral know nothing else, and Ollama would ignore `max_completion_tokens` and write
 * without an end (ollama/ollama#14464). Only OpenAI's reasoning models refuse it, with a clear error, and they have the
 * Responses API.
 */
function limits({ max_output_tokens }: JsonObject): JsonObject {
  const tokens = countOf(max_output_tokens);
  return tokens === undefined ? {} : { max_tokens: tokens };
}

const LOGPROBS = "message.output_text.logprobs";

function output({ text, top_logprobs, include }: JsonObject, dropped: Dropped): JsonObject {
  const { format, verbosity, ...rest } = isObject(text) ? text : {};
  for (const [key, value] of Object.entries(rest)) if (!asksForNothing(value)) drop(dropped, key, "text.");
  const top = countOf(top_logprobs) ?? 0;
  const included = Array.isArray(include) ? include : [];
  if (included.some((name) => name !== LOGPROBS)) drop(dropped, "include");
  return {
    ...(isObject(format) && responseFormat(format)),
    ...(textOf(verbosity) !== undefined && { verbosity }),
    ...((top > 0 || included.includes(LOGPROBS)) && { logprobs: true }),
    ...(top > 0 && { top_logprobs: top }),
  };
}

function responseFormat({ type, name, schema, strict, description }: JsonObject): JsonObject {
  if (type === "json_object") return { response_format: { type } };
  if (type !== "json_schema") return {};
  const json_schema = {
    name,
    schema,
    ...(typeof strict === "boolean" && { strict }),
    ...(typeof description === "string" && { description }),
  };
  return { response_format: { type, json_schema } };
}

/** How it shall reason has a place in Chat Completions, what it shall show of that has none. */
function effort({ reasoning }: JsonObject, dropped: Dropped): JsonObject {
  if (!isObject(reasoning)) return {};
  const { effort: asked, ...rest } = reasoning;
  for (const [key, value] of Object.entries(rest)) if (!asksForNothing(value)) drop(dropped, key, "reasoning.");
  return textOf(asked) === undefined ? {} : { reasoning_effort: asked };
}

/**
 * Read above, or answered for. `stream_options` has nothing in the Responses API but padding against eavesdroppers, which is
 * never sent on.
 */
const KNOWN: ReadonlySet<string> = new Set([
  ...SAME_NAMES,
  "background",
  "conversation",
  "include",
  "input",
  "instructions",
  "max_output_tokens",
  "model",
  "parallel_tool_calls",
  "previous_response_id",
  "prompt",
  "reasoning",
  "store",
  "stream",
  "stream_options",
  "text",
  "tool_choice",
  "tools",
  "top_logprobs",
]);

function nameDroppedParameters(request: JsonObject, dropped: Dropped): void {
  for (const [name, value] of Object.entries(request)) {
    if (KNOWN.has(name) || asksForNothing(value) || (name === "truncation" && value === "disabled")) continue;
    drop(dropped, name);
  }
}
