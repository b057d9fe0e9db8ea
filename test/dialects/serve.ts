import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import type { Answer, Dialect, Envelope, Payload } from "../../src/core/dialect.ts";
import type { ErrorFacts, StreamErrorFacts } from "../../src/core/provider.ts";
import { randomStream } from "../../src/core/random.ts";
import { SSE } from "../../src/stream/sse.ts";

export const ENVELOPE: Envelope = { id: "0123456789abcdefghijklmn", model: "test-model", createdSeconds: 1_760_000_000 };

export const TEXT: Answer = {
  text: ["Hello", ",", " wörld", " 😀", "\nsecond", " line."],
  refusal: undefined,
  toolCalls: [],
  finish: "stop",
  inputTokens: 12,
  outputTokens: 6,
};
const CALL = { id: "abc1", name: "get_weather", argumentsText: '{"location":"Zürich, Schweiz 🏔","days":3}' };
export const ANSWERS = {
  text: TEXT,
  length: { ...TEXT, finish: "length" },
  filtered: { ...TEXT, finish: "content_filter" },
  empty: { ...TEXT, text: [], outputTokens: 1 },
  refusal: { ...TEXT, text: [], refusal: "I'm sorry, but I can't help with that request." },
  call: { ...TEXT, text: [], toolCalls: [CALL], finish: "tool_calls" },
  twoCallsAndText: { ...TEXT, toolCalls: [CALL, { id: "abc2", name: "no_arguments", argumentsText: "{}" }], finish: "tool_calls" },
  brokenCall: { ...TEXT, text: [], toolCalls: [{ ...CALL, argumentsText: '{"location":"Paris, Fra' }], finish: "tool_calls" },
} as const satisfies Record<string, Answer>;
export type AnswerName = keyof typeof ANSWERS;

export const ERROR_FACTS: ErrorFacts = {
  model: "test-model",
  path: "/",
  framing: "sse",
  dialect: "chat",
  inputTokens: 10,
  outputTokensMax: 100,
  contextTokensMax: 1_000,
  retryAfterSeconds: 11.054,
  maskedKey: "sk-…",
  wallMs: 1_760_000_000_000,
  random: randomStream(1, "test"),
  status: 200,
  message: undefined,
};

export function errorFacts(changes: Partial<StreamErrorFacts> = {}): StreamErrorFacts {
  return { ...ERROR_FACTS, random: randomStream(1, "test"), index: 2, ...changes };
}

export function rendered(payloads: readonly Payload[]): string {
  const decoder = new TextDecoder();
  return payloads.map(({ event, data }, index) => decoder.decode(SSE.render(event, data, index))).join("");
}

export function streamOf(dialect: Dialect, answer: Answer, usageInStream = true): string {
  return rendered(dialect.frames(answer, ENVELOPE, { usageInStream }));
}

/** The payloads of an answer after a rewriter, with the event's name following the payload's type. */
export function rewrittenPayloads(payloads: readonly Payload[], rewrite: (payload: string) => string | undefined): readonly Payload[] {
  return payloads.flatMap(({ event, data }) => {
    const changed = rewrite(data);
    if (changed === undefined) return [];
    return [{ event: event === undefined ? undefined : String(JSON.parse(changed).type), data: changed }];
  });
}

export type Clients = { readonly openai: OpenAI; readonly anthropic: Anthropic; readonly google: GoogleGenAI };

/** Official clients, all of which get this body for every request. */
export async function withClients<T>(body: string, use: (clients: Clients) => Promise<T>, contentType?: string): Promise<T> {
  const type = contentType ?? (/^(?:data|event|:)/.test(body) ? "text/event-stream" : "application/json");
  const server = Bun.serve({ port: 0, fetch: () => new Response(body, { headers: { "content-type": type } }) });
  const origin = `http://127.0.0.1:${server.port}`;
  try {
    return await use({
      openai: new OpenAI({ apiKey: "sk-test", baseURL: `${origin}/v1`, maxRetries: 0 }),
      anthropic: new Anthropic({ apiKey: "sk-ant-test", baseURL: origin, maxRetries: 0 }),
      google: new GoogleGenAI({ apiKey: "AIza-test", httpOptions: { baseUrl: origin } }),
    });
  } finally {
    await server.stop(true);
  }
}

export async function collected<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}
