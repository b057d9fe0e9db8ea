import type { DialectName } from "../core/dialect.ts";
import type { EndpointKind, Identified, Received } from "../core/exchange.ts";
import { type HeaderList, headerValue } from "../core/headers.ts";
import type { Provider, ProviderName } from "../core/provider.ts";
import { dialectOfPath } from "../dialects/index.ts";
import { PROVIDERS } from "../providers/index.ts";

const ALL: readonly Provider[] = Object.values(PROVIDERS);
const BY_PREFIX: ReadonlyMap<string, ProviderName> = new Map(
  ALL.flatMap((provider) => provider.recognition.prefixes.map((prefix) => [prefix, provider.name] as const)),
);

const BY_HEADER: ReadonlyMap<string, ProviderName> = new Map(
  ALL.flatMap((provider) => provider.recognition.headers.map((header) => [header, provider.name] as const)),
);

/**
 * Which provider, dialect and kind of endpoint. In this order: path prefix, own port, headers and query, path, shape of
 * the key, the default provider.
 */
export function identify(received: Received, defaultProvider: ProviderName, nowMonotonicMs: number): Identified {
  const { target } = received;
  const slash = target.indexOf("/", 1);
  const mark = target.indexOf("?");
  const firstEnd = slash < 0 ? (mark < 0 ? target.length : mark) : mark >= 0 && mark < slash ? mark : slash;
  const prefixed = BY_PREFIX.get(target.slice(1, firstEnd).toLowerCase());
  const rest = target.slice(firstEnd);
  const upstreamTarget = prefixed === undefined ? target : rest.startsWith("/") ? rest : `/${rest}`;
  const queryAt = upstreamTarget.indexOf("?");
  // Gemini's methods follow a colon, which some clients encode.
  const path = (queryAt < 0 ? upstreamTarget : upstreamTarget.slice(0, queryAt)).replace(/%3a/i, ":");
  const query = queryAt < 0 ? "" : upstreamTarget.slice(queryAt + 1);
  const provider =
    prefixed ??
    received.listenerProvider ??
    byHeaderOrQuery(received.headers, query) ??
    byPath(path) ??
    byKey(received.headers) ??
    defaultProvider;
  return {
    ...received,
    provider,
    upstreamTarget,
    path,
    query,
    receivedMonotonicMs: nowMonotonicMs,
    kind: kindOf(provider, received.method, path),
    dialect: dialectOf(received.method, path),
  };
}

function dialectOf(method: string, path: string): DialectName | undefined {
  return method === "POST" ? dialectOfPath(path)?.name : undefined;
}

function kindOf(provider: ProviderName, method: string, path: string): EndpointKind {
  return PROVIDERS[provider].kindOf(path) ?? (method === "POST" ? "inference" : "metadata");
}

function byHeaderOrQuery(headers: HeaderList, query: string): ProviderName | undefined {
  for (const [name] of headers) {
    const provider = BY_HEADER.get(name) ?? BY_HEADER.get(name.toLowerCase());
    if (provider !== undefined) return provider;
  }
  if (query === "") return undefined;
  return ALL.find(({ recognition }) => recognition.query.some((parameter) => `&${query}`.includes(`&${parameter}=`)))?.name;
}

function byPath(path: string): ProviderName | undefined {
  for (const { name, recognition } of ALL) {
    if (recognition.paths.some((pattern) => pattern.test(path))) return name;
  }
  return undefined;
}

function byKey(headers: HeaderList): ProviderName | undefined {
  const key = headerValue(headers, "authorization")?.replace(/^bearer\s+/i, "");
  if (key === undefined) return undefined;
  for (const { name, recognition } of ALL) {
    if (recognition.keyPrefixes.some((prefix) => key.startsWith(prefix))) return name;
  }
  return undefined;
}
