import type { ForwardFailure, ForwardRequest, OpenResponse, TlsIdentity } from "../../core/exchange.ts";
import { type HeaderList, withoutHeaders } from "../../core/headers.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import { requestHead } from "./http1/writer.ts";
import { IncomingBody } from "./incoming-body.ts";
import { type Origin, originOf } from "./origin.ts";
import { Pool } from "./pool.ts";
import { type SentRequest, UpstreamConnection, type UpstreamTimeouts } from "./upstream-connection.ts";

export type ForwardOptions = ConnectOptions &
  UpstreamTimeouts & {
    /** For HTTP proxies. */
    readonly environment: Readonly<Record<string, string | undefined>>;
  };

type Forward = (request: ForwardRequest) => Promise<OpenResponse | ForwardFailure>;

/** Methods whose requests may be sent again when nobody knows whether they have been seen (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

/** Sends requests over kept connections, each identity over its own. */
export function createForward(options: ForwardOptions): Forward {
  const pool = new Pool();
  const keyed = originKeys(options.environment);

  return async (request) => {
    const { origin, key } = keyed(request.base, request.tls);
    if (request.signal.aborted) return { kind: "failure", reason: "client_gone", detail: "the client has gone" };
    const sent = sentRequest(request, origin);
    const kept = pool.take(key);
    if (kept !== undefined) {
      const answer = await kept.send(sent);
      if (answer !== "stale") return answer;
      if (!IDEMPOTENT.has(request.method) || !(request.body === null || request.body instanceof Uint8Array))
        return {
          kind: "failure",
          reason: "upstream_closed_early",
          detail: `${origin.authority} closed the kept connection as the request was sent`,
        };
    }
    const connected = await connect(origin, options, request.signal);
    if ("kind" in connected) return connected;
    const connection = new UpstreamConnection(
      connected.socket,
      origin.authority,
      options,
      (idle) => pool.keep(key, idle),
      (closed) => pool.remove(key, closed),
    );
    connected.socket.data = connection;
    return (await connection.send(sent)) as OpenResponse | ForwardFailure;
  };
}

type Keyed = { readonly origin: Origin; readonly key: string };

/** Parses each base once. Connections with different TLS identities have different keys. */
function originKeys(environment: ForwardOptions["environment"]): (base: string, tls: TlsIdentity | undefined) => Keyed {
  const plain = new Map<string, Keyed>();
  const byIdentity = new WeakMap<TlsIdentity, { readonly number: number; readonly byBase: Map<string, Keyed> }>();
  let identities = 0;
  return (base, tls) => {
    let known = plain;
    let prefix = "";
    if (tls !== undefined) {
      const identity = byIdentity.get(tls) ?? { number: ++identities, byBase: new Map<string, Keyed>() };
      byIdentity.set(tls, identity);
      known = identity.byBase;
      prefix = `${identity.number} `;
    }
    let found = known.get(base);
    if (found === undefined) {
      const origin = originOf(base, tls, environment);
      found = { origin, key: `${prefix}${origin.isTls ? "https" : "http"}://${origin.hostname}:${origin.port}` };
      known.set(base, found);
    }
    return found;
  };
}

const EXPECT: ReadonlySet<string> = new Set(["expect"]);

function sentRequest({ method, target, headers, body, signal, interim, upgrade }: ForwardRequest, origin: Origin): SentRequest {
  const isChunked = body !== null && !(body instanceof Uint8Array) && !(body instanceof IncomingBody && body.framing.kind === "length");
  const isExpecting = body instanceof IncomingBody && body.isHeldBack;
  const added: [string, string][] = [];
  if (isChunked) added.push(["Transfer-Encoding", "chunked"]);
  if (upgrade !== undefined) added.push(["Connection", "Upgrade"], ["Upgrade", upgrade]);
  // A proxy that is asked for a plain target gets the whole URL (RFC 9112 section 3.2.2).
  const isProxied = origin.proxy !== undefined && !origin.isTls;
  if (isProxied && origin.proxy?.authorization !== undefined) added.push(["Proxy-Authorization", origin.proxy.authorization]);
  const all = [...withHost(isExpecting ? headers : withoutHeaders(headers, EXPECT), origin.authority), ...added];
  const path = origin.basePath + target;
  return {
    method,
    body,
    signal,
    interim,
    upgrade,
    head: requestHead(method, isProxied ? `http://${origin.authority}${path}` : path, all),
    coding: !isChunked ? "payload" : body instanceof IncomingBody ? "as-received" : "chunked",
  };
}

/** The target's own Host, where the client's stood and as it was spelled. */
function withHost(headers: HeaderList, authority: string): HeaderList {
  let isFound = false;
  const replaced = headers.map((field) => {
    if (field[0].length !== 4 || field[0].toLowerCase() !== "host") return field;
    isFound = true;
    return [field[0], authority] as const;
  });
  return isFound ? replaced : [["Host", authority], ...replaced];
}
