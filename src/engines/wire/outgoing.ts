import { WholeBody } from "../../core/whole-body.ts";
import { BUFFER_BYTES_HIGH } from "./limits.ts";
import type { Socket } from "./socket.ts";

/** Where heads are put together: what is written is the system's when `write` returns, and an allocation costs more than copying. */
const SCRATCH = Buffer.allocUnsafe(80 * 1024);

/** The output of one socket, in order. What the system does not take at once is kept, and `isFull` says when to stop. */
export class Outgoing {
  readonly #socket: Socket;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isCorked = false;
  #isOver = false;
  #waiting: (() => void)[] = [];
  /** Nothing can be written any more; the end of the socket is about to be told. */
  isBroken = false;
  /** Since the socket was opened; what still waits included. */
  bytesWritten = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get isFull(): boolean {
    return this.#queuedBytes > BUFFER_BYTES_HIGH;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** What the system has taken. */
  get bytesSent(): number {
    return this.bytesWritten - this.#queuedBytes;
  }

  /** Stops reading from the same socket. */
  pauseReading(): void {
    if (!this.isBroken) this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return;
    this.bytesWritten += bytes.length;
    if (this.#isCorked || this.#queue.length > 0) this.#push(bytes);
    else this.#send(bytes);
  }

  /** A head, and the body behind it where that is at hand, in one write. */
  writeHead(head: string, body?: Uint8Array | WholeBody): void {
    const length = head.length + (body?.length ?? 0);
    if (this.#isOver || this.#isCorked || this.#queue.length > 0 || length > SCRATCH.length) {
      this.write(Buffer.from(head, "latin1"));
      if (body !== undefined) this.write(body instanceof WholeBody ? body.bytes() : body);
      return;
    }
    this.bytesWritten += length;
    SCRATCH.write(head, 0, "latin1");
    if (body instanceof WholeBody) body.block.copy(SCRATCH, head.length, body.from, body.to);
    else if (body !== undefined) SCRATCH.set(body, head.length);
    const sent = this.#taken(this.#socket.write(SCRATCH, 0, length));
    if (sent < length) this.#push(Buffer.from(SCRATCH.subarray(sent, length)));
  }

  /** Keeps what is written from now on, to send it in one piece. */
  cork(): void {
    this.#isCorked = true;
  }

  uncork(): void {
    this.#isCorked = false;
    this.flush();
  }

  /** Calls back when everything has gone to the system, at once where it has. */
  whenEmpty(then: () => void): void {
    if (this.#queue.length === 0 || this.#isOver) then();
    else this.#waiting.push(then);
  }

  /** The socket has room, or nothing is held back any more. */
  flush(): void {
    if (this.#isCorked) return;
    if (this.#queue.length > 0) {
      const [only] = this.#queue;
      const bytes = this.#queue.length === 1 && only !== undefined ? only : Buffer.concat(this.#queue);
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#send(bytes);
    }
    if (this.#queue.length === 0) this.#tellEmpty();
  }

  /** The socket is gone. */
  end(): void {
    this.#isOver = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#waiting = [];
  }

  #tellEmpty(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const then of waiting) then();
  }

  #send(bytes: Uint8Array): void {
    const sent = this.#taken(this.#socket.write(bytes));
    if (sent < bytes.length) this.#push(sent === 0 ? bytes : bytes.subarray(sent));
  }

  /**
   * Of what `write` gives. Below zero the connection is broken, and a socket that is paused would never tell: it has to be read to
   * its end, which is near, and must not be paused any more.
   */
  #taken(result: number): number {
    if (result >= 0) return result;
    if (!this.isBroken) queueMicrotask(() => this.#socket.resume());
    this.isBroken = true;
    return 0;
  }

  #push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }
}
