import { type InputError, inputError } from "../../core/errors.ts";
import type { Delivery, DeliveryEnd, OpenResponse, Received } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import { type HeaderList, headerValue } from "../../core/headers.ts";
import type { Listener, ListenOptions } from "../engine.ts";
import { listenError } from "../listen-error.ts";
import { isLoopback } from "../local-peer.ts";
import { streamOfChunks } from "./chunks.ts";
import { headerList } from "./forward.ts";
import { requestBody, type ServeBody } from "./request-body.ts";

/** Opens the port with `Bun.serve`. */
export function listen(options: ListenOptions): Listener | InputError {
  const { address, certificate, reusePort } = options;
  if (address.kind === "fd") return inputError("sockets that are handed over need --engine wire");
  try {
    const server = Bun.serve({
      // Without development mode Bun shares ports unless told not to; two daemons would then take turns unnoticed.
      ...listenAddress(address, reusePort),
      // With TLS the client chooses between HTTP/1.1 and HTTP/2.
      ...(certificate === undefined ? {} : { tls: certificate, http2: true }),
      // Error pages of the development mode show source code to the client.
      development: false,
      // A stream lives as long as the provider lets it.
      idleTimeout: 0,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, server) => answer(request, () => isLoopback(server.requestIP(request)?.address), options),
      // In place of Bun's own page, and of the stack that it prints.
      error: () => refuse(500, "internal_error", "a mistake in faultproxy itself; please report it"),
    });
    return {
      port: server.port,
      stop: (breakOff) => server.stop(breakOff),
    };
  } catch (error) {
    // Bun says that the address is in use for a host that has none, too.
    return listenError(address.kind === "tcp" && !hasFreePorts(address.host) ? {} : error, options);
  }
}

/**
 * Bun's HTTP/2 loses an answer that ends before the request's body has come (docs/engines.md), so it waits for the rest
 * of that for so long.
 */
const REST_MS_MAX = 5_000;

async function answer(request: Request, isLocal: () => boolean, options: ListenOptions): Promise<Response> {
  const received = receive(request, isLocal, options);
  if (received instanceof Response) return received;
  const delivery = closing(await options.handle(received), options);
  const ready = () => (options.certificate === undefined ? undefined : Promise.race([received.body.rest(), Bun.sleep(REST_MS_MAX)]));
  return perform(delivery, request.signal, ready);
}

/** Of a body that is too large the rest is not read: Bun would throw it away for as long as it comes. */
function closing(delivery: Delivery, { certificate }: ListenOptions): Delivery {
  // HTTP/2 knows no such field.
  if (delivery.kind !== "response" || delivery.response.status !== 413 || certificate !== undefined) return delivery;
  return { ...delivery, response: { ...delivery.response, headers: [...delivery.response.headers, ["connection", "close"]] } };
}

type ServeReceived = Received & { readonly body: ServeBody };

function receive(request: Request, isLocal: () => boolean, options: ListenOptions): ServeReceived | Response {
  const headers = headerList(request.headers);
  const contentLength = headerValue(headers, "content-length");
  // Bun joins equal duplicates to "3, 3"; two readers could disagree on them.
  if (contentLength !== undefined && !/^\d+$/.test(contentLength))
    return refuse(400, "bad_content_length", "Content-Length must be one number");
  if (request.method === "CONNECT")
    return refuse(501, "connect_unsupported", "CONNECT is not supported: use the address of this proxy as the base URL");
  if (headBytes(request, headers) > options.headBytesMax)
    return refuse(431, "head_too_large", `a head above ${options.headBytesMax} bytes`);
  const { url } = request;
  return {
    id: options.nextId(),
    method: request.method,
    target: url.startsWith("/") ? url : url.slice(url.indexOf("/", url.indexOf("://") + 3)),
    // Bun has put it into the URL, and not told whether it stood in the target.
    authority: undefined,
    via: options.via,
    headers,
    body: requestBody(request, contentLength, options.certificate !== undefined, options.bodyBytesMax),
    listenerProvider: options.provider,
    clientGone: request.signal,
    interim: undefined,
    canUpgrade: false,
    isLocal: options.via === "unix" ? () => true : isLocal,
  };
}

/** As it was in HTTP/1.1, but for spaces that nobody needs. */
function headBytes({ method, url }: Request, headers: HeaderList): number {
  let bytes = method.length + url.length;
  for (const [name, value] of headers) bytes += name.length + value.length + 4;
  return bytes;
}

function refuse(status: number, reason: string, message: string): Response {
  return Response.json(
    { error: { message: `faultproxy: ${message}`, type: "invalid_request_error", param: null, code: reason } },
    { status, headers: { "x-faultproxy-error": reason, connection: "close" } },
  );
}

/** `ready` is waited for before an answer ends. */
function perform(delivery: Delivery, clientGone: Gone, ready: Ready): Response | Promise<Response> {
  switch (delivery.kind) {
    case "hang":
      if (clientGone.aborted) delivery.done();
      else clientGone.addEventListener("abort", delivery.done);
      return new Promise(() => {});
    case "reset":
    case "close":
      // An error before the first byte resets the connection; a FIN without a byte is not to be had here.
      return new Response(
        new ReadableStream({
          start(controller) {
            controller.error(undefined);
          },
        }),
      );
    case "bytes":
      throw new Error("wire faults are refused with this engine");
    case "response":
      return respond(delivery.response, delivery.done, clientGone, ready);
  }
}

type Ready = () => Promise<void> | undefined;

function respond(
  { status, reason, headers, body }: OpenResponse,
  done: (how: DeliveryEnd) => void,
  clientGone: Gone,
  ready: Ready,
): Response | Promise<Response> {
  const init: ResponseInit = { status, statusText: reason ?? "", headers: headers as [string, string][] };
  if (body !== null && !(body instanceof Uint8Array)) return new Response(streamOfChunks(body, done, ready), init);
  const whole = () => {
    done(clientGone.aborted ? "unsent" : "complete");
    return new Response(body as Uint8Array<ArrayBuffer> | null, init);
  };
  const waits = ready();
  return waits === undefined ? whole() : waits.then(whole);
}

/** As Bun.serve takes it; its types keep the two kinds apart. */
function listenAddress(address: Exclude<ListenOptions["address"], { kind: "fd" }>, reusePort: boolean) {
  const options = address.kind === "unix" ? { unix: address.path } : { hostname: address.host, port: address.port, reusePort };
  return options as { readonly hostname: string; readonly port: number };
}

function hasFreePorts(host: string): boolean {
  try {
    Bun.serve({ hostname: host, port: 0, development: false, reusePort: false, fetch: () => new Response() }).stop(true);
    return true;
  } catch {
    return false;
  }
}
