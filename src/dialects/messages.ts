import type { Answer, Dialect, Envelope, Finish, Payload, ToolCall } from "../core/dialect.ts";
import type { RequestFacts } from "../core/exchange.ts";
import { SSE } from "../stream/sse.ts";
import { messagesStreamErrors } from "./messages/stream-errors.ts";
import { messagesUsage } from "./messages/usage.ts";
import {
  argumentPieces,
  type Budget,
  charactersIn,
  countOf,
  createBudget,
  factsFromPath,
  isObject,
  type JsonObject,
  objectsOf,
  parseObject,
  textOf,
  textsOf,
  tokensIn,
  turnText,
  withPrefix,
} from "./shared.ts";

/** Anthropic Messages. */
export const messages: Dialect = {
  name: "messages",
  // OpenAI's threads and stored completions have messages of their own.
  matches: (path) => /(?:^|\/)messages\/?$/.test(path) && !/\/(?:threads|completions)\//.test(path),
  facts: (_path, _query, json) => readFacts(json),
  framing: () => SSE,
  isContent: ({ data }) => data?.includes("content_block_delta") === true && bringsOutput(parseObject(data)),
  isTerminal: ({ data }) => data?.includes("message_stop") === true && parseObject(data)?.type === "message_stop",
  streamErrors: messagesStreamErrors(),
  // With a space after the colon, unlike every other event.
  keepalive: { event: "ping", data: '{"type": "ping"}' },
  whole: renderWhole,
  frames: renderFrames,
  usage: messagesUsage,
  withoutUsage: () => withoutUsage,
  endedByLength,
};

function readFacts(json: unknown): RequestFacts {
  if (!isObject(json)) return factsFromPath(undefined, false, true);
  const turns = objectsOf(json.messages);
  const last = turns.at(-1);
  const inputCharacters = charactersIn(json.system) + charactersIn(turns) + charactersIn(json.tools);
  return {
    model: textOf(json.model),
    stream: json.stream === true,
    session: sessionOf(json.metadata),
    user: userOf(json.metadata),
    inputCharacters,
    inputTokens: tokensIn(inputCharacters),
    outputTokensMax: countOf(json.max_tokens),
    tools: textsOf(objectsOf(json.tools).map((tool) => tool.name)),
    prompt: turnText(turns.findLast(({ role, content }) => role === "user" && turnText(content) !== "")?.content),
    afterToolResult:
      last?.role === "user" && objectsOf(last.content).some(({ type }) => typeof type === "string" && type.endsWith("tool_result")),
    usageInStream: true,
  };
}

/** Claude Code names its session at the end of the user's id, `user_…_session_…`; newer versions send JSON there. */
function sessionOf(metadata: unknown): string | undefined {
  const userId = isObject(metadata) ? textOf(metadata.user_id) : undefined;
  if (userId === undefined) return undefined;
  const named = textOf(parseObject(userId)?.session_id);
  return named ?? textOf(/(?:^|_)session_([^"]+)$/.exec(userId)?.[1]);
}

/** What Claude Code sends as the user's id without its session: else each conversation were a user of its own. */
function userOf(metadata: unknown): string | undefined {
  const userId = isObject(metadata) ? textOf(metadata.user_id) : undefined;
  if (userId === undefined) return undefined;
  const named = parseObject(userId);
  if (named?.session_id !== undefined) return textOf(named.account_uuid) ?? textOf(named.device_id);
  return textOf(userId.replace(/(?:^|_)session_[^"]+$/, ""));
}

function bringsOutput(event: JsonObject | undefined): boolean {
  if (event?.type !== "content_block_delta" || !isObject(event.delta)) return false;
  const { text, thinking, partial_json } = event.delta;
  return [text, thinking, partial_json].some((piece) => textOf(piece) !== undefined);
}

// ---- answers ----

const STOP_REASONS: Readonly<Record<Finish, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  content_filter: "refusal",
};

/** How the answer ended. A refusal is not text: it is a stop reason with an explanation. */
function endOf({ refusal, finish }: Answer): JsonObject {
  const stop_reason = refusal === undefined ? STOP_REASONS[finish] : "refusal";
  const stop_details = stop_reason === "refusal" ? { type: "refusal", category: null, explanation: refusal ?? null } : null;
  return { stop_reason, stop_sequence: null, stop_details };
}

function messageOf(answer: Answer, envelope: Envelope, content: readonly JsonObject[], end: JsonObject, outputTokens: number): JsonObject {
  return {
    model: envelope.model,
    id: withPrefix("msg_", envelope.id),
    type: "message",
    role: "assistant",
    content,
    ...end,
    usage: {
      input_tokens: answer.inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: outputTokens,
      service_tier: "standard",
    },
  };
}

function toolUse({ id, name }: ToolCall, input: JsonObject): JsonObject {
  return { type: "tool_use", id: withPrefix("toolu_", id), name, input, caller: { type: "direct" } };
}

/** Arguments that do not parse cannot be sent here: `input` is an object, and what the model left unfinished is missing from it. */
function renderWhole(answer: Answer, envelope: Envelope): string {
  const text = answer.text.join("");
  const content = [
    ...(text === "" ? [] : [{ type: "text", text }]),
    ...answer.toolCalls.map((call) => toolUse(call, parseObject(call.argumentsText) ?? {})),
  ];
  return JSON.stringify(messageOf(answer, envelope, content, endOf(answer), answer.outputTokens));
}

function renderFrames(answer: Answer, envelope: Envelope): readonly Payload[] {
  const payload = (type: string, rest: JsonObject): Payload => ({ event: type, data: JSON.stringify({ type, ...rest }) });
  const unfinished = { stop_reason: null, stop_sequence: null, stop_details: null };
  const usage = {
    input_tokens: answer.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: answer.outputTokens,
  };
  return [
    payload("message_start", { message: messageOf(answer, envelope, [], unfinished, 1) }),
    ...withPing(blocksOf(answer).flatMap(blockFrames)),
    payload("message_delta", { delta: endOf(answer), usage }),
    payload("message_stop", {}),
  ];
}

type Block = { readonly start: JsonObject; readonly deltas: readonly JsonObject[] };

function blocksOf({ text, toolCalls }: Answer): readonly Block[] {
  const textBlock: Block = { start: { type: "text", text: "" }, deltas: text.map((piece) => ({ type: "text_delta", text: piece })) };
  return [
    ...(text.length === 0 ? [] : [textBlock]),
    ...toolCalls.map((call) => ({
      start: toolUse(call, {}),
      // The first piece of a call is always an empty one.
      deltas: ["", ...argumentPieces(call.argumentsText)].map((piece) => ({ type: "input_json_delta", partial_json: piece })),
    })),
  ];
}

function blockFrames({ start, deltas }: Block, index: number): readonly Payload[] {
  const head = `{"type":"content_block_delta","index":${index},"delta":`;
  return [
    { event: "content_block_start", data: `{"type":"content_block_start","index":${index},"content_block":${JSON.stringify(start)}}` },
    ...deltas.map((delta) => ({ event: "content_block_delta", data: `${head}${JSON.stringify(delta)}}` })),
    { event: "content_block_stop", data: `{"type":"content_block_stop","index":${index}}` },
  ];
}

/** A ping comes after the first block has been opened. */
function withPing(frames: readonly Payload[]): readonly Payload[] {
  const ping: Payload = { event: "ping", data: '{"type": "ping"}' };
  return [...frames.slice(0, 1), ping, ...frames.slice(1)];
}

// ---- rewriters ----

/** The usage stays as an object, which every reader expects, but says nothing. */
function withoutUsage(payload: string): string {
  if (!payload.includes('"usage"')) return payload;
  const json = parseObject(payload);
  if (json === undefined) return payload;
  if (isObject(json.usage)) return JSON.stringify({ ...json, usage: {} });
  if (isObject(json.message) && isObject(json.message.usage)) return JSON.stringify({ ...json, message: { ...json.message, usage: {} } });
  return payload;
}

function endedByLength(contentFramesMax: number): (payload: string) => string | undefined {
  let contentFrames = 0;
  const droppedBlocks = new Set<unknown>();
  return (payload) => {
    const json = parseObject(payload);
    const isOver = contentFrames >= contentFramesMax;
    switch (json?.type) {
      case "message":
        return JSON.stringify(cutMessage(json, createBudget(contentFramesMax)));
      case "content_block_start":
        if (isOver) droppedBlocks.add(json.index);
        return isOver ? undefined : payload;
      case "content_block_delta":
        if (isOver) return undefined;
        if (bringsOutput(json)) contentFrames++;
        return payload;
      case "content_block_stop":
        return droppedBlocks.has(json.index) ? undefined : payload;
      case "message_delta":
        return isObject(json.delta) && endsOtherwise(json.delta) ? JSON.stringify({ ...json, delta: cutEnd(json.delta) }) : payload;
      default:
        return payload;
    }
  };
}

function endsOtherwise({ stop_reason }: JsonObject): boolean {
  return typeof stop_reason === "string" && stop_reason !== "max_tokens";
}

/** The end of a message or of its delta; fields that are not there stay away. */
function cutEnd(end: JsonObject): JsonObject {
  return { ...end, stop_reason: "max_tokens", stop_sequence: null, ...("stop_details" in end && { stop_details: null }) };
}

function cutMessage(message: JsonObject, budget: Budget): JsonObject {
  const content = objectsOf(message.content).flatMap((block) => {
    if (budget.isSpent()) return [];
    if (typeof block.text === "string") return [{ ...block, text: budget.take(block.text) }];
    if (typeof block.thinking === "string") return [{ ...block, thinking: budget.take(block.thinking) }];
    const input = JSON.stringify(block.input ?? {});
    return [budget.take(input) === input ? block : { ...block, input: {} }];
  });
  return { ...cutEnd(message), content };
}
