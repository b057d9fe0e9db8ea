import type { Usage } from "../../core/usage.ts";
import { isObject, type JsonObject, tokensOf, tokensOrNone, usageFrom } from "../shared.ts";

/** Of a whole answer or of any chunk: counts of a stream are of all of it so far. Groq has them in a place of its own too. */
export function chatUsage(json: JsonObject, before: Usage | undefined): Usage | undefined {
  const told = isObject(json.usage) ? promptUsage(json.usage) : undefined;
  return told ?? (isObject(json.x_groq) && isObject(json.x_groq.usage) ? promptUsage(json.x_groq.usage) : undefined) ?? before;
}

/** Usage whose counts are of a prompt and a completion; undefined where they are none. */
export function promptUsage(usage: JsonObject): Usage | undefined {
  const prompt = promptOf(usage);
  const completion = tokensOrNone(usage.completion_tokens);
  if (prompt === undefined || completion === undefined) return undefined;
  const promptDetails = detailsOf(usage.prompt_tokens_details);
  const completionDetails = detailsOf(usage.completion_tokens_details);
  const cacheRead = cacheReadOf(usage, promptDetails);
  const cacheWrite = cacheWriteOf(usage, promptDetails);
  // Databricks counts beside the prompt what does not fit into it.
  const isBeside = promptDetails.cached_tokens === undefined && cacheRead + cacheWrite > prompt;
  const input = isBeside ? prompt + cacheRead + cacheWrite : prompt;
  const beside = besideCompletion(usage, input, completion, completionDetails);
  return usageFrom({
    input,
    cacheRead,
    cacheWrite,
    output: completion + beside,
    reasoning: Math.max(tokensOf(completionDetails.reasoning_tokens) ?? 0, beside),
    inputAudio: tokensOf(promptDetails.audio_tokens),
    inputImage: tokensOf(promptDetails.image_tokens),
    outputAudio: tokensOf(completionDetails.audio_tokens),
    outputImage: tokensOf(completionDetails.image_tokens),
  });
}

const NO_DETAILS: JsonObject = {};

function detailsOf(value: unknown): JsonObject {
  return isObject(value) ? value : NO_DETAILS;
}

/** Some who follow DeepSeek give the prompt in two parts alone. */
function promptOf(usage: JsonObject): number | undefined {
  const hit = tokensOf(usage.prompt_cache_hit_tokens);
  const miss = tokensOf(usage.prompt_cache_miss_tokens);
  return usage.prompt_tokens === undefined && hit !== undefined && miss !== undefined ? hit + miss : tokensOf(usage.prompt_tokens);
}

/**
 * OpenAI, OpenRouter (`cache_write_tokens`) and DeepSeek count what came from a cache as a part of the prompt. Databricks
 * has Anthropic's names for it beside a prompt that includes it (databricks/databricks-ai-bridge#446); where it is more than
 * the whole prompt, it was counted as Anthropic does, beside it.
 */
function cacheReadOf(usage: JsonObject, details: JsonObject): number {
  return tokensOf(details.cached_tokens) ?? tokensOf(usage.prompt_cache_hit_tokens) ?? tokensOf(usage.cache_read_input_tokens) ?? 0;
}

function cacheWriteOf(usage: JsonObject, details: JsonObject): number {
  return tokensOf(details.cache_write_tokens) ?? tokensOf(usage.cache_creation_input_tokens) ?? 0;
}

/** xAI leaves reasoning out of the completion, and Google's OpenAI form does not name it at all: the total then holds more than both. */
function besideCompletion(usage: JsonObject, input: number, completion: number, details: JsonObject): number {
  const told = tokensOf(details.reasoning_tokens) ?? 0;
  const beyond = Math.max(0, (tokensOf(usage.total_tokens) ?? 0) - input - completion);
  return beyond === 0 && told > completion ? told : beyond;
}
