import type { BodyCut, Delivery, DeliveryEnd, Interim, OpenResponse, Received, RequestBody, WireScript } from "../../core/exchange.ts";
import { endToEndHeaders } from "../../core/headers.ts";
import type { ListenOptions } from "../engine.ts";
import { GoneSignal } from "./gone-signal.ts";
import { hasOption } from "./http1/fields.ts";
import { type MessageError, type MessageHead, type RequestLine, WholeData } from "./http1/message.ts";
import { requestReader } from "./http1/reader.ts";
import { responseHead } from "./http1/writer.ts";
import { IncomingBody } from "./incoming-body.ts";
import { type ConnectionLimits, LINGER_MS, PIPELINED_BYTES_MAX, RESET_DELAY_MS } from "./limits.ts";
import { Outgoing } from "./outgoing.ts";
import { type RefusalStatus, refusal } from "./refusal.ts";
import { arrivingRequestBody, EMPTY_REQUEST_BODY, NO_REQUEST_BODY, WholeRequestBody } from "./request-body.ts";
import { responseForm } from "./response-form.ts";
import { type BodyCoding, sendBody } from "./send-body.ts";
import { closeSocket, resetSocket, type Socket, type SocketEvents } from "./socket.ts";
import { isTunnel, type Tunnel } from "./tunnel.ts";
import { WholeBody } from "./whole-body.ts";
import { wirePieces } from "./wire-pieces.ts";

type RequestHead = MessageHead<RequestLine>;

/** A response on its way, and who is told how it ended. */
type Sent = { readonly body: OpenResponse["body"]; readonly done: (how: DeliveryEnd) => void };

/** What the connections of one listener share. */
export type ClientSide = Pick<ListenOptions, "provider" | "nextId" | "handle"> & {
  readonly limits: ConnectionLimits;
  /** Is the listener closing? Then every response is its connection's last. */
  readonly isDraining: () => boolean;
  readonly closed: (connection: ClientConnection) => void;
  /** Monotonic, to the precision of SWEEP_MS. */
  readonly nowMs: () => number;
};

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * What the connection waits for: the next request, the rest of a head, the rest of a body, nothing from the client (it is being
 * answered), or its end: for a while, or until the client leaves.
 */
type Phase = "idle" | "head" | "body" | "answering" | "hanging" | "tunnel" | "lingering" | "half_closed" | "over";

/** One connection from a client: requests in, one answered after the other (RFC 9112 section 9.3). */
export class ClientConnection implements SocketEvents {
  readonly #socket: Socket;
  readonly #side: ClientSide;
  readonly #out: Outgoing;
  readonly #reader = requestReader();
  #phase: Phase = "head";
  #sinceMs: number;
  /** Of the request that is being answered. */
  #head: RequestHead | undefined;
  #gone: GoneSignal | undefined;
  /** Of that request, while it is still coming. */
  #body: IncomingBody | undefined;
  #isBodyPaused = false;
  #awaitsContinue = false;
  /** The response that is being sent. */
  #response: Sent | undefined;
  #isHeadSent = false;
  /** What came behind the request that is being answered. */
  #behind: Buffer[] = [];
  #behindBytes = 0;
  #tunnel: Tunnel | undefined;

  constructor(socket: Socket, side: ClientSide) {
    this.#socket = socket;
    this.#side = side;
    this.#out = new Outgoing(socket);
    this.#sinceMs = side.nowMs();
  }

  data(bytes: Buffer): void {
    switch (this.#phase) {
      case "idle":
        this.#enter("head");
        this.#read(bytes);
        break;
      case "head":
        this.#read(bytes);
        break;
      case "body":
        this.#sinceMs = this.#side.nowMs();
        this.#read(bytes);
        break;
      case "answering":
        this.#keep(bytes);
        break;
      case "tunnel":
        this.#tunnel?.toTarget(bytes);
        break;
      case "hanging":
      case "lingering":
      case "half_closed":
      case "over":
        break;
    }
  }

  /** A client that sends no more waits for no answer either: nothing else tells that it has left (docs/engines.md). */
  end(): void {
    if (this.#phase === "tunnel") this.#tunnel?.clientEnded();
    else closeSocket(this.#socket);
  }

  close(error: Error | undefined): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#out.end();
    this.#tunnel?.clientClosed(error);
    this.#body?.broken("reset");
    this.#body = undefined;
    this.#clientGone();
    this.#side.closed(this);
  }

  drain(): void {
    this.#out.flush();
  }

  /** Ends what has waited too long. */
  sweep(nowMs: number): void {
    const { limits } = this.#side;
    const waitedMs = nowMs - this.#sinceMs;
    switch (this.#phase) {
      case "idle":
        if (waitedMs > limits.idleMs) closeSocket(this.#socket);
        break;
      case "head":
        if (waitedMs <= limits.headMs) break;
        // Somebody who has not said anything is not told anything.
        if (this.#reader.isBetween()) closeSocket(this.#socket);
        else this.#refuse(408, "request_timeout", `the head of the request did not come within ${limits.headMs / 1_000} s`);
        break;
      case "body":
        // Behind the head of an answer nobody waits for it any more.
        if (waitedMs <= limits.bodyIdleMs || this.#isHeadSent) break;
        if (!this.#isBodyPaused)
          this.#refuse(408, "request_timeout", `nothing of the request body came for ${limits.bodyIdleMs / 1_000} s`);
        else if (this.#body?.isPiped === true)
          this.#refuse(504, "upstream_timeout", `the target took nothing of the request body for ${limits.bodyIdleMs / 1_000} s`);
        break;
      case "lingering":
        if (waitedMs > LINGER_MS && this.#out.isEmpty) closeSocket(this.#socket);
        else if (waitedMs > limits.bodyIdleMs) resetSocket(this.#socket);
        break;
      case "answering":
      case "hanging":
      case "tunnel":
      case "half_closed":
      case "over":
        break;
    }
  }

  /** No further request: closes now where none is being answered. */
  drainConnection(): void {
    const isIdle = this.#phase === "idle" || this.#phase === "half_closed" || (this.#phase === "head" && this.#reader.isBetween());
    if (isIdle) closeSocket(this.#socket);
  }

  breakOff(): void {
    resetSocket(this.#socket);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#sinceMs = this.#side.nowMs();
  }

  #read(bytes: Buffer): void {
    const events = this.#reader.read(bytes);
    for (let index = 0; index < events.length; index++) {
      const event = events[index];
      if (event === undefined || this.#phase === "lingering" || this.#phase === "over") return;
      switch (event.kind) {
        case "head": {
          const [next, last] = [events[index + 1], events[index + 2]];
          const framing = event.head.framing.kind;
          // Chunks, and be it the last one alone, go on as they came.
          if (next?.kind === "end" && framing !== "chunked")
            this.#begin(event.head, framing === "none" ? NO_REQUEST_BODY : EMPTY_REQUEST_BODY, next.rest);
          else if (next instanceof WholeData && last?.kind === "end")
            this.#begin(event.head, new WholeRequestBody(new WholeBody(next.block, next.from, next.to)), last.rest);
          else {
            // Of damage that came with the head no target sees anything.
            const damage = events[events.length - 1];
            if (damage?.kind === "error") {
              this.#refuseMessage(damage.error);
              return;
            }
            this.#begin(event.head, "arriving", undefined);
            break;
          }
          return;
        }
        case "data":
          this.#body?.arrived(event);
          break;
        case "end": {
          const body = this.#body;
          this.#body = undefined;
          this.#enter("answering");
          body?.ended(event.raw);
          if (event.rest.length > 0) this.#keep(event.rest as Buffer);
          break;
        }
        case "error":
          this.#refuseMessage(event.error);
          break;
      }
    }
  }

  /** A request has come: whole, without a body, or with a body that is still arriving. */
  #begin(head: RequestHead, body: RequestBody | "arriving", rest: Uint8Array | undefined): void {
    const target = originForm(head);
    if (typeof target !== "string") {
      this.#refuse(target.status, target.code, target.message);
      return;
    }
    this.#head = head;
    this.#isHeadSent = false;
    this.#gone = new GoneSignal();
    let requestBody = body;
    if (requestBody === "arriving") {
      this.#awaitsContinue = head.minor === 1 && hasOption(head.headers, "expect", "100-continue");
      this.#body = this.#incoming(head);
      requestBody = arrivingRequestBody(this.#body);
      this.#enter("body");
    } else this.#enter("answering");
    if (rest !== undefined && rest.length > 0) this.#keep(rest as Buffer);
    const received: Received = {
      id: this.#side.nextId(),
      method: head.method,
      target,
      headers: head.headers,
      body: requestBody,
      listenerProvider: this.#side.provider,
      clientGone: this.#gone,
      interim: head.minor === 0 ? undefined : this.#interim,
      canUpgrade: head.minor === 1 && body !== "arriving",
    };
    this.#side.handle(received).then(this.#deliver, this.#failed);
  }

  #incoming(head: RequestHead): IncomingBody {
    return new IncomingBody(head.framing, {
      pause: () => {
        this.#isBodyPaused = true;
        this.#sinceMs = this.#side.nowMs();
        this.#out.pauseReading();
      },
      resume: () => {
        this.#isBodyPaused = false;
        this.#sinceMs = this.#side.nowMs();
        this.#socket.resume();
      },
      // The rest is read and thrown away; the connection ends with the response.
      cancel: () => {
        if (this.#isBodyPaused) this.#socket.resume();
        this.#isBodyPaused = false;
      },
      wanted: () => {
        if (!this.#awaitsContinue || this.#isHeadSent) return;
        this.#awaitsContinue = false;
        this.#out.write(CONTINUE);
      },
      isHeldBack: () => this.#awaitsContinue,
    });
  }

  readonly #interim = ({ status, reason, headers }: Interim): void => {
    if (this.#head === undefined || this.#isHeadSent) return;
    if (status === 100) this.#awaitsContinue = false;
    this.#out.writeHead(responseHead(status, reason, endToEndHeaders(headers)));
  };

  readonly #failed = (): void => {
    this.#refuse(500, "internal_error", "a mistake in faultproxy itself; please report it");
  };

  readonly #deliver = (delivery: Delivery): void => {
    const head = this.#head;
    const isStale = head === undefined || this.#phase === "over" || this.#phase === "lingering";
    switch (delivery.kind) {
      case "hang":
        if (isStale) delivery.done();
        else {
          this.#gone?.addEventListener("abort", delivery.done);
          this.#hang();
        }
        break;
      case "reset":
        if (!isStale) this.#finish("reset");
        break;
      case "close":
        if (!isStale) this.#finish("close");
        break;
      case "bytes":
        if (isStale) delivery.done("unsent");
        else void this.#perform(delivery.script, { body: null, done: delivery.done }, false);
        break;
      case "response": {
        const { response, done, damage } = delivery;
        if (isStale) {
          if (response.body !== null && !(response.body instanceof Uint8Array)) response.body.cancel();
          if (isTunnel(response.tunnel)) response.tunnel.break();
          done("unsent");
        } else if (isTunnel(response.tunnel)) this.#openTunnel(response, response.tunnel, done);
        else this.#respond(head, response, done, damage);
      }
    }
  };

  /** No answer will come, so everything is read and thrown away: only so is it seen that the client leaves. */
  #hang(): void {
    if (this.#isBodyPaused || this.#behindBytes > PIPELINED_BYTES_MAX) this.#socket.resume();
    this.#isBodyPaused = false;
    this.#behind = [];
    this.#behindBytes = 0;
    this.#enter("hanging");
  }

  #respond(
    head: RequestHead,
    response: OpenResponse,
    done: (how: DeliveryEnd) => void,
    damage: (Delivery & { kind: "response" })["damage"],
  ): void {
    const form = responseForm(response, {
      method: head.method,
      minor: head.minor,
      // A body that is still coming, when nobody may read it, has to be thrown away with its connection.
      keepAlive: !this.#side.isDraining() && this.#body === undefined && wantsKeepAlive(head),
    });
    const { body } = response;
    const sent = { body, done };
    if (damage !== undefined) {
      const bytes = Buffer.from(form.head, "latin1");
      void this.#perform(damage(wirePieces(bytes, body, form.coding)), sent, form.keepAlive);
      return;
    }
    this.#isHeadSent = true;
    this.#response = sent;
    if (form.coding === "none") {
      if (body !== null && !(body instanceof Uint8Array)) body.cancel();
      this.#out.writeHead(form.head);
      this.#whenSent(sent, form.keepAlive);
    } else if (body === null || body instanceof Uint8Array || body instanceof WholeBody) {
      this.#out.writeHead(form.head, body ?? undefined);
      this.#whenSent(sent, form.keepAlive);
    } else this.#stream(form.head, form.coding, form.keepAlive, sent);
  }

  #stream(head: string, coding: BodyCoding, keepAlive: boolean, sent: Sent): void {
    this.#out.cork();
    this.#out.writeHead(head);
    sendBody(this.#out, sent.body, coding, (how) => {
      if (how === "complete") this.#whenSent(sent, keepAlive);
      else {
        this.#over(sent, "cut");
        this.#finish(how);
      }
    });
    this.#out.uncork();
  }

  /** Sends what a script says in place of a response's own bytes. */
  async #perform(script: WireScript, sent: Sent, keepAlive: boolean): Promise<void> {
    this.#isHeadSent = true;
    this.#response = sent;
    for (;;) {
      const step = await script.next();
      if (this.#response !== sent) return;
      switch (step.kind) {
        case "write":
          this.#out.write(step.bytes);
          if (this.#out.isFull) await new Promise<void>((resolve) => this.#out.whenEmpty(resolve));
          break;
        case "complete":
          this.#out.whenEmpty(() => this.#sent(sent, keepAlive));
          return;
        case "close":
        case "half_close":
        case "reset":
          this.#over(sent, "cut");
          this.#finish(step.kind);
          return;
      }
    }
  }

  #openTunnel({ status, reason, headers }: OpenResponse, tunnel: Tunnel, done: (how: DeliveryEnd) => void): void {
    this.#isHeadSent = true;
    this.#response = { body: null, done };
    this.#out.write(Buffer.from(responseHead(status, reason, headers), "latin1"));
    this.#enter("tunnel");
    this.#tunnel = tunnel;
    tunnel.open({ socket: this.#socket, out: this.#out, ended: (how) => this.#over(this.#response, how) });
    const behind = this.#behind;
    this.#behind = [];
    if (this.#behindBytes > PIPELINED_BYTES_MAX) this.#socket.resume();
    this.#behindBytes = 0;
    for (const bytes of behind) tunnel.toTarget(bytes);
  }

  #whenSent(sent: Sent, keepAlive: boolean): void {
    if (this.#out.isEmpty) this.#sent(sent, keepAlive);
    else this.#whenEmpty(sent, keepAlive);
  }

  #whenEmpty(sent: Sent, keepAlive: boolean): void {
    this.#out.whenEmpty(() => this.#sent(sent, keepAlive));
  }

  #sent(sent: Sent, keepAlive: boolean): void {
    if (this.#response !== sent) return;
    this.#over(sent, "complete");
    this.#answered(keepAlive);
  }

  /** Tells once how the response ended. */
  #over(sent: Sent | undefined, how: DeliveryEnd): void {
    if (sent === undefined || this.#response !== sent) return;
    this.#response = undefined;
    sent.done(how);
  }

  /** The response has gone; the next request, or the end of the connection. */
  #answered(keepAlive: boolean): void {
    if (!keepAlive || this.#body !== undefined || this.#side.isDraining()) {
      this.#finish("close");
      return;
    }
    this.#head = undefined;
    this.#enter("idle");
    if (this.#behind.length === 0) return;
    const bytes = this.#behind.length === 1 && this.#behind[0] !== undefined ? this.#behind[0] : Buffer.concat(this.#behind);
    this.#behind = [];
    if (this.#behindBytes > PIPELINED_BYTES_MAX) this.#socket.resume();
    this.#behindBytes = 0;
    this.data(bytes);
  }

  /** Keeps what comes while a request is being answered. */
  #keep(bytes: Buffer): void {
    const wasFull = this.#behindBytes > PIPELINED_BYTES_MAX;
    this.#behind.push(bytes);
    this.#behindBytes += bytes.length;
    if (!wasFull && this.#behindBytes > PIPELINED_BYTES_MAX) this.#out.pauseReading();
  }

  /** Ends the connection, after what has been written. */
  #finish(how: BodyCut["by"] | "half_close"): void {
    this.#enter(how === "half_close" ? "half_closed" : "lingering");
    if (this.#isBodyPaused || this.#behindBytes > PIPELINED_BYTES_MAX) this.#socket.resume();
    this.#behind = [];
    this.#out.whenEmpty(() => {
      this.#sinceMs = this.#side.nowMs();
      if (how !== "reset") this.#socket.shutdown();
      else if (this.#out.bytesWritten === 0) resetSocket(this.#socket);
      else setTimeout(() => resetSocket(this.#socket), RESET_DELAY_MS);
    });
  }

  #refuseMessage({ status, code, message }: MessageError): void {
    this.#refuse(status, code, message);
  }

  /** Answers what cannot go on, unless an answer has begun, and closes. */
  #refuse(status: RefusalStatus, code: string, message: string): void {
    if (this.#phase === "lingering" || this.#phase === "over") return;
    const body = this.#body;
    this.#body = undefined;
    body?.broken("reset");
    const wasAnswering = this.#isHeadSent && this.#response !== undefined;
    if (!wasAnswering) this.#out.write(refusal(status, code, message));
    this.#finish(wasAnswering ? "reset" : "close");
    this.#clientGone();
  }

  /** Nobody waits for the present answer any more. */
  #clientGone(): void {
    const response = this.#response;
    this.#head = undefined;
    this.#gone?.abort();
    if (response === undefined) return;
    if (response.body !== null && !(response.body instanceof Uint8Array)) response.body.cancel();
    this.#over(response, "client_gone");
  }
}

/** RFC 9112 section 9.3. */
function wantsKeepAlive({ minor, headers }: RequestHead): boolean {
  if (minor === 1) return !hasOption(headers, "connection", "close");
  return hasOption(headers, "connection", "keep-alive") && !hasOption(headers, "connection", "close");
}

type Refused = { readonly status: RefusalStatus; readonly code: string; readonly message: string };

/** The target without the scheme and authority that clients of proxies send (RFC 9112 section 3.2); where they point to does not count. */
function originForm({ method, target }: RequestHead): string | Refused {
  if (method === "CONNECT") {
    const message = "CONNECT is not supported: use the address of this proxy as the base URL";
    return { status: 501, code: "connect_unsupported", message };
  }
  if (target.startsWith("/")) return target;
  if (target === "*" && method === "OPTIONS") return target;
  const absolute = /^https?:\/\/[^/?]+(.*)$/i.exec(target);
  const rest = absolute?.[1];
  if (rest === undefined) return { status: 400, code: "bad_target", message: "the request target is neither a path nor an http URL" };
  return rest.startsWith("/") ? rest : `/${rest}`;
}
