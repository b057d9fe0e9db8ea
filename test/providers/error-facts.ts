import type { ErrorEntry, ErrorFacts, HttpFaultName, ProviderName } from "../../src/core/provider.ts";
import { randomStream } from "../../src/core/random.ts";
import { PROVIDERS } from "../../src/providers/index.ts";

/** 2026-02-08T12:34:48Z. */
export const WALL_MS = Date.UTC(2026, 1, 8, 12, 34, 48);

/** Typical facts, fresh at each call, because ids are drawn once per facts. */
export function errorFacts(changes: Partial<ErrorFacts> = {}): ErrorFacts {
  return {
    model: "gpt-4o",
    path: "/v1/chat/completions",
    framing: "whole",
    dialect: "chat",
    inputTokens: 2_000,
    outputTokensMax: 1_000,
    contextTokensMax: 128_000,
    retryAfterSeconds: 2,
    maskedKey: "sk-exam***************************************mple",
    wallMs: WALL_MS,
    random: randomStream(1, "error-facts"),
    status: 400,
    message: undefined,
    ...changes,
  };
}

export function entryOf(provider: ProviderName, fault: HttpFaultName, variant?: string): ErrorEntry {
  const entries = PROVIDERS[provider].errors[fault];
  const found = variant === undefined ? entries[0] : entries.find((candidate) => candidate.variant === variant);
  if (found === undefined) throw new Error(`${provider} has no ${fault} of variant ${variant}`);
  return found;
}

export type SentError = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly text: string };

/** The error as it goes out: body first, then the headers, of the same facts. */
export function send(provider: ProviderName, entry: ErrorEntry, changes: Partial<ErrorFacts> = {}): SentError {
  const facts = errorFacts({ status: entry.status, ...changes });
  const body = entry.body(facts);
  const headers = entry.headers?.(facts) ?? PROVIDERS[provider].errorHeaders(facts, entry);
  return {
    status: facts.status,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    text: typeof body === "string" ? body : JSON.stringify(body),
  };
}

/** The text of one error. */
export function bodyOf(provider: ProviderName, fault: HttpFaultName, variant: string, changes: Partial<ErrorFacts> = {}): string {
  return send(provider, entryOf(provider, fault, variant), changes).text;
}
