import type { ErrorEntry, StreamErrorEntry } from "../../core/provider.ts";
import { AZURE } from "./azure.ts";
import { DEEPSEEK } from "./deepseek.ts";
import { GROQ } from "./groq.ts";
import { LLAMA_CPP } from "./llama-cpp.ts";
import { MISTRAL } from "./mistral.ts";
import { OLLAMA } from "./ollama.ts";
import { OTHERS } from "./others.ts";
import { SGLANG } from "./sglang.ts";
import type { CompatibleFault, CompatibleHost } from "./shared.ts";
import { VLLM } from "./vllm.ts";
import { XAI } from "./xai.ts";

/**
 * Hosts that speak OpenAI's dialect and are put behind the openai provider with `--upstream openai=URL`. Their errors
 * are variants of that provider's, named after the host, and stand in this order.
 */
const HOSTS: readonly CompatibleHost[] = [AZURE, MISTRAL, XAI, GROQ, DEEPSEEK, OLLAMA, LLAMA_CPP, VLLM, SGLANG, OTHERS];

function errorsOf(fault: CompatibleFault): readonly ErrorEntry[] {
  return HOSTS.flatMap((host) => host.errors[fault] ?? []);
}

export const COMPATIBLE_ERRORS: Readonly<Record<CompatibleFault, readonly ErrorEntry[]>> = {
  context_length: errorsOf("context_length"),
  rate_limit: errorsOf("rate_limit"),
  server_error: errorsOf("server_error"),
  overloaded: errorsOf("overloaded"),
  auth: errorsOf("auth"),
  quota: errorsOf("quota"),
  model_not_found: errorsOf("model_not_found"),
  content_filter: errorsOf("content_filter"),
  request_too_large: errorsOf("request_too_large"),
};

export const COMPATIBLE_STREAM_ERRORS: readonly StreamErrorEntry[] = HOSTS.flatMap((host) => host.streamErrors ?? []);
