import type { Delivery, DeliveryEnd, Interim, OpenResponse, Received, RequestBody } from "../../core/exchange.ts";
import { endToEndHeaders } from "../../core/headers.ts";
import { WholeBody } from "../../core/whole-body.ts";
import type { ListenOptions } from "../engine.ts";
import { isLoopback } from "../local-peer.ts";
import { Behind } from "./behind.ts";
import { overdue, type Phase } from "./deadlines.ts";
import { GoneSignal } from "./gone-signal.ts";
import { hasOption } from "./http1/fields.ts";
import { type MessageHead, type RequestLine, WholeData } from "./http1/message.ts";
import { type MessageReader, requestReader } from "./http1/reader.ts";
import { responseHead } from "./http1/writer.ts";
import { IncomingBody, type Source } from "./incoming-body.ts";
import { type ConnectionLimits, RESET_DELAY_MS } from "./limits.ts";
import { Outgoing } from "./outgoing.ts";
import { refusal } from "./refusal.ts";
import { arrivingRequestBody, EMPTY_REQUEST_BODY, NO_REQUEST_BODY, WholeRequestBody } from "./request-body.ts";
import { authorityOf, originForm, type Refused } from "./request-target.ts";
import { responseForm } from "./response-form.ts";
import { type Behaviour, cancelBody, ResponseSender } from "./response-sender.ts";
import { closeSocket, resetSocket, type Socket, type SocketEvents } from "./socket.ts";
import { isTunnel, type Tunnel } from "./tunnel.ts";
import { wirePieces } from "./wire-pieces.ts";

type RequestHead = MessageHead<RequestLine>;

/** What the connections of one listener share. */
export type ClientSide = Pick<ListenOptions, "via" | "provider" | "headBytesMax" | "bodyBytesMax" | "nextId" | "handle"> & {
  readonly limits: ConnectionLimits;
  /** Is the listener closing? Then every response is its connection's last. */
  readonly isDraining: () => boolean;
  readonly closed: (connection: ClientConnection) => void;
  /** Monotonic, to the precision of SWEEP_MS. */
  readonly nowMs: () => number;
};

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** One connection from a client: requests in, one answered after the other (RFC 9112 section 9.3). */
export class ClientConnection implements SocketEvents {
  readonly #socket: Socket;
  readonly #side: ClientSide;
  readonly #out: Outgoing;
  readonly #reader: MessageReader<RequestLine>;
  #phase: Phase = "head";
  #sinceMs: number;
  /** Of the request that is being answered. */
  #head: RequestHead | undefined;
  #gone: GoneSignal | undefined;
  /** Of that request, while it is still coming. */
  #body: IncomingBody | undefined;
  #isBodyPaused = false;
  #awaitsContinue = false;
  readonly #responses: ResponseSender;
  readonly #behind: Behind;
  #tunnel: Tunnel | undefined;
  readonly #isLocal = () => this.#side.via === "unix" || isLoopback(this.#socket.remoteAddress);

  constructor(socket: Socket, side: ClientSide) {
    this.#socket = socket;
    this.#side = side;
    this.#reader = requestReader(side.headBytesMax);
    this.#out = new Outgoing(socket);
    this.#responses = new ResponseSender(this.#out, (behaviour) => this.#answered(behaviour));
    this.#behind = new Behind(this.#out);
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
        this.#behind.keep(bytes);
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
    const due = overdue(
      {
        phase: this.#phase,
        waitedMs: nowMs - this.#sinceMs,
        isSilent: this.#reader.isBetween(),
        hasBegun: this.#responses.hasBegun,
        heldUpBy: !this.#isBodyPaused ? "client" : this.#body?.isPiped === true ? "target" : "us",
        isSent: this.#out.isEmpty,
      },
      this.#side.limits,
    );
    if (due === "close") closeSocket(this.#socket);
    else if (due === "reset") resetSocket(this.#socket);
    else if (due !== undefined) this.#refuse(due);
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
              this.#refuse(damage.error);
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
          if (event.rest.length > 0) this.#behind.keep(event.rest as Buffer);
          break;
        }
        case "error":
          this.#refuse(event.error);
          break;
      }
    }
  }

  /** A request has come: whole, without a body, or with a body that is still arriving. */
  #begin(head: RequestHead, body: RequestBody | "arriving", rest: Uint8Array | undefined): void {
    const target = originForm(head);
    if (typeof target !== "string") {
      this.#refuse(target);
      return;
    }
    this.#head = head;
    this.#responses.hasBegun = false;
    this.#gone = new GoneSignal();
    let requestBody = body;
    if (requestBody === "arriving") {
      this.#awaitsContinue = head.minor === 1 && hasOption(head.headers, "expect", "100-continue");
      this.#body = this.#incoming(head);
      requestBody = arrivingRequestBody(this.#body);
      this.#enter("body");
    } else this.#enter("answering");
    if (rest !== undefined && rest.length > 0) this.#behind.keep(rest as Buffer);
    const received: Received = {
      id: this.#side.nextId(),
      method: head.method,
      target,
      authority: target === head.target ? undefined : authorityOf(head.target),
      via: this.#side.via,
      headers: head.headers,
      body: requestBody,
      listenerProvider: this.#side.provider,
      clientGone: this.#gone,
      interim: head.minor === 0 ? undefined : this.#interim,
      canUpgrade: head.minor === 1 && body !== "arriving",
      isLocal: this.#isLocal,
    };
    this.#side.handle(received).then(this.#deliver, this.#failed);
  }

  #incoming(head: RequestHead): IncomingBody {
    const bytesMax = head.framing.kind === "chunked" ? this.#side.bodyBytesMax() : undefined;
    const source: Source = {
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
        if (!this.#awaitsContinue || this.#responses.hasBegun) return;
        this.#awaitsContinue = false;
        this.#out.write(CONTINUE);
      },
      isHeldBack: () => this.#awaitsContinue,
    };
    // Of a length it is known beforehand.
    return new IncomingBody(head.framing, source, bytesMax);
  }

  readonly #interim = ({ status, reason, headers }: Interim): void => {
    if (this.#head === undefined || this.#responses.hasBegun) return;
    if (status === 100) this.#awaitsContinue = false;
    this.#out.writeHead(responseHead(status, reason, endToEndHeaders(headers)));
  };

  readonly #failed = (): void => {
    this.#refuse({ status: 500, code: "internal_error", message: "a mistake in faultproxy itself; please report it" });
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
        else void this.#responses.perform(delivery.script, null, false, delivery.done);
        break;
      case "response": {
        const { response, done } = delivery;
        if (isStale) {
          cancelBody(response.body);
          if (isTunnel(response.tunnel)) response.tunnel.break();
          done("unsent");
        } else if (isTunnel(response.tunnel)) this.#openTunnel(response, response.tunnel, done);
        else this.#respond(head, delivery);
      }
    }
  };

  /** No answer will come, so everything is read and thrown away: only so is it seen that the client leaves. */
  #hang(): void {
    this.#enter("hanging");
    this.#isBodyPaused = false;
    this.#behind.take();
    this.#socket.resume();
  }

  #respond(head: RequestHead, { response, damage, done }: Delivery & { readonly kind: "response" }): void {
    const form = responseForm(response, {
      method: head.method,
      minor: head.minor,
      // A body that is still coming, when nobody may read it, has to be thrown away with its connection.
      keepAlive: !this.#side.isDraining() && this.#body === undefined && wantsKeepAlive(head),
    });
    if (damage === undefined) this.#responses.send(form, response.body, done);
    else {
      const pieces = wirePieces(Buffer.from(form.head, "latin1"), response.body, form.coding);
      void this.#responses.perform(damage(pieces), response.body, form.keepAlive, done);
    }
  }

  #openTunnel({ status, reason, headers }: OpenResponse, tunnel: Tunnel, done: (how: DeliveryEnd) => void): void {
    const ended = this.#responses.handOver(responseHead(status, reason, headers), done);
    this.#enter("tunnel");
    this.#tunnel = tunnel;
    tunnel.open({ socket: this.#socket, out: this.#out, ended });
    const behind = this.#behind.take();
    if (behind !== undefined) tunnel.toTarget(behind);
  }

  /** The response has gone; the next request, or the end of the connection. */
  #answered(behaviour: Behaviour): void {
    if (behaviour !== "keep" || this.#body !== undefined || this.#side.isDraining()) {
      this.#finish(behaviour === "keep" ? "close" : behaviour);
      return;
    }
    this.#head = undefined;
    this.#enter("idle");
    const behind = this.#behind.take();
    if (behind !== undefined) this.data(behind);
  }

  /** Ends the connection, after what has been written. */
  #finish(how: Exclude<Behaviour, "keep">): void {
    this.#enter(how === "half_close" ? "half_closed" : "lingering");
    this.#behind.take();
    this.#socket.resume();
    this.#out.whenEmpty(() => {
      this.#sinceMs = this.#side.nowMs();
      if (how !== "reset") this.#socket.shutdown();
      else if (this.#out.bytesWritten === 0) resetSocket(this.#socket);
      else setTimeout(() => resetSocket(this.#socket), RESET_DELAY_MS);
    });
  }

  /** Answers what cannot go on, unless an answer has begun, and closes. */
  #refuse({ status, code, message }: Refused): void {
    if (this.#phase === "lingering" || this.#phase === "over") return;
    const body = this.#body;
    this.#body = undefined;
    body?.broken("reset");
    const wasAnswering = this.#responses.isSending;
    if (!wasAnswering) this.#out.write(refusal(status, code, message));
    this.#finish(wasAnswering ? "reset" : "close");
    this.#clientGone();
  }

  /** Nobody waits for the present answer any more. */
  #clientGone(): void {
    this.#head = undefined;
    this.#gone?.abort();
    this.#responses.abandon();
  }
}

/** RFC 9112 section 9.3. */
function wantsKeepAlive({ minor, headers }: RequestHead): boolean {
  if (minor === 1) return !hasOption(headers, "connection", "close");
  return hasOption(headers, "connection", "keep-alive") && !hasOption(headers, "connection", "close");
}
