import { afterAll } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import fc from "fast-check";
import OpenAI from "openai";
import type { Answer, DialectName, Envelope, Payload } from "../../src/core/dialect.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import type { JsonObject } from "../../src/dialects/shared.ts";
import { RESCUES_BY_DIALECT } from "../../src/rescue/index.ts";
import { type Clients, rendered, TEXT } from "../dialects/serve.ts";

/** Set to replay a failure: `FAULTPROXY_TEST_SEED=123 bun test`. fast-check prints the seed of a failed run. */
const seedText = process.env.FAULTPROXY_TEST_SEED;
export const SEED = seedText === undefined ? {} : { seed: Number(seedText) };

export function envelopeOf(number: number): Envelope {
  return { id: `${number}${"0123456789abcdefghijklm"}`, model: `model-${number}`, createdSeconds: 1_760_000_000 + number };
}

export function framesOf(name: DialectName, answer: Partial<Answer>, number: number): readonly Payload[] {
  return DIALECTS[name].frames({ ...TEXT, ...answer }, envelopeOf(number), { usageInStream: true });
}

// ---- texts ----

const words = fc.oneof(
  fc.constantFrom("Hello", " wörld", "\n\n", "  ", "😀", " 👩‍👩‍👧", "\t", "\u00a0", "。", " x ", "\r\n", "\u2028", "🏔\n"),
  fc.string({ maxLength: 4, unit: "grapheme" }),
);

/** A text in pieces, which may be cut inside a character. */
export const pieces: fc.Arbitrary<readonly string[]> = fc
  .tuple(fc.array(words, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(40), { maxLength: 6 }))
  .map(([parts, cuts]) => cutAt(parts.join(""), cuts));

export function cutAt(text: string, cuts: readonly number[]): readonly string[] {
  const places = [...new Set([0, ...cuts.filter((cut) => cut < text.length)])].sort((a, b) => a - b);
  return places.map((place, index) => text.slice(place, places[index + 1])).filter((piece) => piece !== "");
}

/** How a model goes on: with the white space that it was not told, without any, or with other. */
export const HABITS = ["repeats", "strips", "differs"] as const;
export type Habit = (typeof HABITS)[number];

export function goneOn(rest: string, habit: Habit): string {
  if (habit === "repeats") return rest;
  return habit === "strips" ? rest.trimStart() : ` \n${rest.trimStart()}`;
}

/** What a client has in the end: what the continuation repeats of the end that was not told is there once. */
export function joined(there: string, told: string, continuation: string): string {
  const end = there.slice(told.length);
  let repeated = end.length;
  while (!continuation.startsWith(end.slice(0, repeated))) repeated--;
  return there + continuation.slice(repeated);
}

// ---- requests ----

const TURNS = [{ role: "user", content: "Hi" }];
export const REQUESTS: Readonly<Record<DialectName, JsonObject>> = {
  chat: { model: "m", stream: true, messages: TURNS },
  messages: { model: "m", stream: true, max_tokens: 100, messages: TURNS },
  responses: { model: "m", stream: true, input: "Hi" },
  gemini: { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
};

/** The text of the last turn, in any dialect. */
export function toldIn(request: JsonObject): string {
  const turns = [request.messages, request.input, request.contents].find(Array.isArray) ?? [];
  const last = turns.at(-1);
  if (last?.role !== "assistant" && last?.role !== "model") return "";
  const content = last.content ?? last.parts;
  return typeof content === "string" ? content : content.map((part: { text: string }) => part.text).join("");
}

// ---- what clients make of it ----

/** What an official client has accumulated. */
export type Seen = {
  readonly id: string;
  readonly text: string;
  readonly calls: readonly string[];
  readonly finish: string | null | undefined;
  readonly outputTokens: number | undefined;
  /** Where the dialect's client keeps them: blocks, items. */
  readonly parts: readonly string[];
};

let body = "";
let clients: (Clients & { readonly stop: () => Promise<void> }) | undefined;

/** One server for all: bodies come one after the other. */
function sharedClients(): Clients {
  if (clients !== undefined) return clients;
  const server = Bun.serve({ port: 0, fetch: () => new Response(body, { headers: { "content-type": "text/event-stream" } }) });
  const origin = `http://127.0.0.1:${server.port}`;
  clients = {
    openai: new OpenAI({ apiKey: "sk-test", baseURL: `${origin}/v1`, maxRetries: 0 }),
    anthropic: new Anthropic({ apiKey: "sk-ant-test", baseURL: origin, maxRetries: 0 }),
    google: new GoogleGenAI({ apiKey: "AIza-test", httpOptions: { baseUrl: origin } }),
    stop: () => server.stop(true),
  };
  return clients;
}

afterAll(async () => {
  await clients?.stop();
  clients = undefined;
});

export function seen(name: DialectName, payloads: readonly Payload[]): Promise<Seen> {
  body = rendered(payloads);
  return READERS[name](sharedClients());
}

const READERS: Readonly<Record<DialectName, (clients: Clients) => Promise<Seen>>> = {
  async chat({ openai }) {
    const stream = openai.chat.completions.stream({
      model: "m",
      messages: [{ role: "user", content: "Hi" }],
      stream_options: { include_usage: true },
    });
    const { id, choices, usage } = await stream.finalChatCompletion();
    const message = choices[0]?.message;
    return {
      id,
      text: message?.content ?? "",
      calls: (message?.tool_calls ?? []).map((call) => ("function" in call ? call.function.arguments : "")),
      finish: choices[0]?.finish_reason,
      outputTokens: usage?.completion_tokens,
      parts: [message?.role ?? ""],
    };
  },
  async messages({ anthropic }) {
    const request = { model: "m", max_tokens: 100, messages: [{ role: "user" as const, content: "Hi" }] };
    const { id, content, stop_reason, usage } = await anthropic.messages.stream(request).finalMessage();
    return {
      id,
      text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
      calls: content.flatMap((block) => (block.type === "tool_use" ? [JSON.stringify(block.input)] : [])),
      finish: stop_reason,
      outputTokens: usage.output_tokens,
      parts: collapsed(content.map(({ type }) => type)),
    };
  },
  async responses({ openai }) {
    const { id, output, output_text, status, usage } = await openai.responses.stream({ model: "m", input: "Hi" }).finalResponse();
    return {
      id,
      text: output_text,
      calls: output.flatMap((item) => (item.type === "function_call" ? [item.arguments] : [])),
      finish: status,
      outputTokens: usage?.output_tokens,
      parts: collapsed(output.map(({ type }) => type)),
    };
  },
  async gemini({ google }) {
    const stream = await google.models.generateContentStream({ model: "m", contents: "Hi" });
    const ids = new Set<string | undefined>();
    const finishes: string[] = [];
    const calls: string[] = [];
    let text = "";
    let outputTokens: number | undefined;
    for await (const chunk of stream) {
      ids.add(chunk.responseId);
      for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
        text += part.text ?? "";
        if (part.functionCall !== undefined) calls.push(JSON.stringify(part.functionCall.args));
      }
      const finish = chunk.candidates?.[0]?.finishReason;
      if (finish !== undefined) finishes.push(finish);
      outputTokens = chunk.usageMetadata?.candidatesTokenCount;
    }
    return { id: [...ids].join(" "), text, calls, finish: finishes.join(" "), outputTokens, parts: [] };
  },
};

/** A text that was whole when its stream failed has another part behind it. */
function collapsed(types: readonly string[]): readonly string[] {
  return types.filter((type, index) => index === 0 || type !== types[index - 1] || /call|tool/.test(type));
}

// ---- a stream that fails ----

export type Told = {
  /** What the client got, to the end. */
  readonly payloads: readonly Payload[];
  readonly text: string;
};

/**
 * A model that knows the whole text is cut off at each of these frames, and others go on behind what they are told, the last one to the end.
 * Cuts behind the finish are none, nor are those behind which nothing can go on.
 */
export function rescued(
  name: DialectName,
  whole: readonly string[],
  cuts: readonly { readonly frames: number; readonly habit: Habit; readonly inPieces: readonly number[] }[],
  end: Partial<Answer> = {},
): Told {
  const { partial: createPartial, finish } = RESCUES_BY_DIALECT[name];
  const partial = createPartial();
  const isFinished = finish();
  const sent: Payload[] = [];
  let text = whole.join("");
  let frames: readonly Payload[] = framesOf(name, { text: whole, ...end }, 0);
  let isOver = false;
  const send = (payload: Payload) => {
    sent.push(payload);
    partial.note(payload);
    isOver = isFinished(payload);
  };
  for (const [index, { frames: cut, habit, inPieces }] of cuts.entries()) {
    for (const payload of frames.slice(0, cut)) send(payload);
    frames = frames.slice(cut);
    if (isOver || frames.length === 0) break;
    const there = textOf(name, sent);
    const request = partial.continuing(REQUESTS[name]);
    // A call has begun.
    if (request === undefined) continue;
    const told = toldIn(request);
    const continuation = goneOn(text.slice(told.length), habit);
    const splice = partial.splice();
    frames = framesOf(name, { text: cutAt(continuation, inPieces), ...end }, index + 1).flatMap((payload) => splice(payload));
    text = joined(there, told, continuation);
  }
  for (const payload of frames) send(payload);
  return { payloads: sent, text };
}

/** The text in pieces of an answer of these dialects, read in the plainest way. */
export function textOf(name: DialectName, payloads: readonly Payload[]): string {
  return payloads.map(({ data }) => (data === "[DONE]" ? "" : (TEXT_IN[name](JSON.parse(data)) ?? ""))).join("");
}

const TEXT_IN: Readonly<Record<DialectName, (json: JsonObject) => unknown>> = {
  chat: (json) => at(json, "choices", 0, "delta", "content"),
  messages: (json) => at(json, "delta", "text"),
  responses: (json) => (json.type === "response.output_text.delta" ? json.delta : ""),
  gemini: (json) => at(json, "candidates", 0, "content", "parts", 0, "text"),
};

/** What stands at this path of a value; undefined where nothing does. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined), value);
}
