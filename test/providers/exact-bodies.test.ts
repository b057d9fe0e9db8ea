import { expect, test } from "bun:test";
import type { ErrorFacts, HttpFaultName, ProviderName } from "../../src/core/provider.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { bodyOf, errorFacts, WALL_MS } from "./error-facts.ts";

type Golden = readonly [provider: ProviderName, fault: HttpFaultName, variant: string, facts: Partial<ErrorFacts>, body: string];

/** Bodies as they were captured, with the numbers that were in them. */
const CAPTURED: readonly Golden[] = [
  [
    "openai",
    "context_length",
    "chat",
    { contextTokensMax: 8192, inputTokens: 8227 },
    `{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
  ],
  [
    "openai",
    "context_length",
    "completion",
    { contextTokensMax: 4097, inputTokens: 3120, outputTokensMax: 1000 },
    `{"error":{"message":"This model's maximum context length is 4097 tokens. However, you requested 4120 tokens (3120 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
  ],
  [
    "openai",
    "rate_limit",
    "tokens",
    { inputTokens: 2000, retryAfterSeconds: 2 },
    `{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`,
  ],
  [
    "openai",
    "rate_limit",
    "tokens",
    { model: "gpt-5.1", inputTokens: 12528, retryAfterSeconds: 11.054 },
    `{"error":{"message":"Rate limit reached for gpt-5.1 in organization org-abc on tokens per min (TPM): Limit 30000, Used 22999, Requested 12528. Please try again in 11.054s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`,
  ],
  [
    "openai",
    "rate_limit",
    "requests",
    { retryAfterSeconds: 20 },
    `{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
  ],
  [
    "openai",
    "rate_limit",
    "request_too_large",
    {},
    `{"error":{"message":"Request too large for gpt-4o in organization org-abc on tokens per min (TPM): Limit 30000, Requested 30601. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`,
  ],
  [
    "openai",
    "quota",
    "insufficient_quota",
    {},
    `{"error":{"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
  ],
  [
    "openai",
    "auth",
    "invalid_api_key",
    {},
    `{"error":{"message":"Incorrect API key provided: sk-exam***************************************mple. You can find your API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
  ],
  [
    "openai",
    "model_not_found",
    "model_not_found",
    {},
    `{"error":{"message":"The model \`gpt-4o\` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
  ],
  [
    "openai",
    "server_error",
    "server_error",
    {},
    `{"error":{"message":"The server had an error processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if you keep seeing this error.","type":"server_error","param":null,"code":null}}`,
  ],
  [
    "openai",
    "rate_limit",
    "azure",
    { retryAfterSeconds: 60 },
    `{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 60 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit. For Free Account customers, upgrade to Pay as you Go here: https://aka.ms/429TrialUpgrade."}}`,
  ],
  [
    "openai",
    "content_filter",
    "azure",
    {},
    `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":true,"severity":"high"},"violence":{"filtered":false,"severity":"safe"}}}}}`,
  ],
  [
    "openai",
    "rate_limit",
    "mistral",
    {},
    `{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}`,
  ],
  [
    "openai",
    "model_not_found",
    "mistral",
    { model: "foo" },
    `{"object":"error","message":"Invalid model: foo","type":"invalid_model","param":null,"code":"1500"}`,
  ],
  [
    "openai",
    "context_length",
    "xai",
    { contextTokensMax: 131072, inputTokens: 179111 },
    `{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 179111 tokens."}`,
  ],
  [
    "openai",
    "auth",
    "xai",
    { maskedKey: "as********sf" },
    `{"code":"Client specified an invalid argument","error":"Incorrect API key provided: as***sf. You can obtain an API key from https://console.x.ai."}`,
  ],
  [
    "openai",
    "auth",
    "deepseek",
    { maskedKey: "sk-abcd********fcc2" },
    `{"error":{"message":"Authentication Fails, Your api key: ****fcc2 is invalid","type":"authentication_error","param":null,"code":"invalid_request_error"}}`,
  ],
  [
    "openai",
    "context_length",
    "deepseek",
    { contextTokensMax: 131072, inputTokens: 122942, outputTokensMax: 8192 },
    `{"error":{"message":"This model's maximum context length is 131072 tokens. However, you requested 131134 tokens (122942 in the messages, 8192 in the completion). Please reduce the length of the messages or completion.","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`,
  ],
  [
    "openai",
    "rate_limit",
    "groq",
    { model: "gemma2-9b-it", inputTokens: 4351, retryAfterSeconds: 5.289 },
    `{"error":{"message":"Rate limit reached for model \`gemma2-9b-it\` in organization \`org_abc\` service tier \`on_demand\` on tokens per minute (TPM): Limit 15000, Used 11972, Requested 4351. Please try again in 5.289s. Visit https://console.groq.com/docs/rate-limits for more information.","type":"tokens","code":"rate_limit_exceeded"}}`,
  ],
  [
    "openai",
    "request_too_large",
    "groq",
    { model: "llama-3.1-8b-instant", inputTokens: 12328 },
    `{"error":{"message":"Request too large for model \`llama-3.1-8b-instant\` in organization \`org_abc\` service tier \`on_demand\` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing","type":"tokens","code":"rate_limit_exceeded"}}`,
  ],
  [
    "openai",
    "context_length",
    "llama_cpp",
    { inputTokens: 49231, contextTokensMax: 49152 },
    `{"error":{"message":"Prompt has 49231 tokens, but the configured context size is 49152 tokens","code":"context_length_exceeded","n_prompt_tokens":49231,"n_ctx":49152}}`,
  ],
  ["openai", "overloaded", "ollama", {}, `{"error":"server busy, please try again.  maximum pending requests exceeded"}`],
  ["openai", "model_not_found", "ollama", { model: "x" }, `{"error":"model \\"x\\" not found, try pulling it first"}`],
  [
    "openai",
    "rate_limit",
    "usage_limit_reached",
    { wallMs: 1_738_888_880_000, retryAfterSeconds: 8 },
    `{"error":{"type":"usage_limit_reached","plan_type":"pro","resets_at":1738888888}}`,
  ],
  ["anthropic", "overloaded", "bare", {}, `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}`],
  ["anthropic", "request_too_large", "bytes", {}, `{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`],
  ["openrouter", "rate_limit", "own", {}, `{"error":{"message":"Rate limit exceeded","code":429}}`],
  ["tetrate", "quota", "in_200", {}, `{"error":{"code":402,"message":"Insufficient credits"}}`],
  ["tetrate", "auth", "in_200", {}, `{"error":{"code":401,"message":"Invalid API key"}}`],
  [
    "databricks",
    "rate_limit",
    "qps",
    { model: "databricks-qwen35-122b-a10b" },
    `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"REQUEST_LIMIT_EXCEEDED: Exceeded workspace QPS rate limit for databricks-qwen35-122b-a10b. Please use a provisioned throughput Foundation Model APIs endpoint for a higher rate limit."}`,
  ],
];

test.each(
  CAPTURED.map(([provider, fault, variant, ...rest]) => [`${provider} ${fault} ${variant}`, provider, fault, variant, ...rest] as const),
)("%s is the captured body", (_name, provider, fault, variant, facts, body) => {
  expect(bodyOf(provider, fault, variant, facts)).toBe(body);
});

const REQUEST_ID = /req_011C[0-9A-Za-z]{20}/;

/** Bodies with a request id in them, compared with the id of the capture. */
const WITH_REQUEST_ID: readonly Golden[] = [
  [
    "anthropic",
    "context_length",
    "prompt",
    { inputTokens: 213462, contextTokensMax: 200000 },
    `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 213462 tokens > 200000 maximum"},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "context_length",
    "max_tokens",
    { inputTokens: 196758, outputTokensMax: 8192, contextTokensMax: 200000 },
    `{"type":"error","error":{"type":"invalid_request_error","message":"input length and \`max_tokens\` exceed context limit: 196758 + 8192 > 200000, decrease input length or \`max_tokens\` and try again"},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "auth",
    "api_key",
    {},
    `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "model_not_found",
    "model",
    { model: "sonnet4" },
    `{"type":"error","error":{"type":"not_found_error","message":"model: sonnet4"},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "rate_limit",
    "current",
    { model: "claude-opus-4-5-20251101" },
    `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 30,000 input tokens per minute (org: 00000000-0000-4000-8000-000000000000, model: claude-opus-4-5-20251101). For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact sales at https://claude.com/contact-sales to discuss your options for a rate limit increase."},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "rate_limit",
    "spend_cap",
    { wallMs: Date.UTC(2026, 7, 14) },
    `{"type":"error","error":{"details":{"error_code":"enforced_spend_limit_reached"},"type":"rate_limit_error","message":"You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set based on your organization's API tier. You will regain access on 2026-09-01 at 00:00 UTC."},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "server_error",
    "api_error",
    {},
    `{"type":"error","error":{"type":"api_error","message":"Internal server error"},"request_id":"ID"}`,
  ],
  [
    "anthropic",
    "server_error",
    "overloaded",
    {},
    `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"ID"}`,
  ],
  [
    "databricks",
    "context_length",
    "wrapped_anthropic",
    { inputTokens: 196758, outputTokensMax: 8192, contextTokensMax: 200000 },
    `{"error_code":"BAD_REQUEST","message":"{\\"external_model_provider\\":\\"anthropic\\",\\"external_model_error\\":{\\"type\\":\\"error\\",\\"error\\":{\\"type\\":\\"invalid_request_error\\",\\"message\\":\\"input length and \`max_tokens\` exceed context limit: 196758 + 8192 > 200000, decrease input length or \`max_tokens\` and try again\\"},\\"request_id\\":\\"ID\\"}}"}`,
  ],
];

test.each(
  WITH_REQUEST_ID.map(
    ([provider, fault, variant, ...rest]) => [`${provider} ${fault} ${variant}`, provider, fault, variant, ...rest] as const,
  ),
)("%s is the captured body but for its request id", (_name, provider, fault, variant, facts, body) => {
  const text = bodyOf(provider, fault, variant, facts);
  expect(text).toMatch(REQUEST_ID);
  expect(text.replace(REQUEST_ID, "ID")).toBe(body);
});

/** Google's captures, compact here; on the wire they are indented. */
const GOOGLE: readonly Golden[] = [
  [
    "google",
    "rate_limit",
    "full",
    { model: "gemini-2.5-pro", retryAfterSeconds: 20.04466179 },
    String.raw`{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 5, model: gemini-2.5-pro\nPlease retry in 20.04466179s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more about Gemini API quotas","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-pro"},"quotaValue":"5"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"20s"}]}}`,
  ],
  [
    "google",
    "rate_limit",
    "zero_limit",
    { model: "gemini-2.5-pro", retryAfterSeconds: 20.04466179 },
    String.raw`{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-2.5-pro\nPlease retry in 20.04466179s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more about Gemini API quotas","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-pro"}}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"20s"}]}}`,
  ],
  [
    "google",
    "rate_limit",
    "minimal",
    { retryAfterSeconds: 34.4 },
    `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}`,
  ],
  [
    "google",
    "rate_limit",
    "bare",
    {},
    `{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}`,
  ],
  [
    "google",
    "rate_limit",
    "vertex_array",
    {},
    `[{"error":{"code":429,"message":"Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.","status":"RESOURCE_EXHAUSTED"}}]`,
  ],
  [
    "google",
    "context_length",
    "tokens",
    { inputTokens: 1196265, contextTokensMax: 1048575 },
    `{"error":{"code":400,"message":"The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).","status":"INVALID_ARGUMENT"}}`,
  ],
  [
    "google",
    "auth",
    "api_key",
    {},
    `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}},{"@type":"type.googleapis.com/google.rpc.LocalizedMessage","locale":"en-US","message":"API key not valid. Please pass a valid API key."}]}}`,
  ],
  [
    "google",
    "model_not_found",
    "model",
    { model: "gemini-pro", path: "/v1beta/models/gemini-pro:generateContent" },
    `{"error":{"code":404,"message":"models/gemini-pro is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.","status":"NOT_FOUND"}}`,
  ],
  [
    "google",
    "server_error",
    "overloaded",
    {},
    `{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}`,
  ],
  ["google", "content_filter", "prompt_blocked", {}, `{"promptFeedback":{"blockReason":"SAFETY"}}`],
];

test.each(
  GOOGLE.map(([provider, fault, variant, ...rest]) => [`${provider} ${fault} ${variant}`, provider, fault, variant, ...rest] as const),
)("%s is the captured body, indented by two spaces", (_name, provider, fault, variant, facts, body) => {
  expect(bodyOf(provider, fault, variant, facts)).toBe(`${JSON.stringify(JSON.parse(body), null, 2)}\n`);
  expect(JSON.stringify(JSON.parse(bodyOf(provider, fault, variant, facts)))).toBe(body);
});

test("google's code is the status that is really sent", () => {
  expect(JSON.parse(bodyOf("google", "rate_limit", "full", { status: 503 })).error.code).toBe(503);
});

function streamText(provider: ProviderName, variant: string, changes: { readonly firstData?: string } & Partial<ErrorFacts> = {}): string {
  const { firstData, ...rest } = changes;
  const found = PROVIDERS[provider].streamErrors.chat?.find((entry) => entry.variant === variant);
  if (found === undefined) throw new Error(`no ${variant}`);
  return found.text({ ...errorFacts(rest), index: 2, framing: "sse", ...(firstData === undefined ? {} : { firstData }) });
}

test("OpenRouter's error chunk repeats the id of the answer it breaks off", () => {
  expect(
    streamText("openrouter", "string_code", { model: "gpt-3.5-turbo", wallMs: 1_234_567_890_000, firstData: '{"id":"cmpl-abc123"}' }),
  ).toBe(
    'data: {"id":"cmpl-abc123","object":"chat.completion.chunk","created":1234567890,"model":"gpt-3.5-turbo","provider":"openai","error":{"code":"server_error","message":"Provider disconnected unexpectedly"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n',
  );
  for (const firstData of ["", "not JSON", "null", "[]", '{"id":7}']) {
    expect(streamText("openrouter", "integer_code", { firstData, wallMs: WALL_MS })).toMatch(/^data: \{"id":"gen-\d{10}-[0-9A-Za-z]{20}",/);
  }
});

test.each([
  ["vllm", 'data: {"object":"error","message":"CUDA out of memory","code":500}\n\n'],
  ["sglang", 'data: {"error": {"message": "Internal server error", "type": "InternalServerError", "code": 500}}\n\n'],
  [
    "groq",
    'data: {"error":{"message":"The server had an error processing your request. Sorry about that!","type":"invalid_request_error"}}\n\n',
  ],
  ["numeric_code", 'data: {"error":{"message":"bad request","type":"provider_error","param":null,"code":400}}\n\n'],
])("the stream error of %s is as it was seen", (variant, text) => {
  expect(streamText("openai", variant)).toBe(text);
});
