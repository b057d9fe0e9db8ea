import { PIPELINED_BYTES_MAX } from "./limits.ts";
import type { Outgoing } from "./outgoing.ts";

/** What a client sends behind the request that is being answered (RFC 9112 section 9.3.2); above the limit it is made to wait. */
export class Behind {
  readonly #out: Outgoing;
  #blocks: Buffer[] = [];
  #bytes = 0;

  constructor(out: Outgoing) {
    this.#out = out;
  }

  keep(bytes: Buffer): void {
    const wasFull = this.#isFull;
    this.#blocks.push(bytes);
    this.#bytes += bytes.length;
    if (!wasFull && this.#isFull) this.#out.pauseReading();
  }

  /** All of it, and reading goes on; undefined where nothing came. */
  take(): Buffer | undefined {
    const [first] = this.#blocks;
    if (first === undefined) return undefined;
    const all = this.#blocks.length === 1 ? first : Buffer.concat(this.#blocks);
    if (this.#isFull) this.#out.resumeReading();
    this.#blocks = [];
    this.#bytes = 0;
    return all;
  }

  get #isFull(): boolean {
    return this.#bytes > PIPELINED_BYTES_MAX;
  }
}
