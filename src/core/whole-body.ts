import type { AtHand, Chunks } from "./exchange.ts";

/**
 * A body that came in one piece and stands in the block that it came in. A view of the block would cost as much as reading a head does,
 * so there is none until somebody wants to see the bytes.
 */
export class WholeBody implements Chunks, AtHand {
  readonly block: Buffer;
  readonly from: number;
  readonly to: number;
  readonly isSelfDelimited = true;
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

  latin1(from: number, to: number): string {
    return this.block.toString("latin1", this.from + from, this.from + to);
  }

  byteAt(place: number): number | undefined {
    return this.block[this.from + place];
  }

  has(part: Uint8Array): boolean {
    const at = this.block.indexOf(part, this.from);
    return at >= 0 && at + part.length <= this.to;
  }

  lastIndexOf(part: Uint8Array): number {
    return Math.max(-1, this.block.lastIndexOf(part, this.to - part.length) - this.from);
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
