import type { Identified, RequestFacts } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";
import type { ErrorContext } from "../../core/provider.ts";
import type { Random } from "../../core/random.ts";
import { DIALECTS } from "../../dialects/index.ts";
import { PROVIDERS } from "../../providers/index.ts";

/** Context windows in tokens by the beginning of the model's name, longest beginnings first. */
const CONTEXT_TOKENS: readonly (readonly [beginning: string, tokens: number])[] = [
  ["gpt-5", 400_000],
  ["gpt-4.1", 1_047_576],
  ["gpt-4o", 128_000],
  ["gpt-4-turbo", 128_000],
  ["gpt-4", 8_192],
  ["gpt-3.5-turbo", 16_385],
  ["o1", 200_000],
  ["o3", 200_000],
  ["o4", 200_000],
  ["claude", 200_000],
  ["gemini", 1_048_575],
];
const CONTEXT_TOKENS_USUAL = 128_000;

/** Seconds; what `retry-after` says unless `retry_after=` is given. Short enough to watch a client recover. */
const RETRY_AFTER_SECONDS_USUAL = 2;

/** All that an error text may speak of, from the request where it tells. */
export function errorContext(exchange: Identified, facts: RequestFacts, random: Random, wallMs: number): ErrorContext {
  const model = facts.model ?? PROVIDERS[exchange.provider].usualModel;
  const contextTokensMax = contextTokensOf(model);
  return {
    model,
    path: exchange.path,
    framing: facts.stream && exchange.dialect ? DIALECTS[exchange.dialect].framing(exchange.path, exchange.query).name : "whole",
    dialect: exchange.dialect,
    inputTokens: Math.max(1, facts.inputTokens),
    outputTokensMax: facts.outputTokensMax ?? 4_096,
    contextTokensMax,
    retryAfterSeconds: RETRY_AFTER_SECONDS_USUAL,
    maskedKey: maskedKey(exchange),
    wallMs,
    random,
  };
}

/** As OpenAI masks keys: `sk-exam***…***mple`. Of a short key nothing is shown. */
function maskedKey(exchange: Identified): string {
  const key =
    headerValue(exchange.headers, "authorization")?.replace(/^\S+\s+/, "") ??
    headerValue(exchange.headers, "x-api-key") ??
    headerValue(exchange.headers, "x-goog-api-key") ??
    "";
  if (key.length < 24) return "*".repeat(Math.max(8, key.length));
  return `${key.slice(0, 7)}${"*".repeat(Math.min(39, key.length - 11))}${key.slice(-4)}`;
}

/** The context window of a model, from its name where that is known. */
export function contextTokensOf(model: string): number {
  const bare = model.slice(model.lastIndexOf("/") + 1).toLowerCase();
  return CONTEXT_TOKENS.find(([beginning]) => bare.startsWith(beginning))?.[1] ?? CONTEXT_TOKENS_USUAL;
}
