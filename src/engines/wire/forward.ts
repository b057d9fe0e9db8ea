import type { ForwardFailure, ForwardRequest, OpenResponse, TlsIdentity } from "../../core/exchange.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import { fieldLine, requestLine } from "./http1/writer.ts";
import { IncomingBody } from "./incoming-body.ts";
import { type Origin, originOf } from "./origin.ts";
import { Pool } from "./pool.ts";
import { type Answer, type RequestForm, UpstreamConnection, type UpstreamTimeouts } from "./upstream-connection.ts";

export type ForwardOptions = ConnectOptions &
  UpstreamTimeouts & {
    /** For HTTP proxies. */
    readonly environment: Readonly<Record<string, string | undefined>>;
  };

type Forward = (request: ForwardRequest) => Promise<OpenResponse | ForwardFailure>;

const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

/** Sends requests over kept connections, each identity over its own. */
export function createForward(options: ForwardOptions): Forward {
  const pool = new Pool();
  const keyed = originKeys(options.environment);

  const overNew = async (request: ForwardRequest, form: RequestForm, { origin, key }: Keyed): Promise<OpenResponse | ForwardFailure> => {
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
    return new Promise((resolve) => connection.send(request, form, resolve as (answer: Answer) => void));
  };

  return (request) => {
    const to = keyed(request.base, request.tls);
    if (request.signal.aborted) return Promise.resolve({ kind: "failure", reason: "client_gone", detail: "the client has gone" });
    const form = requestForm(request, to.origin);
    const kept = pool.take(to.key);
    if (kept === undefined) return overNew(request, form, to);
    return new Promise((resolve) => {
      kept.send(request, form, (answer) => {
        if (answer !== "stale") resolve(answer);
        else if (isRepeatable(request)) resolve(overNew(request, form, to));
        else {
          const detail = `${to.origin.authority} closed the kept connection as the request was sent`;
          resolve({ kind: "failure", reason: "upstream_closed_early", detail });
        }
      });
    });
  };
}

/** May it be sent again when nobody knows whether it has been seen (RFC 9110 section 9.2.2)? */
function isRepeatable({ method, body }: ForwardRequest): boolean {
  return IDEMPOTENT.has(method) && (body === null || body instanceof Uint8Array);
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

function requestForm({ method, target, headers, body, upgrade }: ForwardRequest, origin: Origin): RequestForm {
  const isChunked = body !== null && !(body instanceof Uint8Array) && !(body instanceof IncomingBody && body.framing.kind === "length");
  const isExpecting = body instanceof IncomingBody && body.isHeldBack;
  let lines = "";
  let hasHost = false;
  for (const [name, value] of headers) {
    if (name.length === 4 && name.toLowerCase() === "host") {
      // The target's own, where the client's stood and as it was spelled.
      lines += fieldLine(name, origin.authority);
      hasHost = true;
    } else if (isExpecting || name.length !== 6 || name.toLowerCase() !== "expect") lines += fieldLine(name, value);
  }
  if (!hasHost) lines = fieldLine("Host", origin.authority) + lines;
  if (isChunked) lines += fieldLine("Transfer-Encoding", "chunked");
  if (upgrade !== undefined) lines += fieldLine("Connection", "Upgrade") + fieldLine("Upgrade", upgrade);
  // A proxy that is asked for a plain target gets the whole URL (RFC 9112 section 3.2.2).
  const isProxied = origin.proxy !== undefined && !origin.isTls;
  if (isProxied && origin.proxy?.authorization !== undefined) lines += fieldLine("Proxy-Authorization", origin.proxy.authorization);
  const path = origin.basePath + target;
  return {
    head: `${requestLine(method, isProxied ? `http://${origin.authority}${path}` : path)}${lines}\r\n`,
    coding: !isChunked ? "payload" : body instanceof IncomingBody ? "as-received" : "chunked",
  };
}
