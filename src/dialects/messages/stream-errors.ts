import type { Dialect } from "../../core/dialect.ts";
import type { Evidence, StreamErrorEntry, StreamErrorFacts } from "../../core/provider.ts";
import type { Random } from "../../core/random.ts";

const REQUEST_ID_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const REQUEST_ID_RANDOM_LENGTH = 20;

function requestId(random: Random): string {
  const letters = Array.from(
    { length: REQUEST_ID_RANDOM_LENGTH },
    () => REQUEST_ID_LETTERS[Math.floor(random.next() * REQUEST_ID_LETTERS.length)],
  );
  return `req_011C${letters.join("")}`;
}

/** The stream ends after the error: no `content_block_stop`, no `message_delta`, no `message_stop`. */
export function messagesStreamErrors(): Dialect["streamErrors"] {
  const entry = (
    variant: string,
    evidence: Evidence,
    source: string,
    type: string,
    text: (facts: StreamErrorFacts) => string,
    isBare = false,
  ): StreamErrorEntry => ({
    variant,
    evidence,
    source,
    text(facts) {
      const message = facts.message ?? text(facts);
      const event = isBare
        ? { type: "error", error: { type, message } }
        : { type: "error", error: { details: null, type, message }, request_id: requestId(facts.random) };
      return `event: error\ndata: ${JSON.stringify(event)}\n\n`;
    },
    done: false,
  });
  const test = "vercel/ai packages/anthropic/src/anthropic-language-model.test.ts";
  const bareTest = "anthropics/anthropic-sdk-python tests/test_streaming.py";
  return [
    entry("overloaded", "F", `${test}; with request_id: karthink/gptel#1512`, "overloaded_error", () => "Overloaded"),
    entry("overloaded_bare", "F", bareTest, "overloaded_error", () => "Overloaded", true),
    entry("api_error", "C", "anthropics/claude-code#69007", "api_error", () => "Internal server error"),
    entry("rate_limit", "S", `form: ${bareTest}; text: continuedev/continue#12057`, "rate_limit_error", rateLimitText),
  ];
}

function rateLimitText({ model }: StreamErrorFacts): string {
  return `This request would exceed your organization's rate limit of 30,000 input tokens per minute (org: 00000000-0000-4000-8000-000000000000, model: ${model}). For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact sales at https://claude.com/contact-sales to discuss your options for a rate limit increase.`;
}
