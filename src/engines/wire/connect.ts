import type { ForwardFailure } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import type { HttpProxy } from "./http-proxy.ts";
import { responseReader } from "./http1/reader.ts";
import { requestHead } from "./http1/writer.ts";
import { PROXY_ANSWER_BYTES_MAX } from "./limits.ts";
import type { Origin } from "./origin.ts";
import { DISPATCH, resetSocket, type Socket, type SocketError, type SocketEvents } from "./socket.ts";
import { mistrust, tlsDetail, tlsOptions } from "./tls.ts";

export type ConnectOptions = {
  /** From the start to a connection that can be written to, TLS and proxy included; 0 = no limit. */
  readonly connectMs: number;
  /** Certificates are not looked at: `NODE_TLS_REJECT_UNAUTHORIZED=0`. */
  readonly trustAll: boolean;
};

export type Connected = { readonly socket: Socket } | ForwardFailure;

type Fail = (reason: ForwardFailure["reason"], detail: string) => void;

/** Opens a connection to a target, through its proxy and with TLS where it has them. The socket still belongs to nobody. */
export function connect(origin: Origin, options: ConnectOptions, signal: Gone): Promise<Connected> {
  return new Promise((resolve) => {
    const via = origin.proxy;
    const where = via === undefined ? origin.authority : `the proxy ${via.authority}`;
    let awaited = `no connection to ${where}`;
    let socket: Socket | undefined;
    let isSettled = false;
    const settle = (result: Connected) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      if ("kind" in result && socket !== undefined) {
        socket.data = NOBODY;
        resetSocket(socket);
      }
      resolve(result);
    };
    const fail: Fail = (reason, detail) => settle({ kind: "failure", reason, detail });
    const abort = () => fail("client_gone", "the client has gone");
    const late = () => fail("upstream_timeout", `${awaited} within ${options.connectMs / 1_000} s (--connect-timeout)`);
    const timer = options.connectMs === 0 ? undefined : setTimeout(late, options.connectMs);
    signal.addEventListener("abort", abort);

    let tlsError: SocketError | undefined;
    const secured: SocketEvents = {
      ...NOBODY,
      handshake(isDone, error) {
        const mistake = mistrust(socket as Socket, isDone, error, origin, options.trustAll);
        if (mistake === undefined) settle({ socket: socket as Socket });
        else fail("upstream_tls", tlsDetail(origin, mistake));
      },
      error(error) {
        tlsError = error;
      },
      close: (error) => fail("upstream_tls", tlsDetail(origin, tlsError ?? error)),
    };

    const opened = (open: Socket) => {
      if (isSettled) {
        open.data = NOBODY;
        resetSocket(open);
        return;
      }
      socket = open;
      open.setNoDelay(true);
      if (!origin.isTls) {
        settle({ socket: open });
        return;
      }
      if (via !== undefined) {
        awaited = `no answer of ${where}`;
        open.data = askedProxy(open, via, origin, fail, () => {
          awaited = `no TLS handshake with ${origin.authority}`;
          // The plain socket goes on to report what the TLS socket reads; nobody listens to it.
          const [plain, upgraded] = open.upgradeTLS<SocketEvents>({ data: secured, tls: tlsOptions(origin), socket: DISPATCH });
          (plain as Socket).data = NOBODY;
          socket = upgraded as Socket;
        });
      } else awaited = `no TLS handshake with ${where}`;
    };

    if (origin.mistake !== undefined) {
      fail("upstream_refused", origin.mistake);
      return;
    }
    Bun.connect<SocketEvents>({
      hostname: via?.hostname ?? origin.hostname,
      port: via?.port ?? origin.port,
      allowHalfOpen: true,
      data: secured,
      ...(origin.isTls && via === undefined ? { tls: tlsOptions(origin) } : {}),
      socket: { ...DISPATCH, open: opened, connectError: () => {} },
    }).catch((error: unknown) => {
      const code = codeOf(error);
      const host = via === undefined ? origin.hostname : `${via.hostname} of the proxy`;
      if (/^(ENOTFOUND|EAI_\w+|DNS\w*)$/.test(code)) fail("upstream_dns", `the name ${host} could not be resolved (${code})`);
      else if (code === "ECONNREFUSED") fail("upstream_refused", `${where} refused the connection (is it running? is the port right?)`);
      else if (code === "ETIMEDOUT") fail("upstream_timeout", `${where} did not accept a connection in time`);
      else fail("upstream_refused", `no connection to ${where} (${code})`);
    });
  });
}

/** Events of a socket that belongs to nobody. */
const NOBODY: SocketEvents = { data() {}, end() {}, close() {}, drain() {} };

/** Asks a proxy for a connection and waits for its answer (RFC 9110 section 9.3.6). */
function askedProxy(socket: Socket, proxy: HttpProxy, { hostname, port, authority }: Origin, fail: Fail, then: () => void): SocketEvents {
  const reader = responseReader(() => "CONNECT");
  const name = `the proxy ${proxy.authority}`;
  const target = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const credentials = proxy.authorization === undefined ? [] : [["Proxy-Authorization", proxy.authorization] as const];
  socket.write(Buffer.from(requestHead("CONNECT", target, [["Host", target], ...credentials]), "latin1"));
  let readBytes = 0;
  const closed = () => fail("upstream_closed_early", `${name} closed the connection when asked for ${authority}`);
  const notHttp = () => fail("upstream_protocol", `${name} did not answer in HTTP`);
  const read = (bytes: Buffer) => {
    for (const event of reader.read(bytes)) {
      if (event.kind === "error") notHttp();
      // Behind an interim response.
      else if (event.kind === "end" && event.rest.length > 0) read(event.rest as Buffer);
      if (event.kind !== "head" || event.head.status < 200) continue;
      if (event.head.status >= 300) fail("upstream_refused", refused(proxy, event.head.status, authority));
      else {
        socket.data = NOBODY;
        then();
      }
      return;
    }
  };
  return {
    ...NOBODY,
    data(bytes) {
      readBytes += bytes.length;
      read(bytes);
      if (readBytes > PROXY_ANSWER_BYTES_MAX && socket.data !== NOBODY) notHttp();
    },
    end: closed,
    close: closed,
  };
}

/** Why a proxy did not pass a request on. */
export function refused({ authority, authorization }: HttpProxy, status: number, target: string): string {
  const why =
    authorization === undefined ? "it asks for a user and a password in its URL" : "it does not take the user and password of its URL";
  return `the proxy ${authority} refused to connect to ${target} (${status}${status === 407 ? `: ${why}` : ""})`;
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "no code";
}
