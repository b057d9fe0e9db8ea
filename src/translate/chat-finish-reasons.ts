/**
 * Words of `finish_reason` that say that the backend broke off, with OpenAI's word for the error: OpenRouter; DeepSeek; vLLM and
 * SGLang. Such an answer must not look whole.
 */
const BROKEN_OFF: ReadonlyMap<unknown, string> = new Map([
  ["error", "server_error"],
  ["insufficient_system_resource", "server_is_overloaded"],
  ["abort", "server_error"],
]);

/** Undefined for every reason that ends an answer as it should. */
export function brokenOffCode(finishReason: unknown): string | undefined {
  return BROKEN_OFF.get(finishReason);
}
