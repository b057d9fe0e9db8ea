import type { FailureClass } from "../../core/failure.ts";

/** What providers call things; all in lower case. Where a form was seen stands in the providers' catalogues. */

/** Words that decide by themselves, whatever the status. */
export const CLASS_BY_WORD: ReadonlyMap<string, FailureClass> = new Map<string, FailureClass>([
  ["insufficient_quota", "quota"],
  ["credit_balance_exhausted", "quota"],
  ["organization_spend_limit_exceeded", "quota"],
  ["project_spend_limit_exceeded", "quota"],
  ["organization_usage_limit_exceeded", "quota"],
  ["enforced_spend_limit_reached", "quota"],
  ["billing_hard_limit_reached", "quota"],
  ["billing_not_active", "quota"],
  ["billing_error", "quota"],
  ["payment_required", "quota"],
  ["insufficient_credits", "quota"],
  // The plan's hours are used up; the next ones begin hours later (openai/codex codex-api/src/api_bridge.rs).
  ["usage_limit_reached", "quota"],
  ["usage_not_included", "quota"],
  ["context_length_exceeded", "context_window"],
  ["content_filter", "content_filter"],
  ["content_policy_violation", "content_filter"],
  ["responsibleaipolicyviolation", "content_filter"],
  ["invalid_prompt", "content_filter"],
  ["cyber_policy", "content_filter"],
  ["bio_policy", "content_filter"],
  ["moderation_blocked", "content_filter"],
  ["invalid_api_key", "auth"],
  ["api_key_invalid", "auth"],
]);

/** The status that an error inside a 200 would have had. */
export const STATUS_BY_WORD: ReadonlyMap<string, number> = new Map(
  Object.entries({
    invalid_request_error: 400,
    invalid_request: 400,
    invalid_argument: 400,
    invalid_parameter_value: 400,
    bad_request: 400,
    failed_precondition: 400,
    authentication_error: 401,
    authentication: 401,
    unauthenticated: 401,
    permission_error: 403,
    permission_denied: 403,
    not_found_error: 404,
    not_found: 404,
    model_not_found: 404,
    resource_does_not_exist: 404,
    request_too_large: 413,
    payload_too_large: 413,
    rate_limit_exceeded: 429,
    rate_limit_error: 429,
    rate_limited: 429,
    request_limit_exceeded: 429,
    resource_exhausted: 429,
    quota_exceeded: 429,
    slow_down: 429,
    server_error: 500,
    api_error: 500,
    internal: 500,
    internal_error: 500,
    internal_server_error: 500,
    internalservererror: 500,
    server: 500,
    provider_overloaded: 503,
    provider_unavailable: 503,
    server_is_overloaded: 503,
    service_unavailable_error: 503,
    overloaded_error: 529,
    unavailable: 503,
    temporarily_unavailable: 503,
    timeout_error: 504,
    timeout: 504,
    deadline_exceeded: 504,
  }),
);

/** Codes of a rate limit, which Groq sends with a 413 too. */
export const RATE_WORDS: ReadonlySet<string> = new Set(["rate_limit_exceeded", "rate_limit_error", "rate_limited"]);

/** A request that is larger than a whole minute's tokens: no wait lets it through (OpenAI, Groq). */
export const NEVER_FITS = /request too large for /;

/** Google's free tier speaks of "your current quota" per minute too; OpenAI only when there is none left. */
export const CURRENT_QUOTA = /exceeded your current quota|check your plan and billing/;

export const QUOTA =
  /credit balance is (?:too low|exhausted)|insufficient (?:credits?|balance|funds)|reached (?:its|your) (?:api |organization |specified )*(?:usage|spend(?:ing)?) limit|spend(?:ing)? (?:limit|cap) (?:reached|exceeded)|exhausted (?:its|your|the) quota|billing hard limit|account is not active/;

/** Where a 403 speaks of these it is no matter of the key's rights. OpenRouter: "Key limit exceeded (daily limit)" (RooCodeInc/Roo-Code#515). */
export const QUOTA_IN_403 =
  /quota|billing|credit|spend(?:ing)? (?:limit|cap)|payment|insufficient (?:balance|funds)|(?:key|usage) limit (?:exceeded|reached)/;

/** As badlogic/pi-mono packages/ai/src/utils/overflow.ts collects them, and later wordings from public reports. */
export const CONTEXT =
  /maximum context length|context[ _](?:length|window|size|limit)|prompt is too long|maximum prompt length|input_too_large|input token count .{1,80}exceeds the maximum|reduce the length of the messages|token count of \d+ exceeds the limit|exceeded model token limit|input is too long/;

export const CONTENT_FILTER =
  /content (?:management |filter(?:ing)? |usage )?policy|content filter|safety system|usage policy|cybersecurity policy|guardrails?\b|was flagged|requires moderation|blocked by (?:the |our )?(?:safety|moderation)/;

/** A wrong key that is told with a 400 (xAI, Google). */
export const WRONG_KEY = /incorrect api key|api[ _]key not valid|invalid (?:x-)?api[ _-]key|api key (?:not found|expired)/;

/** Groq calls it an invalid request in a stream (vercel/ai groq-chat-language-model.test.ts:1457). */
export const SERVERS_FAULT = /server had an error|internal (?:server )?error/;
