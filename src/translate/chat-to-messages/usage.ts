import type { Usage } from "../../core/usage.ts";
import type { JsonObject } from "../../dialects/shared.ts";

/**
 * The Messages API counts what comes from and goes to the cache beside the input, Chat Completions among the prompt's
 * tokens. Thinking is told where there was some.
 */
export function chatUsage(usage: Usage | undefined): JsonObject | undefined {
  if (usage === undefined) return undefined;
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = usage;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cacheReadTokens, ...(cacheWriteTokens > 0 && { cache_write_tokens: cacheWriteTokens }) },
    ...(reasoningTokens > 0 && { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}
