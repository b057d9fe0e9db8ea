import type { DeliveryEnd } from "../../core/exchange.ts";
import { RESET_DELAY_MS } from "./limits.ts";
import type { Outgoing } from "./outgoing.ts";
import { closeSocket, resetSocket, type Socket } from "./socket.ts";

type ClientEnd = { readonly socket: Socket; readonly out: Outgoing; readonly ended: (how: DeliveryEnd) => void };

/** Two connections joined after a 101: every byte goes on as it comes, each direction ends by itself (RFC 9110 section 7.8). */
export class Tunnel {
  readonly #target: Socket;
  readonly #toTarget: Outgoing;
  #client: ClientEnd | undefined;
  /** Came before the client's side was ready. */
  #early: Uint8Array[];
  #hasTargetEnded = false;
  #hasClientEnded = false;
  #isOver = false;

  constructor(target: Socket, toTarget: Outgoing, early: Uint8Array) {
    this.#target = target;
    this.#toTarget = toTarget;
    this.#early = early.length > 0 ? [early] : [];
  }

  open(client: ClientEnd): void {
    this.#client = client;
    for (const bytes of this.#early) client.out.write(bytes);
    this.#early = [];
    if (this.#hasTargetEnded) client.out.whenEmpty(() => client.socket.shutdown());
    if (this.#isOver) {
      // The target was gone before.
      client.ended("cut");
      resetBehind(client.socket, client.out);
    }
  }

  toTarget(bytes: Uint8Array): void {
    this.#toTarget.write(bytes);
    if (!this.#toTarget.isFull) return;
    this.#client?.out.pauseReading();
    this.#toTarget.whenEmpty(() => this.#client?.socket.resume());
  }

  toClient(bytes: Uint8Array): void {
    const out = this.#client?.out;
    if (out === undefined) {
      this.#early.push(bytes);
      return;
    }
    out.write(bytes);
    if (!out.isFull) return;
    this.#toTarget.pauseReading();
    out.whenEmpty(() => this.#target.resume());
  }

  /** FIN of the client: the target gets one. */
  clientEnded(): void {
    this.#hasClientEnded = true;
    if (this.#hasTargetEnded) this.#end();
    else this.#toTarget.whenEmpty(() => this.#target.shutdown());
  }

  targetEnded(): void {
    this.#hasTargetEnded = true;
    const client = this.#client;
    if (this.#hasClientEnded) this.#end();
    else client?.out.whenEmpty(() => client.socket.shutdown());
  }

  /** A FIN behind our own comes as a close. */
  clientClosed(error: Error | undefined): void {
    if (error === undefined && this.#hasTargetEnded) this.clientEnded();
    else if (this.#isOverNow()) {
      this.#client?.ended("client_gone");
      resetBehind(this.#target, this.#toTarget);
    }
  }

  targetClosed(error: Error | undefined): void {
    const client = this.#client;
    if (error === undefined && this.#hasClientEnded) this.targetEnded();
    else if (this.#isOverNow() && client !== undefined) {
      client.ended("cut");
      resetBehind(client.socket, client.out);
    }
  }

  /** Nobody is there to open it for. */
  break(): void {
    if (this.#isOverNow()) resetSocket(this.#target);
  }

  /** False where it was over already. */
  #isOverNow(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    return true;
  }

  #end(): void {
    if (!this.#isOverNow()) return;
    this.#toTarget.whenEmpty(() => closeSocket(this.#target));
    const client = this.#client;
    client?.out.whenEmpty(() => closeSocket(client.socket));
    client?.ended("complete");
  }
}

/** RST, but not before what came ahead of it has gone. */
function resetBehind(socket: Socket, out: Outgoing): void {
  out.whenEmpty(() => setTimeout(() => resetSocket(socket), RESET_DELAY_MS));
}

export function isTunnel(value: unknown): value is Tunnel {
  return value instanceof Tunnel;
}
