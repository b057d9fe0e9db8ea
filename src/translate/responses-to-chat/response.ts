import { responseOf } from "../../dialects/responses/answer.ts";
import { countOf, isObject, type JsonObject, textOf } from "../../dialects/shared.ts";
import { type AnswerContext, modelToName } from "../translation.ts";

/** What the envelope of an answer says. */
export type Head = {
  /** Without the prefix of any kind of id. */
  readonly id: string;
  readonly model: string;
  readonly createdSeconds: number;
};

/** From a whole answer, or from a chunk of a streamed one. */
export function headOf(answer: JsonObject, context: AnswerContext): Head {
  const { id, createdSeconds } = context;
  return {
    id: textOf(answer.id)?.replace(/^chatcmpl-/, "") || id,
    model: modelToName(context, answer.model),
    createdSeconds: countOf(answer.created) ?? createdSeconds,
  };
}

export type EndState = { readonly status: "completed" | "incomplete"; readonly reason?: string };
export type State = EndState | { readonly status: "in_progress"; readonly reason?: never };

export const IN_PROGRESS: State = { status: "in_progress" };

/** What the reason for the end makes of an answer that was not broken off. */
export function stateOf(finishReason: unknown): EndState {
  // Mistral tells apart the model's own limit; the Responses API does not.
  if (finishReason === "length" || finishReason === "model_length") return { status: "incomplete", reason: "max_output_tokens" };
  return finishReason === "content_filter" ? { status: "incomplete", reason: "content_filter" } : { status: "completed" };
}

/** The response with what the service repeats of the request. */
export function responseTo(
  request: JsonObject,
  head: Head,
  state: State,
  output: readonly JsonObject[],
  usage: JsonObject | null,
  serviceTier?: string,
): JsonObject {
  return {
    ...responseOf(head, state, output, usage),
    ...repeated(request),
    ...(serviceTier !== undefined && { service_tier: serviceTier }),
  };
}

/** The service repeats these as they were asked for; `responseOf` has its defaults for the others. */
const REPEATED = [
  "instructions",
  "max_output_tokens",
  "max_tool_calls",
  "metadata",
  "parallel_tool_calls",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
  "store",
  "temperature",
  "tool_choice",
  "tools",
  "top_logprobs",
  "top_p",
  "truncation",
  "user",
];

const DEFAULT_REASONING = { effort: null, summary: null };
const DEFAULT_TEXT = { format: { type: "text" }, verbosity: "medium" };

function repeated(request: JsonObject): JsonObject {
  const given = (value: unknown) => value !== undefined && value !== null;
  const { text, reasoning } = request;
  return {
    // No program that opens more of a model is known of.
    access_programs: null,
    ...Object.fromEntries(REPEATED.filter((name) => given(request[name])).map((name) => [name, request[name]])),
    ...(isObject(reasoning) && { reasoning: { ...DEFAULT_REASONING, ...reasoning } }),
    ...(isObject(text) && { text: { ...DEFAULT_TEXT, ...Object.fromEntries(Object.entries(text).filter(([, value]) => given(value))) } }),
  };
}

/** Null where the target gave none. */
export function usageOf(usage: unknown): JsonObject | null {
  if (!isObject(usage)) return null;
  const input = countOf(usage.prompt_tokens) ?? 0;
  const output = countOf(usage.completion_tokens) ?? 0;
  const inputDetails = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const outputDetails = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {};
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: countOf(inputDetails.cached_tokens) ?? 0,
      cache_write_tokens: countOf(inputDetails.cache_write_tokens) ?? 0,
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: countOf(outputDetails.reasoning_tokens) ?? 0 },
    total_tokens: countOf(usage.total_tokens) ?? input + output,
  };
}
