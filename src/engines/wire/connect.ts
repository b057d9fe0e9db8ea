import { isIP } from "node:net";
import type { ForwardFailure } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import { responseReader } from "./http1/reader.ts";
import { requestHead } from "./http1/writer.ts";
import { PROXY_ANSWER_BYTES_MAX } from "./limits.ts";
import type { Origin } from "./origin.ts";
import { DISPATCH, resetSocket, type Socket, type SocketEvents } from "./socket.ts";

export type ConnectOptions = {
  /** From the start to a connection that can be written to, TLS and proxy included; 0 = no limit. */
  readonly connectMs: number;
  /** Certificates are not looked at: `NODE_TLS_REJECT_UNAUTHORIZED=0`. */
  readonly trustAll: boolean;
};

export type Connected = { readonly socket: Socket } | ForwardFailure;

/** Opens a connection to a target, through its proxy and with TLS where it has them. The socket still belongs to nobody. */
export function connect(origin: Origin, options: ConnectOptions, signal: Gone): Promise<Connected> {
  return new Promise((resolve) => {
    const via = origin.proxy;
    const where = via === undefined ? origin.authority : `the proxy ${via.hostname}:${via.port}`;
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
    const fail = (reason: ForwardFailure["reason"], detail: string) => settle({ kind: "failure", reason, detail });
    const abort = () => fail("client_gone", "the client has gone");
    const timer =
      options.connectMs === 0
        ? undefined
        : setTimeout(
            () => fail("upstream_timeout", `no connection to ${where} within ${options.connectMs / 1_000} s (--connect-timeout)`),
            options.connectMs,
          );
    signal.addEventListener("abort", abort);

    const ready: SocketEvents = {
      ...NOBODY,
      handshake(isTrusted, error) {
        if (isTrusted || options.trustAll) settle({ socket: socket as Socket });
        else fail("upstream_tls", tlsDetail(origin.authority, error));
      },
      close: (error) => {
        if (origin.isTls) fail("upstream_tls", tlsDetail(origin.authority, error));
        else fail("upstream_closed_early", `${where} closed the connection at once`);
      },
    };

    const opened = (open: Socket) => {
      if (isSettled) {
        open.data = NOBODY;
        resetSocket(open);
        return;
      }
      socket = open;
      open.setNoDelay(true);
      if (via === undefined || !origin.isTls) {
        if (!origin.isTls) settle({ socket: open });
        return;
      }
      open.data = askedProxy(open, origin, fail, () => {
        // The plain socket goes on to report what the TLS socket reads; nobody listens to it.
        const [plain, secured] = open.upgradeTLS<SocketEvents>({ data: ready, tls: tlsOptions(origin, options), socket: DISPATCH });
        (plain as Socket).data = NOBODY;
        socket = secured as Socket;
      });
      const authority = `${origin.hostname.includes(":") ? `[${origin.hostname}]` : origin.hostname}:${origin.port}`;
      const credentials = via.authorization === undefined ? [] : [["Proxy-Authorization", via.authorization] as const];
      open.write(Buffer.from(requestHead("CONNECT", authority, [["Host", authority], ...credentials]), "latin1"));
    };

    Bun.connect<SocketEvents>({
      hostname: via?.hostname ?? origin.hostname,
      port: via?.port ?? origin.port,
      allowHalfOpen: true,
      data: ready,
      ...(origin.isTls && via === undefined ? { tls: tlsOptions(origin, options) } : {}),
      socket: { ...DISPATCH, open: opened, connectError: () => {} },
    }).catch((error: unknown) => {
      const code = codeOf(error);
      if (/^(ENOTFOUND|EAI_\w+|DNS\w*)$/.test(code)) fail("upstream_dns", `the name ${hostOf(where)} could not be resolved (${code})`);
      else if (code === "ECONNREFUSED") fail("upstream_refused", `${where} refused the connection (is it running? is the port right?)`);
      else if (code === "ETIMEDOUT") fail("upstream_timeout", `${where} did not accept a connection in time`);
      else fail("upstream_refused", `no connection to ${where} (${code})`);
    });
  });
}

/** Events of a socket that belongs to nobody. */
const NOBODY: SocketEvents = { data() {}, end() {}, close() {}, drain() {} };

/** Waits for the answer to CONNECT (RFC 9110 section 9.3.6). */
function askedProxy(
  socket: Socket,
  { proxy, authority }: Origin,
  fail: (reason: ForwardFailure["reason"], detail: string) => void,
  then: () => void,
): SocketEvents {
  const reader = responseReader(() => "CONNECT");
  const name = `the proxy ${proxy?.hostname}:${proxy?.port}`;
  let readBytes = 0;
  const refused = (status: number) =>
    fail("upstream_refused", `${name} refused to connect to ${authority} (${status}${status === 407 ? ": it asks for credentials" : ""})`);
  return {
    ...NOBODY,
    data(bytes) {
      readBytes += bytes.length;
      for (const event of reader.read(bytes)) {
        if (event.kind === "error") fail("upstream_protocol", `${name} did not answer in HTTP`);
        if (event.kind !== "head" || event.head.status < 200) continue;
        if (event.head.status >= 300) refused(event.head.status);
        else {
          socket.data = NOBODY;
          then();
        }
        return;
      }
      if (readBytes > PROXY_ANSWER_BYTES_MAX) fail("upstream_protocol", `${name} did not answer in HTTP`);
    },
    end: () => fail("upstream_closed_early", `${name} closed the connection`),
    close: () => fail("upstream_closed_early", `${name} closed the connection`),
  };
}

function tlsOptions({ hostname, tls }: Origin, { trustAll }: ConnectOptions) {
  const serverName = tls?.serverName ?? hostname;
  return {
    rejectUnauthorized: !trustAll,
    // An address is no server name (RFC 6066 section 3), but it is what the certificate is compared with.
    ...(isIP(serverName) === 0 ? { serverName } : {}),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  };
}

function tlsDetail(authority: string, error: unknown): string {
  const text = error instanceof Error && error.message !== "" ? `: ${error.message}` : "";
  return `no trusted TLS connection to ${authority} (${codeOf(error)}${text})`;
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "closed during the handshake";
}

function hostOf(where: string): string {
  return where.replace(/:\d+$/, "");
}
