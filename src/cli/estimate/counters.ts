import { type InputError, inputError } from "../../core/errors.ts";
import { PROVIDER_NAMES, type ProviderName } from "../../core/provider.ts";
import { isObject, tokensOf } from "../../dialects/shared.ts";
import { PROVIDERS } from "../../providers/index.ts";
import { visible } from "../print.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A provider's own count of a text's tokens. None of them costs anything. */
type Counter = {
  /** Variables that hold its key, the first one set counts. */
  readonly keyVariables: readonly string[];
  /** With the key; a proxy may have one of its own. */
  readonly keyHeader: (key: string) => Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path: (model: string) => string;
  readonly body: (model: string, text: string) => unknown;
  readonly tokens: (answer: Readonly<Record<string, unknown>>) => unknown;
};

export const COUNTERS: Partial<Readonly<Record<ProviderName, Counter>>> = {
  // openai resources/responses/input-tokens
  openai: {
    keyVariables: ["OPENAI_API_KEY"],
    keyHeader: (key) => ({ authorization: `Bearer ${key}` }),
    path: () => "/v1/responses/input_tokens",
    body: (model, text) => ({ model, input: text }),
    tokens: ({ input_tokens }) => input_tokens,
  },
  // @anthropic-ai/sdk resources/messages, countTokens
  anthropic: {
    keyVariables: ["ANTHROPIC_API_KEY"],
    keyHeader: (key) => ({ "x-api-key": key }),
    headers: { "anthropic-version": "2023-06-01" },
    path: () => "/v1/messages/count_tokens",
    body: (model, text) => ({ model, messages: [{ role: "user", content: text }] }),
    tokens: ({ input_tokens }) => input_tokens,
  },
  // @google/genai models.countTokens
  google: {
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    keyHeader: (key) => ({ "x-goog-api-key": key }),
    path: (model) => `/v1beta/models/${encodeURIComponent(model)}:countTokens`,
    body: (_model, text) => ({ contents: [{ role: "user", parts: [{ text }] }] }),
    tokens: ({ totalTokens }) => totalTokens,
  },
};

/** Those that can be asked, by a key in the environment. */
export function countable(environment: Environment): readonly ProviderName[] {
  return PROVIDER_NAMES.filter((name) => keyOf(name, environment) !== undefined);
}

export function keyVariables(): string {
  return PROVIDER_NAMES.flatMap((name) => COUNTERS[name]?.keyVariables[0] ?? []).join(", ");
}

function keyOf(provider: ProviderName, environment: Environment): string | undefined {
  return COUNTERS[provider]?.keyVariables.map((name) => environment[name]?.trim()).find((key) => key !== undefined && key !== "");
}

const ANSWER_MS_MAX = 30_000;
const MESSAGE_CHARACTERS_MAX = 200;

export type Question = {
  readonly provider: ProviderName;
  readonly model: string;
  readonly text: string;
  /** URL of a proxy or a server; undefined: the provider's own. */
  readonly url: string | undefined;
};

/** Asks the provider how many tokens the text has, as the only message of a request. No key ever comes into a message. */
export async function countTokens({ provider, model, text, url }: Question, environment: Environment): Promise<number | InputError> {
  const counter = COUNTERS[provider];
  const base = url ?? environment[PROVIDERS[provider].hostVariable] ?? PROVIDERS[provider].host;
  const { title } = PROVIDERS[provider];
  if (counter === undefined || base === undefined) return inputError(`${title} has no endpoint that counts tokens`);
  const key = keyOf(provider, environment);
  const failed = (why: string) => {
    const tidy = key === undefined ? why : why.replaceAll(key, "***");
    return inputError(`${title} did not count: ${visible(tidy).slice(0, MESSAGE_CHARACTERS_MAX)}`);
  };
  try {
    const response = await fetch(`${base.replace(/\/+$/, "")}${counter.path(model)}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...counter.headers, ...(key === undefined ? {} : counter.keyHeader(key)) },
      body: JSON.stringify(counter.body(model, text)),
      // A key goes nowhere but where it was meant to.
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const body = await response.text();
    if (!response.ok) return failed(`${response.status} ${messageIn(body)}`);
    const tokens = tokensOf(counter.tokens(jsonOf(body)));
    return tokens === undefined ? failed(`its answer names no number (${body})`) : tokens;
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function jsonOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** All three have it in the same place. */
function messageIn(body: string): string {
  const { error } = jsonOf(body);
  return isObject(error) && typeof error.message === "string" ? error.message : body;
}
