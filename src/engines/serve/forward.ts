import { BodyTooLarge } from "../../core/body-too-large.ts";
import type { Body, ForwardFailure, ForwardRequest, OpenResponse, TlsIdentity } from "../../core/exchange.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../../core/headers.ts";
import { chunksAgain, chunksOfReader, streamForFetch } from "./chunks.ts";

/** Of a final response (RFC 9110 section 15); a Response takes no others. */
const STATUS_MIN = 200;
const STATUS_MAX = 599;

/** `host` is the target's; `expect` was answered when the body was read. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(["host", "expect"]);

type FetchOptions = RequestInit & { readonly decompress: boolean; readonly timeout: boolean; tls?: TlsIdentity; proxy?: string };

/** Sends the request with `fetch`: nothing followed, nothing decoded, no idle timeout. */
export async function forward(request: ForwardRequest): Promise<OpenResponse | ForwardFailure> {
  const { method, headers, body, signal } = request;
  const options: FetchOptions = {
    method,
    headers: withoutHeaders(headers, NOT_FORWARDED) as [string, string][],
    redirect: "manual",
    decompress: false,
    timeout: false,
    // This engine's requests have real ones.
    signal: signal as AbortSignal,
  };
  // Connections of different identities are kept apart.
  if (request.tls !== undefined) options.tls = request.tls;
  if (request.proxy !== undefined) options.proxy = request.proxy;
  if (body !== null) options.body = body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : streamForFetch(body);
  try {
    const response = await sent(request.base + request.target, options);
    if (response.status < STATUS_MIN || response.status > STATUS_MAX) {
      response.body?.cancel().catch(() => {});
      return { kind: "failure", reason: "upstream_protocol", detail: `${new URL(request.base).host} sent the status ${response.status}` };
    }
    const list = headerList(response.headers);
    return { status: response.status, reason: response.statusText, headers: list, body: await bodyOf(response, list) };
  } catch (error) {
    return failureOf(error, request);
  }
}

/** Told of a proxy, fetch asks `no_proxy` all the same, in the moment in which it is called; whoever names a proxy for a target means it. */
function sent(url: string, options: FetchOptions): Promise<Response> {
  const exceptions = options.proxy === undefined ? [] : NO_PROXY.map((name) => [name, process.env[name] ?? ""] as const);
  const set = exceptions.filter(([, value]) => value !== "");
  for (const [name] of set) process.env[name] = "";
  try {
    return fetch(url, options);
  } finally {
    for (const [name, value] of set) process.env[name] = value;
  }
}

const NO_PROXY = ["no_proxy", "NO_PROXY"] as const;

/**
 * A body with a length is waited for until its first chunk: the head cannot go to the client before it anyway, most
 * whole answers are complete with it and then go on in one write with their length, and a target that fails here can
 * still be answered for. A body without one is a stream, and everything is ready when its first chunk comes.
 */
async function bodyOf(response: Response, headers: HeaderList): Promise<Body> {
  if (response.body === null) return null;
  const reader = response.body.getReader();
  const length = headerValue(headers, "content-length");
  if (length === undefined) return chunksOfReader(reader);
  const first = await reader.read();
  if (first.value === undefined) return new Uint8Array();
  return String(first.value.length) === length ? first.value : chunksAgain([first.value], chunksOfReader(reader));
}

export function headerList(headers: Headers): HeaderList {
  const list: [string, string][] = [];
  headers.forEach((value, name) => {
    list.push([name, value]);
  });
  return list;
}

function failureOf(error: unknown, { base, signal, tls }: ForwardRequest): ForwardFailure {
  const failure = (reason: ForwardFailure["reason"], detail: string): ForwardFailure => ({ kind: "failure", reason, detail });
  if (error instanceof BodyTooLarge) return failure("request_too_large", error.detail);
  const where = new URL(base).host;
  if (signal.aborted) return failure("client_gone", "the client has gone");
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (/^(ConnectionRefused|ECONNREFUSED)$/.test(code))
    return failure("upstream_refused", `${where} refused the connection (is it running? is the port right?)`);
  if (/^(ENOTFOUND|EAI_|DNS|FailedToResolve)/i.test(code)) return failure("upstream_dns", `the name ${where} could not be resolved`);
  if (/CERT|TLS|SSL|SELF_SIGNED|EPROTO|ISSUER|SIGNATURE|FailedToOpenSocket/i.test(code))
    return failure("upstream_tls", `no trusted TLS connection to ${where} (${code})${certificateHint(code, tls)}`);
  if (/TIMEOUT|ETIMEDOUT/i.test(code)) return failure("upstream_timeout", `${where} did not answer in time`);
  if (/^(ECONNRESET|ConnectionClosed|UnexpectedRedirect|ECONNABORTED|EPIPE)$/.test(code))
    return failure("upstream_closed_early", `${where} closed the connection before it had answered`);
  return failure("upstream_protocol", `${where} did not answer in HTTP (${code || "no code"})`);
}

/** Fetch tells of a handshake that the target has ended that it was, and not why. */
function certificateHint(code: string, tls: TlsIdentity | undefined): string {
  if (code !== "EPROTO") return "";
  if (tls?.certFile !== undefined) return `; it may not take the client certificate ${tls.certFile}`;
  return "; it may ask for a client certificate: auth.cert_file and auth.key_file in the target's table name one";
}
