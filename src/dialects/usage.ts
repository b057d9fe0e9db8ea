import type { Usage } from "../core/usage.ts";
import { promptUsage } from "./chat/usage.ts";
import { geminiUsage } from "./gemini/usage.ts";
import { messagesUsage } from "./messages/usage.ts";
import { inputUsage } from "./responses/usage.ts";
import { isObject, type JsonObject, textOf } from "./shared.ts";

/** What tells of usage in every dialect has one of these keys with an object; `"usage":null` stands in every chunk of some. */
const USAGE_KEY = /"usage(?:Metadata)?"\s*:\s*\{/;

/** Can it be worth parsing this for usage? Cheap: every frame of a stream is asked. */
export function mayHoldUsage(text: string): boolean {
  return text.includes('"usage') && USAGE_KEY.test(text);
}

/** The model that an answer, or a payload of one, says it is from. */
export function answeredModel(json: JsonObject): string | undefined {
  return textOf(json.model) ?? modelOf(json.response) ?? modelOf(json.message) ?? textOf(json.modelVersion);
}

function modelOf(value: unknown): string | undefined {
  return isObject(value) ? textOf(value.model) : undefined;
}

/** Usage in an answer of an endpoint that speaks no dialect, such as embeddings, completions of old, images. */
export function usageOfUnknown(json: JsonObject, before: Usage | undefined): Usage | undefined {
  const { usage } = json;
  if (!isObject(usage)) return geminiUsage(json, before);
  if ("prompt_tokens" in usage) return promptUsage(usage) ?? before;
  if ("cache_read_input_tokens" in usage || "cache_creation_input_tokens" in usage) return messagesUsage(json, before);
  return inputUsage(usage) ?? before;
}
