import { BodyTooLarge } from "../../core/body-too-large.ts";
import type { BodyCut, ForwardFailure, ForwardRequest, OpenResponse } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import { WholeBody } from "../../core/whole-body.ts";
import { fieldValues, hasOption } from "./http1/fields.ts";
import { type MessageEvent, type MessageHead, type StatusLine, WholeData } from "./http1/message.ts";
import { responseReader } from "./http1/reader.ts";
import { IncomingBody } from "./incoming-body.ts";
import { INTERIM_RESPONSES_MAX, POOL_IDLE_MS } from "./limits.ts";
import type { Origin } from "./origin.ts";
import { Outgoing } from "./outgoing.ts";
import { type BodyCoding, sendBody } from "./send-body.ts";
import { closeSocket, resetSocket, type Socket, type SocketError, type SocketEvents } from "./socket.ts";
import { tlsDetail } from "./tls.ts";
import { Tunnel } from "./tunnel.ts";

type ResponseHead = MessageHead<StatusLine>;

/** A request as it goes on the wire, and what is done with its answer. */
export type Sendable = {
  readonly request: ForwardRequest;
  readonly head: string;
  readonly coding: BodyCoding;
  /** Called once: with the response when its head has come, or with the reason why none does. */
  readonly settled: (answer: Answer) => void;
};

export type UpstreamTimeouts = {
  /** From the request's last byte to the head of the response; 0 = no limit. */
  readonly headMs: number;
  /** Between two pieces of a response; 0 = no limit. */
  readonly idleMs: number;
};

/**
 * A kept connection that the target had closed before it answered. `unsent`: nothing of the request has left; `stale`: nobody knows
 * whether the target has seen it.
 */
export type Answer = OpenResponse | ForwardFailure | "stale" | "unsent";

/** One connection to a target: one request at a time, each answered before the next. */
export class UpstreamConnection implements SocketEvents {
  readonly #socket: Socket;
  readonly #out: Outgoing;
  readonly #origin: Pick<Origin, "authority" | "tls">;
  readonly #timeouts: UpstreamTimeouts;
  /** Called when the connection can take the next request. */
  readonly #idle: (connection: UpstreamConnection) => void;
  readonly #closed: (connection: UpstreamConnection) => void;
  readonly #reader = responseReader(() => this.#request?.method ?? "GET");
  #request: ForwardRequest | undefined;
  /** Whose answer is still waited for. */
  #waiting: Sendable | undefined;
  /** One for all requests of the connection. */
  readonly #abandonAborted = () => {
    if (this.#request?.signal.aborted) this.#abandon();
  };
  #body: IncomingBody | undefined;
  #tunnel: Tunnel | undefined;
  #isRequestSent = true;
  /** Interim responses to the present request. */
  #interims = 0;
  /** Bytes of the requests before this one. */
  #bytesBefore = 0;
  #tlsError: SocketError | undefined;
  #isReused = false;
  #canBeKept = false;
  #isOver = false;
  #timer: Timer | undefined;
  /** When it may be used again until, by the target's own word or the usual patience. */
  keptMs = POOL_IDLE_MS;
  idleSinceMs = 0;

  constructor(
    socket: Socket,
    origin: Pick<Origin, "authority" | "tls">,
    timeouts: UpstreamTimeouts,
    idle: (connection: UpstreamConnection) => void,
    closed: (connection: UpstreamConnection) => void,
  ) {
    this.#socket = socket;
    this.#out = new Outgoing(socket);
    this.#origin = origin;
    this.#timeouts = timeouts;
    this.#idle = idle;
    this.#closed = closed;
  }

  /** Sends a request. */
  send(sendable: Sendable): void {
    const { request, head } = sendable;
    const { body } = request;
    this.#request = request;
    this.#waiting = sendable;
    this.#canBeKept = false;
    this.#isRequestSent = false;
    this.#interims = 0;
    this.#bytesBefore = this.#out.bytesWritten;
    request.signal.addEventListener("abort", this.#abandonAborted);
    if (body === null || body instanceof Uint8Array || body instanceof WholeBody) {
      this.#out.writeHead(head, body ?? undefined);
      if (this.#out.isEmpty) this.#requestSent();
      else this.#whenRequestSent(request);
    } else this.#sendArriving(sendable);
  }

  #sendArriving({ request, head, coding }: Sendable): void {
    this.#out.cork();
    this.#out.writeHead(head);
    sendBody(this.#out, request.body, coding, (how) => {
      if (this.#request !== request) return;
      if (how === "complete") this.#whenRequestSent(request);
      else this.#abandon(how);
    });
    this.#out.uncork();
  }

  /** What the system has not taken yet may never be sent: the target need not read it. */
  #whenRequestSent(request: ForwardRequest): void {
    this.#out.whenEmpty(() => {
      if (this.#request === request) this.#requestSent();
    });
  }

  #requestSent(): void {
    this.#isRequestSent = true;
    this.#limit(this.#timeouts.headMs, "--head-timeout", "the head of a response");
  }

  data(bytes: Buffer): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.toClient(bytes);
      return;
    }
    let rest: Uint8Array = bytes;
    // An interim response ends before the next one begins.
    while (rest.length > 0 && !this.#isOver) {
      if (this.#request === undefined) {
        // Nobody asked.
        this.close();
        resetSocket(this.#socket);
        return;
      }
      rest = this.#read(this.#reader.read(rest as Buffer));
    }
  }

  end(): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.targetEnded();
      return;
    }
    if (this.#request !== undefined) this.#read(this.#reader.finish());
    this.#gone("close");
    closeSocket(this.#socket);
  }

  close(error?: Error): void {
    this.#tunnel?.targetClosed(error);
    this.#gone(error === undefined ? "close" : "reset");
  }

  drain(): void {
    this.#out.flush();
  }

  /** An alert: with TLS 1.3 a missing client certificate is told behind the handshake. */
  error(error: SocketError): void {
    this.#tlsError = error;
  }

  /** Ends an idle connection. */
  discard(): void {
    this.#isOver = true;
    closeSocket(this.#socket);
  }

  /** Marks the connection as taken from the pool. */
  reuse(): void {
    this.#isReused = true;
  }

  /** Gives what belongs to the next message. */
  #read(events: readonly MessageEvent<StatusLine>[]): Uint8Array {
    for (let index = 0; index < events.length; index++) {
      const event = events[index];
      if (event === undefined) break;
      switch (event.kind) {
        case "head": {
          const [next, last] = [events[index + 1], events[index + 2]];
          if (event.head.status < 200) return this.#interim(event.head, next?.kind === "end" ? next.rest : NOTHING);
          this.#clearTimer();
          this.#canBeKept = mayBeKept(event.head);
          this.#keptMs(event.head.headers);
          const framing = event.head.framing.kind;
          if (next?.kind === "end" && framing !== "chunked") return this.#whole(event.head, framing === "none" ? null : NOTHING, next.rest);
          if (next instanceof WholeData && last?.kind === "end")
            return this.#whole(event.head, new WholeBody(next.block, next.from, next.to), last.rest);
          this.#body = this.#incoming(event.head);
          this.#answer(responseOf(event.head, this.#body));
          this.#limitIdle();
          break;
        }
        case "data":
          this.#timer?.refresh();
          this.#body?.arrived(event);
          break;
        case "end": {
          const body = this.#body;
          this.#body = undefined;
          this.#finished(event.rest);
          body?.ended(event.raw);
          return NOTHING;
        }
        case "error": {
          const { code, message } = event.error;
          if (code === "incomplete_body" || code === "incomplete_head") return NOTHING;
          const wanted = this.#body;
          this.#body = undefined;
          this.#answer(this.#failure("upstream_protocol", `${this.#origin.authority} did not answer in HTTP: ${message}`));
          wanted?.broken("close");
          this.#over();
          resetSocket(this.#socket);
          return NOTHING;
        }
      }
    }
    return NOTHING;
  }

  #interim({ status, reason, headers }: ResponseHead, rest: Uint8Array): Uint8Array {
    // Whoever says this has seen the request.
    this.#isReused = false;
    if (status !== 101) {
      if (++this.#interims > INTERIM_RESPONSES_MAX) return this.#refuse(`sent more than ${INTERIM_RESPONSES_MAX} interim responses`);
      this.#request?.interim?.({ status, reason, headers });
      return rest;
    }
    this.#clearTimer();
    if (this.#request?.upgrade === undefined) return this.#refuse("switched protocols without being asked");
    this.#tunnel = new Tunnel(this.#socket, this.#out, rest);
    this.#answer({ status, reason, headers, body: null, tunnel: this.#tunnel });
    return NOTHING;
  }

  #refuse(what: string): Uint8Array {
    this.#answer(this.#failure("upstream_protocol", `${this.#origin.authority} ${what}`));
    this.#over();
    resetSocket(this.#socket);
    return NOTHING;
  }

  #whole(head: ResponseHead, body: OpenResponse["body"], rest: Uint8Array): Uint8Array {
    this.#answer(responseOf(head, body));
    this.#finished(rest);
    return NOTHING;
  }

  #incoming({ framing }: ResponseHead): IncomingBody {
    return new IncomingBody(framing, {
      // A target that is not read cannot be late.
      pause: () => {
        this.#clearTimer();
        this.#out.pauseReading();
      },
      resume: () => {
        if (this.#body !== undefined) this.#limitIdle();
        this.#socket.resume();
      },
      cancel: () => this.#abandon(),
      wanted: () => {},
      isHeldBack: () => false,
    });
  }

  /** The response is complete. More than it owed makes the connection useless, and so does a request that is still being sent. */
  #finished(rest: Uint8Array): void {
    this.#clearTimer();
    // An upload that waits for a target which reads no more would keep its client from reading the answer.
    if (!this.#isRequestSent) this.#cancelUpload();
    this.#request = undefined;
    if (this.#canBeKept && this.#isRequestSent && rest.length === 0 && !this.#isOver) {
      this.#idle(this);
      return;
    }
    this.#over();
    closeSocket(this.#socket);
  }

  #cancelUpload(): void {
    const body = this.#request?.body;
    if (body instanceof IncomingBody) body.cancel();
  }

  /** Nobody waits any more, or the request will never be whole. */
  #abandon(cut?: BodyCut): void {
    if (this.#request === undefined || this.#isOver) return;
    if (cut instanceof BodyTooLarge) this.#answer(this.#failure("request_too_large", cut.detail));
    else this.#answer(this.#failure("client_gone", "the client has gone"));
    if (this.#tunnel !== undefined) return;
    const body = this.#body;
    this.#body = undefined;
    this.#over();
    // Whoever reads an answer that has begun is still there.
    if (cut !== undefined) body?.broken("reset");
    closeSocket(this.#socket);
  }

  /** The target has ended the connection. */
  #gone(how: "close" | "reset"): void {
    if (this.#isOver) return;
    const body = this.#body;
    this.#body = undefined;
    this.#answer(this.#unanswered());
    this.#over();
    body?.broken(how);
  }

  #unanswered(): Answer {
    if (this.#isReused && this.#reader.isBetween()) return this.#out.bytesSent === this.#bytesBefore ? "unsent" : "stale";
    if (this.#tlsError?.code === "EPROTO") return this.#failure("upstream_tls", tlsDetail(this.#origin, this.#tlsError));
    return this.#failure("upstream_closed_early", `${this.#origin.authority} closed the connection before it had answered`);
  }

  #answer(answer: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.settled(answer);
  }

  #over(): void {
    this.#isOver = true;
    this.#request = undefined;
    this.#clearTimer();
    this.#out.end();
    this.#closed(this);
  }

  #limit(ms: number, option: string, what: string): void {
    if (ms === 0 || this.#waiting === undefined) return;
    this.#timer = setTimeout(() => {
      this.#answer(this.#failure("upstream_timeout", `${this.#origin.authority} did not send ${what} within ${ms / 1_000} s (${option})`));
      const body = this.#body;
      this.#body = undefined;
      this.#over();
      body?.broken("close");
      closeSocket(this.#socket);
    }, ms);
  }

  #limitIdle(): void {
    const ms = this.#timeouts.idleMs;
    if (ms === 0) return;
    this.#clearTimer();
    this.#timer = setTimeout(() => {
      const body = this.#body;
      this.#body = undefined;
      this.#over();
      // A body until the close would look complete with a FIN.
      body?.broken(body.framing.kind === "close" ? "reset" : "close");
      closeSocket(this.#socket);
    }, ms);
  }

  #clearTimer(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** `Keep-Alive: timeout=N` tells how long the target keeps the connection; the last second is left to the way there. */
  #keptMs(headers: HeaderList): void {
    for (const value of fieldValues(headers, "keep-alive")) {
      const seconds = /timeout=(\d+)/i.exec(value)?.[1];
      if (seconds !== undefined) this.keptMs = Math.max(0, (Number(seconds) - 1) * 1_000);
    }
  }

  #failure(reason: ForwardFailure["reason"], detail: string): ForwardFailure {
    return { kind: "failure", reason, detail };
  }
}

const NOTHING = new Uint8Array();

/**
 * RFC 9112 section 9.3. What announces a body and must not have one (to HEAD, 204, 304) may come with one after all, which would be taken
 * for the next answer.
 */
function mayBeKept({ minor, framing, headers }: ResponseHead): boolean {
  if (framing.kind === "close" || minor === 0 || hasOption(headers, "connection", "close")) return false;
  return framing.kind !== "none" || !headers.some(([name, value]) => /^(content-length|transfer-encoding)$/i.test(name) && value !== "0");
}

function responseOf({ status, reason, headers }: ResponseHead, body: OpenResponse["body"]): OpenResponse {
  return { status, reason, headers, body };
}
