import type { ForwardFailure, ForwardRequest, OpenResponse, TlsIdentity } from "../../core/exchange.ts";
import { WholeBody } from "../../core/whole-body.ts";
import { type ConnectOptions, connect, refused } from "./connect.ts";
import { fieldLine, receivedLine, requestLine } from "./http1/writer.ts";
import { IncomingBody } from "./incoming-body.ts";
import { type Origin, originOf } from "./origin.ts";
import { Pool } from "./pool.ts";
import type { BodyCoding } from "./send-body.ts";
import { type Answer, type Sendable, UpstreamConnection, type UpstreamTimeouts } from "./upstream-connection.ts";

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

  const overNew = async (sending: Sending): Promise<void> => {
    const { request, to } = sending;
    const connected = await connect(to.origin, options, request.signal);
    if ("kind" in connected) {
      sending.settled(connected);
      return;
    }
    const connection = new UpstreamConnection(
      connected.socket,
      to.origin,
      options,
      (idle) => pool.keep(to.key, idle),
      (closed) => pool.remove(to.key, closed),
    );
    connected.socket.data = connection;
    connection.send(sending);
  };

  return (request) =>
    new Promise((resolve) => {
      const to = keyed(request.base, request.tls, request.proxy);
      const sending = new Sending(request, to, resolve, overNew);
      if (request.signal.aborted) sending.settled({ kind: "failure", reason: "client_gone", detail: "the client has gone" });
      else {
        const kept = pool.take(to.key);
        if (kept === undefined) void overNew(sending);
        else kept.send(sending);
      }
    });
}

/** A request on its way, and whoever waits for its response. A class, because there is one for every request and closures cost more. */
class Sending implements Sendable {
  readonly request: ForwardRequest;
  readonly to: Keyed;
  readonly head: string;
  readonly coding: BodyCoding;
  readonly #resolve: (answer: OpenResponse | ForwardFailure) => void;
  readonly #sendAgain: (sending: Sending) => void;

  constructor(
    request: ForwardRequest,
    to: Keyed,
    resolve: (answer: OpenResponse | ForwardFailure) => void,
    sendAgain: (sending: Sending) => void,
  ) {
    const { head, coding } = requestForm(request, to.origin);
    this.request = request;
    this.to = to;
    this.head = head;
    this.coding = coding;
    this.#resolve = resolve;
    this.#sendAgain = sendAgain;
  }

  settled(answer: Answer): void {
    const { request, to } = this;
    if (answer !== "stale" && answer !== "unsent") this.#resolve(ofTarget(answer, to.origin));
    else if (isRepeatable(request, answer)) this.#sendAgain(this);
    else {
      const detail = `${to.origin.authority} closed the kept connection as the request was sent`;
      this.#resolve({ kind: "failure", reason: "upstream_closed_early", detail });
    }
  }
}

/** May it be sent again (RFC 9110 section 9.2.2)? A body that has been read as it came is gone. */
function isRepeatable({ method, body }: ForwardRequest, answer: "stale" | "unsent"): boolean {
  return (answer === "unsent" || IDEMPOTENT.has(method)) && (body === null || body instanceof Uint8Array || body instanceof WholeBody);
}

/** A proxy that is asked for a plain target asks for credentials in the target's place. */
function ofTarget(answer: OpenResponse | ForwardFailure, { proxy, isTls, authority }: Origin): OpenResponse | ForwardFailure {
  if (proxy === undefined || isTls || "kind" in answer || answer.status !== 407) return answer;
  if (answer.body !== null && !(answer.body instanceof Uint8Array)) answer.body.cancel();
  return { kind: "failure", reason: "upstream_refused", detail: refused(proxy, answer.status, authority) };
}

type Keyed = { readonly origin: Origin; readonly key: string };

/** Parses each base once. Connections with different TLS identities, or through different proxies, have different keys. */
function originKeys(
  environment: ForwardOptions["environment"],
): (base: string, tls: TlsIdentity | undefined, proxy: string | undefined) => Keyed {
  const plain = new Map<string, Keyed>();
  const byIdentity = new WeakMap<TlsIdentity, { readonly number: number; readonly byBase: Map<string, Keyed> }>();
  let identities = 0;
  return (base, tls, proxy) => {
    let known = plain;
    let prefix = "";
    if (tls !== undefined) {
      const identity = byIdentity.get(tls) ?? { number: ++identities, byBase: new Map<string, Keyed>() };
      byIdentity.set(tls, identity);
      known = identity.byBase;
      prefix = `${identity.number} `;
    }
    const name = proxy === undefined ? base : `${base} ${proxy}`;
    let found = known.get(name);
    if (found === undefined) {
      const origin = originOf(base, tls, environment, proxy);
      const via = proxy === undefined ? "" : ` ${proxy}`;
      found = { origin, key: `${prefix}${origin.isTls ? "https" : "http"}://${origin.hostname}:${origin.port}${via}` };
      known.set(name, found);
    }
    return found;
  };
}

/** Whoever has the body already, or has asked for it, asks nobody for `100 Continue`. */
function isContinueExpected(name: string, value: string): boolean {
  return name.toLowerCase() === "expect" && value.toLowerCase() === "100-continue";
}

function requestForm({ method, target, headers, body, upgrade }: ForwardRequest, origin: Origin): Pick<Sendable, "head" | "coding"> {
  const hasLength =
    body === null ||
    body instanceof Uint8Array ||
    body instanceof WholeBody ||
    (body instanceof IncomingBody && body.framing.kind === "length");
  const isExpecting = body instanceof IncomingBody && body.isHeldBack;
  let lines = "";
  let hasHost = false;
  for (const field of headers) {
    const [name, value] = field;
    if (name.length === 4 && name.toLowerCase() === "host") {
      // The target's own, where the client's stood and as it was spelled.
      lines += fieldLine(name, origin.authority);
      hasHost = true;
    } else if (isExpecting || name.length !== 6 || !isContinueExpected(name, value)) lines += receivedLine(field);
  }
  if (!hasHost) lines = fieldLine("Host", origin.authority) + lines;
  if (!hasLength) lines += fieldLine("Transfer-Encoding", "chunked");
  if (upgrade !== undefined) lines += fieldLine("Connection", "Upgrade") + fieldLine("Upgrade", upgrade);
  // A proxy that is asked for a plain target gets the whole URL (RFC 9112 section 3.2.2).
  const isProxied = origin.proxy !== undefined && !origin.isTls;
  if (isProxied && origin.proxy?.authorization !== undefined) lines += fieldLine("Proxy-Authorization", origin.proxy.authorization);
  // `*` is the whole server, and of an absolute-form no path at all (RFC 9112 section 3.2.4).
  const path = target !== "*" ? origin.basePath + target : isProxied ? "" : "*";
  return {
    head: `${requestLine(method, isProxied ? `http://${origin.authority}${path}` : path)}${lines}\r\n`,
    coding: hasLength ? "payload" : body instanceof IncomingBody ? "as-received" : "chunked",
  };
}
