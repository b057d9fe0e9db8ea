import type { Usage } from "../../core/usage.ts";
import { isObject, type JsonObject, tokensOf, tokensOrNone, usageFrom } from "../shared.ts";

/**
 * Of a message, of `message_start`, and of `message_delta`, whose counts are of the whole message so far. Anthropic counts
 * what came from a cache and what went into one beside the input.
 */
export function messagesUsage(json: JsonObject, before: Usage | undefined): Usage | undefined {
  const { usage } = isObject(json.message) ? json.message : json;
  if (!isObject(usage)) return before;
  const fresh = tokensOrNone(usage.input_tokens);
  const output = tokensOrNone(usage.output_tokens ?? before?.outputTokens);
  if (fresh === undefined || output === undefined || (before === undefined && tokensOf(usage.input_tokens) === undefined)) return before;
  // Some who follow Anthropic send noughts at the end for what they told at the start.
  const read = tokensOf(usage.cache_read_input_tokens) || (before?.cacheReadTokens ?? 0);
  const written = writtenOf(usage) || (before?.cacheWriteTokens ?? 0);
  const details = isObject(usage.output_tokens_details) ? usage.output_tokens_details : {};
  const lifetimes = isObject(usage.cache_creation) ? usage.cache_creation : {};
  return usageFrom({
    input: (fresh || freshOf(before)) + read + written,
    cacheRead: read,
    cacheWrite: written,
    output,
    reasoning: tokensOf(details.thinking_tokens) ?? before?.reasoningTokens,
    cacheWriteHour: tokensOf(lifetimes.ephemeral_1h_input_tokens) ?? before?.parts?.cacheWriteHour,
  });
}

function freshOf(usage: Usage | undefined): number {
  return usage === undefined ? 0 : usage.inputTokens - usage.cacheReadTokens - usage.cacheWriteTokens;
}

function writtenOf({ cache_creation_input_tokens, cache_creation }: JsonObject): number {
  const told = tokensOf(cache_creation_input_tokens);
  if (told !== undefined || !isObject(cache_creation)) return told ?? 0;
  return (tokensOf(cache_creation.ephemeral_5m_input_tokens) ?? 0) + (tokensOf(cache_creation.ephemeral_1h_input_tokens) ?? 0);
}
