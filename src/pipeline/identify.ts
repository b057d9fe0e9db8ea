import type { DialectName } from "../core/dialect.ts";
import type { Identified, Received } from "../core/exchange.ts";
import { type HeaderList, headerValue } from "../core/headers.ts";
import type { Provider, ProviderName } from "../core/provider.ts";
import { remembered } from "../core/remembered.ts";
import { dialectOfPath } from "../dialects/index.ts";
import { PROVIDERS } from "../providers/index.ts";

const ALL: readonly Provider[] = Object.values(PROVIDERS);
const BY_PREFIX: ReadonlyMap<string, ProviderName> = new Map(
  ALL.flatMap((provider) => provider.recognition.prefixes.map((prefix) => [prefix, provider.name] as const)),
);

const BY_HEADER: ReadonlyMap<string, ProviderName> = new Map(
  ALL.flatMap((provider) => provider.recognition.headers.map((header) => [header, provider.name] as const)),
);

const HEADER_LENGTHS: ReadonlySet<number> = new Set([...BY_HEADER.keys()].map(({ length }) => length));

/** What the target of a request tells by itself. */
type TargetSays = Pick<Identified, "upstreamTarget" | "path" | "query"> & {
  readonly prefixed: ProviderName | undefined;
  readonly byPath: ProviderName | undefined;
  /** Of a POST. */
  readonly dialect: DialectName | undefined;
  /** Its path has `.` and `..` in it: what it comes to is for the target to say. */
  readonly isWinding: boolean;
};

/**
 * Which provider, dialect and kind of endpoint. In this order: path prefix, own port, headers and query, path, shape of
 * the key, the default provider.
 */
export function identify(received: Received, defaultProvider: ProviderName, nowMonotonicMs: number): Identified {
  const { upstreamTarget, path, query, prefixed, byPath, dialect, isWinding } = targetSays(received.target);
  const provider =
    prefixed ??
    received.listenerProvider ??
    byHeader(received.headers) ??
    (query === "" ? undefined : byQuery(query)) ??
    byPath ??
    byKey(received.headers) ??
    defaultProvider;
  const isPost = received.method === "POST";
  // Named one by one: this is made for every request, and a spread costs several times as much.
  return {
    id: received.id,
    method: received.method,
    target: received.target,
    authority: received.authority,
    via: received.via,
    headers: received.headers,
    body: received.body,
    listenerProvider: received.listenerProvider,
    clientGone: received.clientGone,
    interim: received.interim,
    canUpgrade: received.canUpgrade,
    isLocal: received.isLocal,
    provider,
    upstreamTarget,
    path,
    query,
    receivedMonotonicMs: nowMonotonicMs,
    // Nobody gets past the limits by way of `/v1/models/../`.
    kind: (isPost && isWinding ? "inference" : PROVIDERS[provider].kindOf(path)) ?? (isPost ? "inference" : "metadata"),
    dialect: isPost ? dialect : undefined,
  };
}

const targetSays = remembered((target: string): TargetSays => {
  const slash = target.indexOf("/", 1);
  const mark = target.indexOf("?");
  const firstEnd = slash < 0 ? (mark < 0 ? target.length : mark) : mark >= 0 && mark < slash ? mark : slash;
  const prefixed = BY_PREFIX.get(target.slice(1, firstEnd).toLowerCase());
  const rest = target.slice(firstEnd);
  const upstreamTarget = prefixed === undefined ? target : rest.startsWith("/") ? rest : `/${rest}`;
  const queryAt = upstreamTarget.indexOf("?");
  // Gemini's methods follow a colon, which some clients encode.
  const written = (queryAt < 0 ? upstreamTarget : upstreamTarget.slice(0, queryAt)).replace(/%3a/i, ":");
  const isWinding = DOT_SEGMENT.test(written);
  const path = isWinding ? withoutDotSegments(written) : written;
  const query = queryAt < 0 ? "" : upstreamTarget.slice(queryAt + 1);
  return { upstreamTarget, path, query, prefixed, byPath: byPath(path), dialect: dialectOfPath(path)?.name, isWinding };
});

/** Separators as clients and targets may write them: `fetch` takes a backslash for one (URL standard, section 4.4), some servers decode them. */
const SEPARATOR = /[/\\]|%2f|%5c/i;
const DOT_SEGMENT = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?=[/\\]|%2f|%5c|$)/i;

/** As most targets read it (RFC 3986 section 5.2.4). */
function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split(SEPARATOR).slice(1)) {
    const plain = segment.replace(/%2e/gi, ".");
    if (plain === "..") kept.pop();
    else if (plain !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}`;
}

function byHeader(headers: HeaderList): ProviderName | undefined {
  for (const [name] of headers) {
    const provider = HEADER_LENGTHS.has(name.length) ? BY_HEADER.get(name.toLowerCase()) : undefined;
    if (provider !== undefined) return provider;
  }
  return undefined;
}

function byQuery(query: string): ProviderName | undefined {
  return ALL.find(({ recognition }) => recognition.query.some((parameter) => `&${query}`.includes(`&${parameter}=`)))?.name;
}

function byPath(path: string): ProviderName | undefined {
  for (const { name, recognition } of ALL) {
    if (recognition.paths.some((pattern) => pattern.test(path))) return name;
  }
  return undefined;
}

function byKey(headers: HeaderList): ProviderName | undefined {
  const authorization = headerValue(headers, "authorization");
  if (authorization === undefined) return undefined;
  const key = authorization.startsWith("Bearer ") ? authorization.slice(7) : authorization.replace(/^bearer\s+/i, "");
  for (const { name, recognition } of ALL) {
    if (recognition.keyPrefixes.some((prefix) => key.startsWith(prefix))) return name;
  }
  return undefined;
}
