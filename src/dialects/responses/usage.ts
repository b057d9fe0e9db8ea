import type { Usage } from "../../core/usage.ts";
import { isObject, type JsonObject, tokensOf, tokensOrNone, usageFrom } from "../shared.ts";

/** Of a response, or of the event that brings one. It is null until the response has ended. */
export function responsesUsage(json: JsonObject, before: Usage | undefined): Usage | undefined {
  const { usage } = isObject(json.response) ? json.response : json;
  return (isObject(usage) ? inputUsage(usage) : undefined) ?? before;
}

/** Usage whose counts are of an input and an output, as OpenAI's newer endpoints have it; undefined where they are none. */
export function inputUsage(usage: JsonObject): Usage | undefined {
  const input = tokensOf(usage.input_tokens);
  const output = tokensOrNone(usage.output_tokens);
  if (input === undefined || output === undefined) return undefined;
  const inputDetails = isObject(usage.input_tokens_details) ? usage.input_tokens_details : {};
  const outputDetails = isObject(usage.output_tokens_details) ? usage.output_tokens_details : {};
  return usageFrom({
    input,
    cacheRead: tokensOf(inputDetails.cached_tokens),
    cacheWrite: tokensOf(inputDetails.cache_write_tokens),
    output,
    reasoning: tokensOf(outputDetails.reasoning_tokens),
    inputAudio: tokensOf(inputDetails.audio_tokens),
    inputImage: tokensOf(inputDetails.image_tokens),
    outputAudio: tokensOf(outputDetails.audio_tokens),
    outputImage: tokensOf(outputDetails.image_tokens),
  });
}
