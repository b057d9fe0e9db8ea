import type { AtHand, Chunks } from "../../core/exchange.ts";

/**
 * A body that came in one piece and stands in the block that it came in. A view of the block would cost as much as reading a head does,
 * so there is none until somebody wants to see the bytes.
 */
export class WholeBody implements Chunks {
  readonly block: Buffer;
  readonly from: number;
  readonly to: number;
  #isRead = false;

  constructor(block: Buffer, from: number, to: number) {
    this.block = block;
    this.from = from;
    this.to = to;
  }

  get length(): number {
    return this.to - this.from;
  }

  bytes(): Uint8Array {
    return this.block.subarray(this.from, this.to);
  }

  text(): string {
    return this.block.toString("utf8", this.from, this.to);
  }

  get atHand(): AtHand {
    return this;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#isRead) return undefined;
    this.#isRead = true;
    return this.bytes();
  }

  cancel(): void {
    this.#isRead = true;
  }
}
