import type { DialectName, ToolCall } from "../../../src/core/dialect.ts";
import type { HeaderList } from "../../../src/core/headers.ts";
import type { ProviderName } from "../../../src/core/provider.ts";
import { type Draws, drawsOf } from "./draws.ts";

/** One exchange as it is meant to be: who asks for what, and what every target would answer. */
export type Story = {
  readonly id: number;
  readonly atMs: number;
  readonly provider: ProviderName;
  readonly dialect: DialectName;
  readonly isStream: boolean;
  readonly target: string;
  readonly headers: HeaderList;
  readonly request: object;
  /** In chunks, without a length. */
  readonly isChunked: boolean;
  /** The whole answer: a text of its own, and perhaps a call behind it. */
  readonly text: string;
  readonly call: ToolCall | undefined;
  /** How long after its request the client leaves; undefined: it waits for ever. */
  readonly leavesMs: number | undefined;
  /** Does the engine tell the body of it at once, or a moment later? */
  readonly isToldLater: boolean;
  /** How long it looks at each piece of the answer, at most. */
  readonly pauseMs: number;
};

type Api = { readonly provider: ProviderName; readonly dialect: DialectName; readonly path: (model: string, isStream: boolean) => string };

const APIS: readonly [readonly [number, Api], ...(readonly [number, Api])[]] = [
  [4, { provider: "openai", dialect: "chat", path: () => "/v1/chat/completions" }],
  [3, { provider: "openai", dialect: "responses", path: () => "/v1/responses" }],
  [4, { provider: "anthropic", dialect: "messages", path: () => "/v1/messages" }],
  [2, { provider: "google", dialect: "gemini", path: (model, isStream) => gemini(model, isStream ? "streamGenerateContent?alt=sse" : "") }],
  [1, { provider: "google", dialect: "gemini", path: (model, isStream) => gemini(model, isStream ? "streamGenerateContent" : "") }],
  [1, { provider: "google", dialect: "chat", path: () => "/v1beta/openai/chat/completions" }],
  [1, { provider: "openrouter", dialect: "messages", path: () => "/api/v1/messages" }],
  [1, { provider: "databricks", dialect: "chat", path: () => "/databricks/serving-endpoints/chat/completions" }],
];

function gemini(model: string, method: string): string {
  return `/v1beta/models/${model}:${method === "" ? "generateContent" : method}`;
}

/** By which targets know whose request they have. */
export const MARK = /exchange (\d+)\./;

const WORDS = ["one ", "zwei ", "três\n", "😀", " 👩‍👩‍👧 ", "四 ", "\t", "five", "  ", "\r\n", ". ", "— ", "ab cd", "\u2028", "0"] as const;

export function storyOf(seed: number, id: number, routes: number, lengthMs: number): Story {
  const draws = drawsOf(seed, `story/${id}`);
  const { provider, dialect, path } = draws.oneOf(APIS);
  const isStream = draws.chance(0.7);
  const model = `route-${draws.whole(0, routes - 1)}`;
  return {
    id,
    atMs: draws.between(0, lengthMs),
    provider,
    dialect,
    isStream,
    target: path(model, isStream),
    headers: headersOf(provider, draws),
    request: requestOf(dialect, model, isStream, `exchange ${id}.${draws.chance(0.03) ? "x".repeat(30_000) : ""}`, draws),
    isChunked: draws.chance(0.1),
    text: `#${id} ${Array.from({ length: draws.whole(1, 25) }, () => draws.pick(WORDS)).join("")}`,
    call: draws.chance(0.12) ? { id: `call${id}`, name: "look", argumentsText: `{"of":${id},"ä":"b c"}` } : undefined,
    leavesMs: draws.chance(0.15) ? draws.oneOf([[1, draws.between(0, 2_000)] as const, [1, draws.between(0, 40_000)] as const]) : undefined,
    isToldLater: draws.chance(0.5),
    pauseMs: draws.oneOf([[8, 0] as const, [1, 500] as const, [1, 15_000] as const]),
  };
}

function headersOf(provider: ProviderName, draws: Draws): HeaderList {
  const key = `key-${draws.whole(1, 3)}`;
  const shown: HeaderList = {
    openai: [["authorization", `Bearer sk-${key}`] as const],
    openrouter: [["authorization", `Bearer sk-or-${key}`] as const],
    databricks: [["authorization", `Bearer ${key}`] as const],
    tetrate: [["authorization", `Bearer ${key}`] as const],
    anthropic: [["x-api-key", key] as const, ["anthropic-version", "2023-06-01"] as const],
    google: [["x-goog-api-key", key] as const],
  }[provider];
  const budget: HeaderList = draws.chance(0.08) ? [["x-llm-proxy-timeout-ms", String(draws.whole(500, 20_000))]] : [];
  return [["host", "127.0.0.1"], ["content-type", "application/json"], ...shown, ...budget];
}

function requestOf(dialect: DialectName, model: string, stream: boolean, content: string, draws: Draws): object {
  const turns = [{ role: "user", content }];
  switch (dialect) {
    case "chat":
      return { model, stream, messages: turns, ...(draws.chance(0.5) ? { stream_options: { include_usage: draws.chance(0.7) } } : {}) };
    case "messages":
      return { model, stream, max_tokens: 1_000, messages: turns };
    case "responses":
      return { model, stream, input: draws.chance(0.5) ? content : turns };
    case "gemini":
      return { contents: [{ role: "user", parts: [{ text: content }] }] };
  }
}
