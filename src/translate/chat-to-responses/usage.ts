import { countOf, isObject, type JsonObject } from "../../dialects/shared.ts";

/** Counts that both APIs name alike (openai resources/completions, CompletionUsage). */
const INPUT_DETAILS = ["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "text_tokens"] as const;
const OUTPUT_DETAILS = [
  "reasoning_tokens",
  "audio_tokens",
  "text_tokens",
  "accepted_prediction_tokens",
  "rejected_prediction_tokens",
] as const;

/** Undefined where the response says nothing of it. */
export function chatUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const input = countOf(usage.input_tokens);
  const output = countOf(usage.output_tokens);
  if (input === undefined && output === undefined) return undefined;
  const prompt_tokens = input ?? 0;
  const completion_tokens = output ?? 0;
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: countOf(usage.total_tokens) ?? prompt_tokens + completion_tokens,
    ...details("prompt_tokens_details", usage.input_tokens_details, INPUT_DETAILS),
    ...details("completion_tokens_details", usage.output_tokens_details, OUTPUT_DETAILS),
  };
}

function details(name: string, holder: unknown, keys: readonly string[]): JsonObject {
  if (!isObject(holder)) return {};
  const counts = keys.flatMap((key) => {
    const count = countOf(holder[key]);
    return count === undefined ? [] : [[key, count] as const];
  });
  return { [name]: Object.fromEntries(counts) };
}
