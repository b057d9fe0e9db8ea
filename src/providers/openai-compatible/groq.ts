import type { HeaderList } from "../../core/headers.ts";
import type { ErrorFacts } from "../../core/provider.ts";
import { entry, goDuration, JSON_HEADERS, retryAfter, tokensOwed } from "../shared.ts";
import { type CompatibleHost, PLAIN, streamed } from "./shared.ts";

const TOKENS_PER_MINUTE = 15_000;

function limitText(facts: ErrorFacts): string {
  const requested = Math.min(TOKENS_PER_MINUTE, Math.max(1, facts.inputTokens));
  const owed = tokensOwed(facts.retryAfterSeconds, TOKENS_PER_MINUTE);
  const used = Math.min(TOKENS_PER_MINUTE, TOKENS_PER_MINUTE - requested + owed);
  return `Rate limit reached for model \`${facts.model}\` in organization \`org_abc\` service tier \`on_demand\` on tokens per minute (TPM): Limit ${TOKENS_PER_MINUTE}, Used ${used}, Requested ${requested}. Please try again in ${goDuration(facts.retryAfterSeconds)}. Visit https://console.groq.com/docs/rate-limits for more information.`;
}

function tooLargeText(facts: ErrorFacts): string {
  const limit = 6_000;
  const requested = facts.inputTokens > limit ? facts.inputTokens : 12_328;
  return `Request too large for model \`${facts.model}\` in organization \`org_abc\` service tier \`on_demand\` on tokens per minute (TPM): Limit ${limit}, Requested ${requested}, please reduce your message size and try again. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing`;
}

/** console.groq.com/docs/rate-limits: `retry-after` only with 429. */
function headers(facts: ErrorFacts): HeaderList {
  if (facts.status !== 429) return JSON_HEADERS;
  return [
    ...JSON_HEADERS,
    retryAfter(facts),
    ["x-ratelimit-limit-requests", "14400"],
    ["x-ratelimit-limit-tokens", String(TOKENS_PER_MINUTE)],
    ["x-ratelimit-remaining-requests", "14370"],
    ["x-ratelimit-remaining-tokens", "0"],
    ["x-ratelimit-reset-requests", "2m59.56s"],
    ["x-ratelimit-reset-tokens", goDuration(facts.retryAfterSeconds)],
  ];
}

function limitError(facts: ErrorFacts, message: string): unknown {
  return { error: { message: facts.message ?? message, type: "tokens", code: "rate_limit_exceeded" } };
}

const STREAM_TEXT = "The server had an error processing your request. Sorry about that!";

function streamError(facts: ErrorFacts): string {
  return JSON.stringify({ error: { message: facts.message ?? STREAM_TEXT, type: "invalid_request_error" } });
}

/** Groq: OpenAI's object without `param`; limits for requests are per day, for tokens per minute. */
export const GROQ: CompatibleHost = {
  errors: {
    context_length: [
      entry(
        "groq",
        400,
        "C",
        "All-Hands-AI/OpenHands#1902",
        (facts) => ({
          error: {
            message: facts.message ?? "Please reduce the length of the messages or completion.",
            type: "invalid_request_error",
            param: "messages",
            code: "context_length_exceeded",
          },
        }),
        PLAIN,
      ),
    ],
    rate_limit: [entry("groq", 429, "C", "Aider-AI/aider#3265", (facts) => limitError(facts, limitText(facts)), { headers })],
    request_too_large: [
      entry(
        "groq",
        413,
        "C",
        "ha-groq-cloud-api#27 (a refusal for tokens per minute)",
        (facts) => limitError(facts, tooLargeText(facts)),
        PLAIN,
      ),
    ],
  },
  streamErrors: [
    streamed(
      "groq",
      "F",
      "vercel/ai packages/groq/src/groq-chat-language-model.test.ts:1457",
      true,
      (facts) => `data: ${streamError(facts)}\n\n`,
    ),
    streamed(
      "groq_event",
      "F",
      "groq/groq-python src/groq/_streaming.py:60 (accepted form)",
      false,
      (facts) => `event: error\ndata: ${streamError(facts)}\n\n`,
    ),
  ],
};
