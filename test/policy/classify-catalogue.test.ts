import { describe, expect, test } from "bun:test";
import type { FailureClass } from "../../src/core/failure.ts";
import type { HeaderList } from "../../src/core/headers.ts";
import { type ErrorEntry, HTTP_FAULT_NAMES, type HttpFaultName, PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { classify, classifyStreamError } from "../../src/policy/classify.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { type SentError, send } from "../providers/error-facts.ts";

type Expected = FailureClass | "none";

/** The class of every form in every catalogue. `none`: an answer, no error. */
const CLASSES: Readonly<Record<ProviderName, Readonly<Record<HttpFaultName, Readonly<Record<string, Expected>>>>>> = {
  openai: {
    context_length: {
      chat: "context_window",
      completion: "context_window",
      responses: "context_window",
      mistral: "context_window",
      xai: "context_window",
      xai_budget: "context_window",
      groq: "context_window",
      deepseek: "context_window",
      ollama: "context_window",
      ollama_compat: "context_window",
      llama_cpp: "context_window",
      llama_cpp_old: "context_window",
      vllm: "context_window",
      copilot: "context_window",
      lm_studio: "context_window",
      kimi: "context_window",
      minimax: "context_window",
      cerebras: "client",
    },
    rate_limit: {
      tokens: "local_rate_limit",
      requests: "local_rate_limit",
      request_too_large: "local_rate_limit",
      slow_down: "local_rate_limit",
      usage_limit_reached: "quota",
      azure: "local_rate_limit",
      azure_call: "local_rate_limit",
      mistral: "global_rate_limit",
      mistral_raw_status: "global_rate_limit",
      mistral_gateway: "global_rate_limit",
      xai: "global_rate_limit",
      groq: "local_rate_limit",
      deepseek: "global_rate_limit",
    },
    server_error: {
      internal_server_error: "degraded",
      server_error: "degraded",
      deepseek: "degraded",
      ollama_compat: "degraded",
      vllm: "degraded",
      sglang: "degraded",
    },
    overloaded: {
      server_is_overloaded: "degraded",
      at_capacity: "degraded",
      slow_down: "degraded",
      mistral: "global_rate_limit",
      mistral_3505: "global_rate_limit",
      deepseek: "degraded",
      ollama: "degraded",
      ollama_compat: "degraded",
    },
    auth: { invalid_api_key: "auth", azure: "auth", mistral: "auth", mistral_gateway: "auth", xai: "auth", deepseek: "auth" },
    permission: { unsupported_country: "auth", model_access: "client" },
    quota: {
      insufficient_quota: "quota",
      credit_balance_exhausted: "quota",
      organization_spend_limit_exceeded: "quota",
      project_spend_limit_exceeded: "quota",
      organization_usage_limit_exceeded: "quota",
      deepseek: "quota",
    },
    model_not_found: { model_not_found: "client", azure: "client", mistral: "client", ollama: "client", ollama_compat: "client" },
    content_filter: {
      content_policy_violation: "content_filter",
      invalid_prompt: "content_filter",
      cyber_policy: "content_filter",
      azure: "content_filter",
    },
    request_too_large: { body: "client", nginx: "client", groq: "local_rate_limit", cerebras: "client" },
    timeout: { cloudflare: "degraded", request_timeout: "degraded", edge_524: "degraded" },
    bad_gateway: { cloudflare: "degraded", nginx: "degraded" },
  },
  anthropic: {
    context_length: { prompt: "context_window", max_tokens: "context_window", size: "context_window", vertex: "context_window" },
    rate_limit: {
      current: "local_rate_limit",
      "2025": "local_rate_limit",
      account: "local_rate_limit",
      acceleration: "local_rate_limit",
      spend_cap: "quota",
    },
    server_error: { overloaded: "degraded", api_error: "degraded" },
    overloaded: { overloaded: "degraded", bare: "degraded" },
    auth: { api_key: "auth" },
    permission: { permission: "auth" },
    quota: { credit: "quota", billing: "quota", spend_cap: "quota" },
    model_not_found: { model: "client" },
    content_filter: { output_blocked: "content_filter" },
    request_too_large: { bytes: "client", size: "context_window", vertex: "context_window" },
    timeout: { timeout_error: "degraded", cloudflare: "degraded", edge_524: "degraded" },
    bad_gateway: { cloudflare: "degraded", nginx: "degraded" },
  },
  google: {
    context_length: { tokens: "context_window" },
    rate_limit: {
      full: "global_rate_limit",
      minimal: "global_rate_limit",
      per_day: "quota",
      tokens: "global_rate_limit",
      zero_limit: "global_rate_limit",
      bare: "global_rate_limit",
      vertex: "local_rate_limit",
      vertex_array: "local_rate_limit",
      code_assist: "local_rate_limit",
      interactions: "global_rate_limit",
    },
    server_error: { overloaded: "degraded", internal: "degraded" },
    overloaded: { overloaded: "degraded", high_demand: "degraded", no_capacity: "local_rate_limit" },
    auth: { api_key: "auth", unauthenticated: "auth" },
    permission: { permission_denied: "auth", region: "client" },
    quota: { per_day: "quota", interactions: "quota" },
    model_not_found: { model: "client", interactions: "client" },
    content_filter: { prompt_blocked: "none", prohibited_content: "none", finish_safety: "none" },
    request_too_large: { payload: "client", payload_413: "client" },
    timeout: { deadline_exceeded: "degraded", interactions: "degraded" },
    bad_gateway: { front_end: "degraded", nginx: "degraded" },
  },
  openrouter: {
    context_length: { endpoint: "context_window", typed: "context_window" },
    rate_limit: { own: "local_rate_limit", upstream: "local_rate_limit", typed: "local_rate_limit" },
    server_error: { internal: "degraded", provider: "degraded", typed: "degraded" },
    overloaded: { unavailable: "degraded", provider: "degraded", typed: "degraded" },
    auth: { missing_header: "auth", user_not_found: "auth", typed: "auth" },
    permission: { management_key: "auth", typed: "auth" },
    quota: { credits: "quota", in_flight_budget: "local_rate_limit", typed: "quota" },
    model_not_found: { invalid_id: "client", not_found: "client", typed: "client" },
    content_filter: { moderation: "content_filter", typed: "content_filter" },
    request_too_large: { payload: "client", typed: "client" },
    timeout: { operation: "degraded", edge: "degraded", typed: "degraded" },
    bad_gateway: { cloudflare: "degraded", provider: "degraded" },
  },
  tetrate: {
    context_length: { context: "context_window", in_200: "context_window" },
    rate_limit: { rate: "local_rate_limit", in_200: "local_rate_limit" },
    server_error: { unavailable: "degraded", internal: "degraded", in_200: "degraded" },
    overloaded: { unavailable: "degraded", in_200: "degraded" },
    auth: { api_key: "auth", in_200: "auth" },
    permission: { forbidden: "auth", in_200: "auth" },
    quota: { credits: "quota", in_200: "quota" },
    model_not_found: { model: "client", in_200: "client" },
    content_filter: { filtered: "content_filter" },
    request_too_large: { body: "client" },
    timeout: { upstream: "degraded", nginx: "degraded" },
    bad_gateway: { nginx: "degraded", cloudflare: "degraded" },
  },
  databricks: {
    context_length: { invalid_parameter: "context_window", wrapped_anthropic: "context_window", wrapped_prompt: "context_window" },
    rate_limit: {
      rate_limit_exceeded: "local_rate_limit",
      qps: "local_rate_limit",
      output_tokens: "local_rate_limit",
      input_tokens: "local_rate_limit",
    },
    server_error: { internal_error: "degraded", unknown: "degraded" },
    overloaded: { temporarily_unavailable: "degraded" },
    auth: { unauthenticated: "auth", invalid_token: "auth" },
    permission: { permission_denied: "auth" },
    quota: { resource_exhausted: "quota" },
    model_not_found: { endpoint: "client" },
    content_filter: { guardrail: "content_filter" },
    request_too_large: { payload: "client" },
    timeout: { deadline: "degraded", nginx: "degraded" },
    bad_gateway: { nginx: "degraded", cloudflare: "degraded" },
  },
};

type Case = readonly [name: string, provider: ProviderName, fault: HttpFaultName, entry: ErrorEntry];

const CASES: readonly Case[] = PROVIDER_NAMES.flatMap((provider) =>
  HTTP_FAULT_NAMES.flatMap((fault) =>
    PROVIDERS[provider].errors[fault].map((entry) => [`${provider} ${fault} ${entry.variant}`, provider, fault, entry] as const),
  ),
);

function headersOf({ headers }: SentError): HeaderList {
  return Object.entries(headers);
}

describe("every error in the catalogues has its class", () => {
  test.each(CASES)("%s", (_name, provider, fault, entry) => {
    const sent = send(provider, entry);
    const found =
      entry.status < 400
        ? classifyStreamError(provider, headersOf(sent), sent.text)
        : classify(provider, { status: sent.status, headers: headersOf(sent), body: sent.text });
    expect(found ?? "none").toBe(CLASSES[provider][fault][entry.variant] ?? ("not in the table" as Expected));
  });

  test("and the table names no form that is not there", () => {
    const named = Object.entries(CLASSES).flatMap(([provider, faults]) =>
      Object.entries(faults).flatMap(([fault, variants]) => Object.keys(variants).map((variant) => `${provider} ${fault} ${variant}`)),
    );
    expect(new Set(named)).toEqual(new Set(CASES.map(([name]) => name)));
  });
});

/** The same error inside a 200, with the 200's headers in place of the error's: only what the headers said can differ. */
describe("an error inside a 200 is classified as its HTTP form", () => {
  const withOwnStatus = CASES.filter(([, provider, , entry]) => {
    if (entry.status < 400) return false;
    const { text } = send(provider, entry);
    return /"(?:code|status)": ?(?:"[A-Z_]+"|[45]\d\d)/.test(text);
  });
  test.each(withOwnStatus)("%s", (_name, provider, _fault, entry) => {
    const sent = send(provider, entry);
    const headers = headersOf(sent);
    expect(classifyStreamError(provider, headers, sent.text)).toBe(classify(provider, { status: sent.status, headers, body: sent.text }));
  });
});
