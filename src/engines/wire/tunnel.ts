import type { Outgoing } from "./outgoing.ts";
import { closeSocket, resetSocket, type Socket } from "./socket.ts";

type ClientEnd = { readonly socket: Socket; readonly out: Outgoing; readonly ended: () => void };

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
    if (this.#isOver) this.#end();
  }

  toTarget(bytes: Uint8Array): void {
    this.#toTarget.write(bytes);
    if (!this.#toTarget.isFull) return;
    this.#client?.socket.pause();
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
    this.#target.pause();
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
    else this.break();
  }

  targetClosed(error: Error | undefined): void {
    if (error === undefined && this.#hasClientEnded) this.targetEnded();
    else this.break();
  }

  /** One of the connections is gone, and so is the other. */
  break(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    resetSocket(this.#target);
    if (this.#client !== undefined) {
      resetSocket(this.#client.socket);
      this.#client.ended();
    }
  }

  #end(): void {
    if (this.#isOver && this.#client === undefined) return;
    this.#isOver = true;
    this.#toTarget.whenEmpty(() => closeSocket(this.#target));
    const client = this.#client;
    client?.out.whenEmpty(() => closeSocket(client.socket));
    client?.ended();
  }
}

export function isTunnel(value: unknown): value is Tunnel {
  return value instanceof Tunnel;
}
