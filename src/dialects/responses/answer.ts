import type { Answer, Envelope, Payload } from "../../core/dialect.ts";
import { argumentPieces, type JsonObject, withPrefix, wordPieces } from "../shared.ts";

type State = { readonly status: string; readonly reason?: string };

function finalState({ finish }: Answer): State {
  if (finish === "length") return { status: "incomplete", reason: "max_output_tokens" };
  return finish === "content_filter" ? { status: "incomplete", reason: "content_filter" } : { status: "completed" };
}

/** In the order of the service. */
export function responseOf(
  envelope: Envelope,
  { status, reason }: State,
  output: readonly JsonObject[],
  usage: JsonObject | null,
): JsonObject {
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

export function renderWhole(answer: Answer, envelope: Envelope): string {
  const output = itemsOf(answer, envelope).map((item) => item.closed);
  return JSON.stringify(responseOf(envelope, finalState(answer), output, usageOf(answer)));
}

export function renderFrames(answer: Answer, envelope: Envelope): readonly Payload[] {
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
