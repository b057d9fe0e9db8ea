import { countOf, isObject, type JsonObject } from "../../dialects/shared.ts";

export type Usage = {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly output_tokens: number;
  /** Only where the target tells it. */
  readonly output_tokens_details?: { readonly thinking_tokens: number };
};

/**
 * Chat Completions counts what comes from and goes to the cache among the prompt's tokens, the Messages API beside
 * them. DeepSeek has a name of its own for what came from the cache. Nought where nothing is known.
 */
export function usageOf(value: unknown): Usage {
  const usage: JsonObject = isObject(value) ? value : {};
  const prompt = countOf(usage.prompt_tokens) ?? 0;
  const details: JsonObject = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const read = Math.min(countOf(details.cached_tokens) ?? countOf(usage.prompt_cache_hit_tokens) ?? 0, prompt);
  const written = Math.min(countOf(details.cache_write_tokens) ?? 0, prompt - read);
  const thinking = isObject(usage.completion_tokens_details) ? countOf(usage.completion_tokens_details.reasoning_tokens) : undefined;
  return {
    input_tokens: prompt - read - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
    output_tokens: countOf(usage.completion_tokens) ?? 0,
    ...(thinking !== undefined && { output_tokens_details: { thinking_tokens: thinking } }),
  };
}
