import type { Answer, Dialect, Envelope, Payload } from "../core/dialect.ts";
import type { RequestFacts } from "../core/exchange.ts";
import { SSE } from "../stream/sse.ts";
import { chatStreamErrors } from "./chat/stream-errors.ts";
import { chatUsage } from "./chat/usage.ts";
import {
  argumentPieces,
  type Budget,
  charactersIn,
  countOf,
  createBudget,
  decodeSegment,
  factsFromPath,
  isObject,
  type JsonObject,
  objectsOf,
  openaiSession,
  openaiUser,
  parseObject,
  textOf,
  textsOf,
  tokensIn,
  turnText,
  withPrefix,
  wordPieces,
} from "./shared.ts";

/** OpenAI Chat Completions, and the many servers that speak it. */
export const chat: Dialect = {
  name: "chat",
  matches: (path) => /(?:^|\/)chat\/completions\/?$|\/serving-endpoints\/[^/]+\/invocations\/?$/.test(path),
  facts: (path, _query, json) => readFacts(path, json),
  framing: () => SSE,
  isContent: ({ data }) => objectsOf(parseObject(data)?.choices).some(({ delta }) => isObject(delta) && bringsOutput(delta)),
  isTerminal: ({ data }) => data?.trim() === "[DONE]",
  streamErrors: chatStreamErrors(),
  keepalive: ": keep-alive\n\n",
  whole: renderWhole,
  frames: renderFrames,
  usage: chatUsage,
  withoutUsage: () => withoutUsage,
  endedByLength,
};

function readFacts(path: string, json: unknown): RequestFacts {
  if (!isObject(json)) return factsFromPath(modelInPath(path), false, false);
  const messages = objectsOf(json.messages);
  const lastRole = messages.at(-1)?.role;
  const inputCharacters = charactersIn(messages) + charactersIn(json.tools) + charactersIn(json.functions);
  return {
    model: textOf(json.model) ?? modelInPath(path),
    stream: json.stream === true,
    session: openaiSession(json),
    user: openaiUser(json),
    inputCharacters,
    inputTokens: tokensIn(inputCharacters),
    outputTokensMax: countOf(json.max_completion_tokens) ?? countOf(json.max_tokens),
    tools: toolNames(json),
    prompt: turnText(messages.findLast(isOfUser)?.content),
    afterToolResult: lastRole === "tool" || lastRole === "function",
    usageInStream: asksForUsage(json),
  };
}

function isOfUser({ role }: JsonObject): boolean {
  return role === "user";
}

function modelInPath(path: string): string | undefined {
  return decodeSegment(/\/(?:serving-endpoints|deployments)\/([^/]+)\/(?:invocations|chat\/completions)/.exec(path)?.[1]);
}

function toolNames(json: JsonObject): readonly string[] {
  if (json.tools === undefined && json.functions === undefined) return [];
  const tools = objectsOf(json.tools).map((tool) => (isObject(tool.function) ? tool.function : tool.custom));
  return textsOf([...tools, ...objectsOf(json.functions)].map((tool) => (isObject(tool) ? tool.name : undefined)));
}

/** OpenAI's own option, and OpenRouter's `usage: {include: true}`. */
function asksForUsage({ stream_options, usage }: JsonObject): boolean {
  return (isObject(stream_options) && stream_options.include_usage === true) || (isObject(usage) && usage.include === true);
}

/** Text in any of the fields that servers use for it, or a piece of a call's arguments. */
function bringsOutput(delta: JsonObject): boolean {
  return (
    [delta.content, delta.refusal, delta.reasoning_content, delta.reasoning].some(isFilled) ||
    objectsOf(delta.tool_calls).some((call) => [call.function, call.custom].some(hasArguments)) ||
    hasArguments(delta.function_call)
  );
}

/** Some servers send content as a list of parts. */
function isFilled(value: unknown): boolean {
  return (typeof value === "string" || Array.isArray(value)) && value.length > 0;
}

function hasArguments(call: unknown): boolean {
  return isObject(call) && (isFilled(call.arguments) || isFilled(call.input));
}

// ---- answers ----

/** The form of OpenAI's own, which has been the same example in its reference for years. */
const FINGERPRINT = "fp_44709d6fcb";

function renderWhole(answer: Answer, envelope: Envelope): string {
  const { toolCalls, refusal } = answer;
  const text = answer.text.join("");
  return JSON.stringify({
    id: withPrefix("chatcmpl-", envelope.id),
    object: "chat.completion",
    created: envelope.createdSeconds,
    model: envelope.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: text === "" && (toolCalls.length > 0 || refusal !== undefined) ? null : text,
          ...(toolCalls.length > 0 && {
            tool_calls: toolCalls.map(({ id, name, argumentsText }) => ({
              id: withPrefix("call_", id),
              type: "function",
              function: { name, arguments: argumentsText },
            })),
          }),
          refusal: refusal ?? null,
          annotations: [],
        },
        logprobs: null,
        finish_reason: answer.finish,
      },
    ],
    usage: usageOf(answer),
    service_tier: "default",
    system_fingerprint: FINGERPRINT,
  });
}

function usageOf({ inputTokens, outputTokens }: Answer): JsonObject {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function renderFrames(answer: Answer, envelope: Envelope, facts: Pick<RequestFacts, "usageInStream">): readonly Payload[] {
  // What every chunk repeats is turned into text once: the built-in provider sends many.
  const head = JSON.stringify({
    id: withPrefix("chatcmpl-", envelope.id),
    object: "chat.completion.chunk",
    created: envelope.createdSeconds,
    model: envelope.model,
    service_tier: "default",
    system_fingerprint: FINGERPRINT,
  }).slice(0, -1);
  const tail = facts.usageInStream ? ',"usage":null}' : "}";
  const payload = (data: string): Payload => ({ event: undefined, data });
  const chunk = (delta: string, finish: string): Payload =>
    payload(`${head},"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}]${tail}`);
  const usage = payload(`${head},"choices":[],"usage":${JSON.stringify(usageOf(answer))}}`);
  return [
    ...deltasOf(answer).map((delta) => chunk(delta, "null")),
    chunk("{}", JSON.stringify(answer.finish)),
    ...(facts.usageInStream ? [usage] : []),
    payload("[DONE]"),
  ];
}

/** The role comes first, alone with an empty content where the answer is a text. */
function deltasOf({ text, refusal, toolCalls }: Answer): readonly string[] {
  const hasText = text.length > 0 || (toolCalls.length === 0 && refusal === undefined);
  return [
    `{"role":"assistant","content":${hasText ? '""' : "null"},"refusal":null}`,
    ...text.map((piece) => `{"content":${JSON.stringify(piece)}}`),
    ...wordPieces(refusal ?? "").map((piece) => `{"refusal":${JSON.stringify(piece)}}`),
    ...toolCalls.flatMap(({ id, name, argumentsText }, index) => [
      JSON.stringify({ tool_calls: [{ index, id: withPrefix("call_", id), type: "function", function: { name, arguments: "" } }] }),
      ...argumentPieces(argumentsText).map(
        (piece) => `{"tool_calls":[{"index":${index},"function":{"arguments":${JSON.stringify(piece)}}}]}`,
      ),
    ]),
  ];
}

// ---- rewriters ----

/** The chunk that brings nothing but the usage is left out altogether. */
function withoutUsage(payload: string): string | undefined {
  if (!payload.includes('"usage"')) return payload;
  const json = parseObject(payload);
  if (json === undefined || json.usage === undefined || json.usage === null) return payload;
  if (Array.isArray(json.choices) && json.choices.length === 0) return undefined;
  const { usage: _left, ...rest } = json;
  return JSON.stringify(rest);
}

function endedByLength(contentFramesMax: number): (payload: string) => string | undefined {
  let contentFrames = 0;
  return (payload) => {
    const json = parseObject(payload);
    const choices = objectsOf(json?.choices);
    if (choices.length === 0) return payload;
    if (choices.some((choice) => isObject(choice.message))) {
      const budget = createBudget(contentFramesMax);
      return JSON.stringify({ ...json, choices: choices.map((choice) => cutChoice(choice, budget)) });
    }
    const deltas = choices.map((choice) => (isObject(choice.delta) ? choice.delta : {}));
    const isOver = contentFrames >= contentFramesMax && deltas.some((delta) => bringsOutput(delta) || delta.tool_calls !== undefined);
    if (!isOver && deltas.some(bringsOutput)) contentFrames++;
    const changed = choices.map((choice) => endChoice(choice, isOver));
    if (isOver && changed.every(saysNothing)) return undefined;
    return isOver || choices.some(endsOtherwise) ? JSON.stringify({ ...json, choices: changed }) : payload;
  };
}

function endsOtherwise({ finish_reason }: JsonObject): boolean {
  return typeof finish_reason === "string" && finish_reason !== "length";
}

function endChoice(choice: JsonObject, isOver: boolean): JsonObject {
  const ended = endsOtherwise(choice) ? { ...choice, finish_reason: "length" } : choice;
  if (!isOver || !isObject(choice.delta)) return ended;
  // The role must not get lost with the output it came with.
  const { role } = choice.delta;
  return { ...ended, delta: role === undefined ? {} : { role, content: "" } };
}

function saysNothing({ delta, finish_reason }: JsonObject): boolean {
  return typeof finish_reason !== "string" && isObject(delta) && delta.role === undefined;
}

function cutChoice(choice: JsonObject, budget: Budget): JsonObject {
  if (!isObject(choice.message)) return choice;
  const message: Record<string, unknown> = { ...choice.message };
  for (const key of ["reasoning_content", "reasoning", "content", "refusal"]) {
    const text = message[key];
    if (typeof text === "string") message[key] = budget.take(text);
  }
  if (Array.isArray(message.tool_calls)) {
    message.tool_calls = objectsOf(message.tool_calls).flatMap((call) => (budget.isSpent() ? [] : [cutCall(call, budget)]));
    if (Array.isArray(message.tool_calls) && message.tool_calls.length === 0) delete message.tool_calls;
  }
  return { ...choice, message, finish_reason: "length" };
}

function cutCall(call: JsonObject, budget: Budget): JsonObject {
  if (!isObject(call.function) || typeof call.function.arguments !== "string") return call;
  return { ...call, function: { ...call.function, arguments: budget.take(call.function.arguments) } };
}
