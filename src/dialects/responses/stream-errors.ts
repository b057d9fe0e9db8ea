import type { Dialect } from "../../core/dialect.ts";
import type { Evidence, StreamErrorEntry, StreamErrorFacts } from "../../core/provider.ts";
import type { Random } from "../../core/random.ts";
import { isObject, type JsonObject, parseObject } from "../shared.ts";
import { responseOf } from "./answer.ts";

type ResponseError = { readonly type: string; readonly code: string; readonly text: (facts: StreamErrorFacts) => string };

const SERVER_ERROR: ResponseError = {
  type: "server_error",
  code: "server_error",
  text: ({ random }) =>
    `An error occurred while processing your request. You can retry your request, or contact us through our help center at help.openai.com if the error persists. Please include the request ID ${uuid(random)} in your message.`,
};
const QUOTA: ResponseError = {
  type: "insufficient_quota",
  code: "insufficient_quota",
  text: () =>
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
};
const RATE_LIMIT: ResponseError = {
  type: "tokens",
  code: "rate_limit_exceeded",
  text: ({ model, retryAfterSeconds }) =>
    `Rate limit reached for ${model} in organization org-AAA on tokens per min (TPM): Limit 30000, Used 22999, Requested 12528. Please try again in ${retryAfterSeconds}s. Visit https://platform.openai.com/account/rate-limits to learn more.`,
};
const CONTEXT_LENGTH: ResponseError = {
  type: "invalid_request_error",
  code: "context_length_exceeded",
  text: () => "Your input exceeds the context window of this model. Please adjust your input and try again.",
};
const OVERLOADED: ResponseError = {
  type: "service_unavailable_error",
  code: "server_is_overloaded",
  text: () => "Our servers are currently overloaded. Please try again later.",
};
const AT_CAPACITY: ResponseError = { ...OVERLOADED, text: () => "Selected model is at capacity. Please try a different model." };

/**
 * What the service sends differs from its specification: the specified `error` event is flat, the one on the wire has
 * the error inside and is followed by `response.failed`. Clients read one or the other.
 */
export function responsesStreamErrors(): Dialect["streamErrors"] {
  const nested = (variant: string, evidence: Evidence, source: string, error: ResponseError): StreamErrorEntry => ({
    variant,
    evidence,
    source,
    text(facts) {
      const message = facts.message ?? error.text(facts);
      const inner = { type: error.type, code: error.code, message, param: null };
      return sse("error", { sequence_number: facts.index, error: inner }) + failed(facts, facts.index + 1, error.code, message);
    },
    done: false,
  });
  const failedOnly = (variant: string, evidence: Evidence, source: string, error: ResponseError): StreamErrorEntry => ({
    variant,
    evidence,
    source,
    text: (facts) => failed(facts, facts.index, error.code, facts.message ?? error.text(facts)),
    done: false,
  });
  const flat: StreamErrorEntry = {
    variant: "flat",
    evidence: "F",
    source: "openai/openai-openapi openapi.yaml, ResponseErrorEvent",
    text(facts) {
      const message = facts.message ?? SERVER_ERROR.text(facts);
      return sse("error", { code: SERVER_ERROR.code, message, param: null, sequence_number: facts.index });
    },
    done: false,
  };
  const codex = "openai/codex codex-rs/codex-api/src/sse/responses.rs";
  return [
    nested("nested", "C", "ndycode/oc-codex-multi-auth#138", SERVER_ERROR),
    nested("quota", "F", "vercel/ai packages/openai/src/responses/__fixtures__/openai-error.1.chunks.txt", QUOTA),
    flat,
    failedOnly("failed", "S", `form: ${codex}; text: ndycode/oc-codex-multi-auth#138`, SERVER_ERROR),
    failedOnly("rate_limit", "F", codex, RATE_LIMIT),
    failedOnly("context_length", "F", codex, CONTEXT_LENGTH),
    failedOnly("overloaded", "C", "Wei-Shaw/sub2api#5909", OVERLOADED),
    failedOnly("at_capacity", "C", "openai/codex#43682", AT_CAPACITY),
  ];
}

function sse(type: string, rest: JsonObject): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
}

/** The same response that the stream began with, where it has begun: clients check that its id stays. */
function failed({ firstData, model, random, wallMs }: StreamErrorFacts, sequenceNumber: number, code: string, message: string): string {
  const first = parseObject(firstData)?.response;
  const begun = isObject(first)
    ? first
    : responseOf({ id: hex(random, 48), model, createdSeconds: Math.floor(wallMs / 1000) }, { status: "failed" }, [], null);
  const response = { ...begun, status: "failed", error: { code, message } };
  return sse("response.failed", { sequence_number: sequenceNumber, response });
}

function hex(random: Random, length: number): string {
  return Array.from({ length }, () => Math.floor(random.next() * 16).toString(16)).join("");
}

function uuid(random: Random): string {
  return [8, 4, 4, 4, 12].map((length) => hex(random, length)).join("-");
}
