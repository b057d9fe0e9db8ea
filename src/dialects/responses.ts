import type { Answer, Dialect, Envelope, Payload } from "../core/dialect.ts";
import type { RequestFacts } from "../core/exchange.ts";
import type { Evidence, StreamErrorEntry, StreamErrorFacts } from "../core/provider.ts";
import type { Random } from "../core/random.ts";
import { SSE } from "../stream/sse.ts";
import { endedByLength } from "./responses/ended-by-length.ts";
import {
  argumentPieces,
  countOf,
  estimateTokens,
  factsFromPath,
  isObject,
  type JsonObject,
  objectsOf,
  openaiSession,
  parseObject,
  textOf,
  textsOf,
  turnText,
  withPrefix,
  wordPieces,
} from "./shared.ts";

/** OpenAI Responses. */
export const responses: Dialect = {
  name: "responses",
  // Creating one; what reads, cancels or compacts a response has a longer path.
  matches: (path) => /(?:^|\/)responses\/?$/.test(path),
  facts: (_path, _query, json) => readFacts(json),
  framing: () => SSE,
  isContent: ({ data }) => data?.includes(".delta") === true && bringsOutput(parseObject(data)),
  isTerminal: ({ data }) => data?.includes('"response.') === true && TERMINAL_TYPES.has(parseObject(data)?.type),
  streamErrors: streamErrors(),
  // Undocumented, but sent in long silences: openai/openai-node#1964. It carries the number of the moment.
  keepalive: { event: "keepalive", data: '{"type":"keepalive","sequence_number":2}' },
  whole: (answer, envelope) => JSON.stringify(responseOf(envelope, finalState(answer), outputOf(answer, envelope), usageOf(answer))),
  frames: renderFrames,
  withoutUsage: () => withoutUsage,
  endedByLength,
};

const TERMINAL_TYPES: ReadonlySet<unknown> = new Set(["response.completed", "response.failed", "response.incomplete"]);

function bringsOutput(event: JsonObject | undefined): boolean {
  return typeof event?.type === "string" && event.type.endsWith(".delta") && textOf(event.delta) !== undefined;
}

function readFacts(json: unknown): RequestFacts {
  if (!isObject(json)) return factsFromPath(undefined, false, true);
  const items = objectsOf(json.input);
  const lastType = items.at(-1)?.type;
  const prompt = typeof json.input === "string" ? json.input : turnText(items.findLast(({ role }) => role === "user")?.content);
  return {
    model: textOf(json.model),
    stream: json.stream === true,
    session: openaiSession(json),
    inputTokens: estimateTokens(json.instructions, json.input, json.tools),
    outputTokensMax: countOf(json.max_output_tokens),
    tools: textsOf(objectsOf(json.tools).map((tool) => tool.name)),
    prompt,
    afterToolResult: typeof lastType === "string" && lastType.endsWith("_output"),
    usageInStream: true,
  };
}

// ---- errors ----

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
function streamErrors(): Dialect["streamErrors"] {
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

// ---- answers ----

type State = { readonly status: string; readonly reason?: string };

function finalState({ finish }: Answer): State {
  if (finish === "length") return { status: "incomplete", reason: "max_output_tokens" };
  return finish === "content_filter" ? { status: "incomplete", reason: "content_filter" } : { status: "completed" };
}

/** In the order of the service. */
function responseOf(envelope: Envelope, { status, reason }: State, output: readonly JsonObject[], usage: JsonObject | null): JsonObject {
  return {
    id: withPrefix("resp_", envelope.id),
    object: "response",
    created_at: envelope.createdSeconds,
    status,
    background: false,
    completed_at: status === "completed" ? envelope.createdSeconds : null,
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    instructions: null,
    max_output_tokens: null,
    max_tool_calls: null,
    model: envelope.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    prompt_cache_key: null,
    prompt_cache_retention: null,
    reasoning: { effort: null, summary: null },
    safety_identifier: null,
    service_tier: status === "in_progress" ? "auto" : "default",
    store: true,
    temperature: 1,
    text: { format: { type: "text" }, verbosity: "medium" },
    tool_choice: "auto",
    tools: [],
    top_logprobs: 0,
    top_p: 1,
    truncation: "disabled",
    usage,
    user: null,
    metadata: {},
  };
}

function usageOf({ inputTokens, outputTokens }: Answer): JsonObject {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}

/** One item of the output in its parts: how it opens, its pieces, how it closes. */
type Item = {
  readonly opened: JsonObject;
  readonly closed: JsonObject;
  /** Events between `output_item.added` and `output_item.done`: type and fields. */
  readonly events: readonly (readonly [type: string, fields: JsonObject])[];
};

function itemsOf(answer: Answer, envelope: Envelope): readonly Item[] {
  const { text, refusal, toolCalls } = answer;
  const status = finalState(answer).status;
  const parts = [...(text.length > 0 ? [textPart(text)] : []), ...(refusal === undefined ? [] : [refusalPart(refusal)])];
  return [
    ...(parts.length > 0 ? [messageItem(`msg_${envelope.id}`, status, parts)] : []),
    ...toolCalls.map(({ id, name, argumentsText }, index) =>
      callItem(`fc_${envelope.id}${index}`, status, withPrefix("call_", id), name, argumentsText),
    ),
  ];
}

type Part = { readonly empty: JsonObject; readonly full: JsonObject; readonly events: Item["events"] };

function textPart(pieces: readonly string[]): Part {
  const text = pieces.join("");
  const part = (content: string) => ({ type: "output_text", annotations: [], logprobs: [], text: content });
  return {
    empty: part(""),
    full: part(text),
    events: [
      ...pieces.map((delta) => ["response.output_text.delta", { delta, logprobs: [] }] as const),
      ["response.output_text.done", { text, logprobs: [] }],
    ],
  };
}

function refusalPart(refusal: string): Part {
  return {
    empty: { type: "refusal", refusal: "" },
    full: { type: "refusal", refusal },
    events: [...wordPieces(refusal).map((delta) => ["response.refusal.delta", { delta }] as const), ["response.refusal.done", { refusal }]],
  };
}

function messageItem(id: string, status: string, parts: readonly Part[]): Item {
  const item = { id, type: "message", role: "assistant" };
  return {
    opened: { ...item, status: "in_progress", content: [] },
    closed: { ...item, status, content: parts.map((part) => part.full) },
    events: parts.flatMap(({ empty, full, events }, content_index) => [
      ["response.content_part.added", { content_index, part: empty }] as const,
      ...events.map(([type, fields]) => [type, { content_index, ...fields }] as const),
      ["response.content_part.done", { content_index, part: full }] as const,
    ]),
  };
}

function callItem(id: string, status: string, call_id: string, name: string, argumentsText: string): Item {
  const item = { id, type: "function_call", call_id, name };
  return {
    opened: { ...item, status: "in_progress", arguments: "" },
    closed: { ...item, status, arguments: argumentsText },
    events: [
      ...argumentPieces(argumentsText).map((delta) => ["response.function_call_arguments.delta", { delta }] as const),
      ["response.function_call_arguments.done", { arguments: argumentsText }],
    ],
  };
}

function outputOf(answer: Answer, envelope: Envelope): readonly JsonObject[] {
  return itemsOf(answer, envelope).map((item) => item.closed);
}

function renderFrames(answer: Answer, envelope: Envelope): readonly Payload[] {
  const payloads: Payload[] = [];
  const add = (type: string, fields: JsonObject) => {
    payloads.push({ event: type, data: JSON.stringify({ type, sequence_number: payloads.length, ...fields }) });
  };
  const begun = responseOf(envelope, { status: "in_progress" }, [], null);
  const items = itemsOf(answer, envelope);
  add("response.created", { response: begun });
  add("response.in_progress", { response: begun });
  for (const [output_index, { opened, closed, events }] of items.entries()) {
    add("response.output_item.added", { output_index, item: opened });
    for (const [type, fields] of events) add(type, { item_id: opened.id, output_index, ...fields });
    add("response.output_item.done", { output_index, item: closed });
  }
  const state = finalState(answer);
  const output = items.map((item) => item.closed);
  add(`response.${state.status}`, { response: responseOf(envelope, state, output, usageOf(answer)) });
  return payloads;
}

// ---- rewriters ----

/** The service itself sends `usage: null` until a response is complete. */
function withoutUsage(payload: string): string {
  if (!payload.includes('"usage"')) return payload;
  const json = parseObject(payload);
  if (json === undefined) return payload;
  if (isObject(json.usage)) return JSON.stringify({ ...json, usage: null });
  if (isObject(json.response) && isObject(json.response.usage))
    return JSON.stringify({ ...json, response: { ...json.response, usage: null } });
  return payload;
}
