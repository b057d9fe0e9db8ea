import type { Usage } from "../../core/usage.ts";
import { isObject, type JsonObject, objectsOf, tokensOf, tokensOrNone, usageFrom } from "../shared.ts";

/**
 * Of an answer or of a chunk, whose counts are of all so far; one that does not name a count leaves it as it was. Google
 * counts thoughts beside the candidates, and what its tools gave the model beside the prompt (GenerateContentResponse,
 * UsageMetadata: the total is the sum of the four).
 */
export function geminiUsage(json: JsonObject, before: Usage | undefined): Usage | undefined {
  const usage = json.usageMetadata;
  if (!isObject(usage)) return before;
  const { promptTokenCount, toolUsePromptTokenCount, candidatesTokenCount, thoughtsTokenCount, cachedContentTokenCount } = usage;
  const prompt = tokensOrNone(promptTokenCount);
  const tools = tokensOrNone(toolUsePromptTokenCount);
  const candidates = tokensOrNone(candidatesTokenCount ?? (before && before.outputTokens - before.reasoningTokens));
  const thoughts = tokensOrNone(thoughtsTokenCount ?? before?.reasoningTokens);
  if (prompt === undefined || tools === undefined || candidates === undefined || thoughts === undefined) return before;
  if (promptTokenCount === undefined && before === undefined) return undefined;
  return usageFrom({
    input: promptTokenCount === undefined ? (before?.inputTokens ?? 0) : prompt + tools,
    cacheRead: tokensOf(cachedContentTokenCount) ?? before?.cacheReadTokens,
    output: candidates + thoughts,
    reasoning: thoughts,
    inputAudio: modality(usage.promptTokensDetails, "AUDIO") ?? before?.parts?.inputAudio,
    inputImage: modality(usage.promptTokensDetails, "IMAGE") ?? before?.parts?.inputImage,
    outputAudio: modality(usage.candidatesTokensDetails, "AUDIO") ?? before?.parts?.outputAudio,
    outputImage: modality(usage.candidatesTokensDetails, "IMAGE") ?? before?.parts?.outputImage,
  });
}

function modality(details: unknown, name: string): number | undefined {
  return tokensOf(objectsOf(details).find((detail) => detail.modality === name)?.tokenCount);
}
