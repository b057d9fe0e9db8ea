import type { BodyCut, DeliveryEnd, OpenResponse, WireScript } from "../../core/exchange.ts";
import { WholeBody } from "../../core/whole-body.ts";
import type { Outgoing } from "./outgoing.ts";
import type { ResponseForm } from "./response-form.ts";
import { sendBody } from "./send-body.ts";

/** A response on its way, and who is told how it ended. */
type Sending = { readonly body: OpenResponse["body"]; readonly done: (how: DeliveryEnd) => void };

/** What becomes of the connection behind a response. */
export type Behaviour = "keep" | "half_close" | BodyCut["by"];

/** Sends the responses of one connection, one after the other, and tells once how each ended. */
export class ResponseSender {
  readonly #out: Outgoing;
  /** Called when a response has gone, or is cut off. */
  readonly #ended: (behaviour: Behaviour) => void;
  #sending: Sending | undefined;
  /** Has the present exchange got a head, or what stands in its place? */
  hasBegun = false;

  constructor(out: Outgoing, ended: (behaviour: Behaviour) => void) {
    this.#out = out;
    this.#ended = ended;
  }

  get isSending(): boolean {
    return this.#sending !== undefined;
  }

  send({ head, coding, keepAlive }: ResponseForm, body: OpenResponse["body"], done: Sending["done"]): void {
    const sending = this.#begin(body, done);
    if (coding === "none") {
      cancelBody(body);
      this.#out.writeHead(head);
    } else if (body === null || body instanceof Uint8Array || body instanceof WholeBody) this.#out.writeHead(head, body ?? undefined);
    else {
      this.#stream(head, coding, keepAlive, sending);
      return;
    }
    if (this.#out.isEmpty) this.#sent(sending, keepAlive);
    else this.#sentLater(sending, keepAlive);
  }

  /** Sends what a script says in place of a response's own bytes. */
  async perform(script: WireScript, body: OpenResponse["body"], keepAlive: boolean, done: Sending["done"]): Promise<void> {
    const sending = this.#begin(body, done);
    for (;;) {
      const step = await script.next();
      if (this.#sending !== sending) return;
      switch (step.kind) {
        case "write":
          this.#out.write(step.bytes);
          if (this.#out.isFull) await new Promise<void>((resolve) => this.#out.whenEmpty(resolve));
          break;
        case "complete":
          this.#sentLater(sending, keepAlive);
          return;
        case "close":
        case "half_close":
        case "reset":
          this.#tell(sending, "cut");
          this.#ended(step.kind);
          return;
      }
    }
  }

  /** A head behind which the connection belongs to somebody else, who tells how it ended. */
  handOver(head: string, done: Sending["done"]): (how: DeliveryEnd) => void {
    const sending = this.#begin(null, done);
    this.#out.writeHead(head);
    return (how) => this.#tell(sending, how);
  }

  /** Nobody waits for the response any more. */
  abandon(): void {
    const sending = this.#sending;
    if (sending === undefined) return;
    cancelBody(sending.body);
    this.#tell(sending, "client_gone");
  }

  #begin(body: OpenResponse["body"], done: Sending["done"]): Sending {
    const sending = { body, done };
    this.#sending = sending;
    this.hasBegun = true;
    return sending;
  }

  #stream(head: string, coding: Exclude<ResponseForm["coding"], "none">, keepAlive: boolean, sending: Sending): void {
    this.#out.cork();
    this.#out.writeHead(head);
    sendBody(this.#out, sending.body, coding, (how) => {
      if (how === "complete") this.#sentLater(sending, keepAlive);
      else {
        this.#tell(sending, "cut");
        this.#ended(how.by);
      }
    });
    this.#out.uncork();
  }

  #sentLater(sending: Sending, keepAlive: boolean): void {
    this.#out.whenEmpty(() => this.#sent(sending, keepAlive));
  }

  #sent(sending: Sending, keepAlive: boolean): void {
    if (this.#sending !== sending) return;
    this.#tell(sending, "complete");
    this.#ended(keepAlive ? "keep" : "close");
  }

  #tell(sending: Sending, how: DeliveryEnd): void {
    if (this.#sending !== sending) return;
    this.#sending = undefined;
    sending.done(how);
  }
}

/** Whoever made the body is told that nobody reads it. */
export function cancelBody(body: OpenResponse["body"]): void {
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
}
