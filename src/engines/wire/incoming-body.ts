import { BodyTooLarge } from "../../core/body-too-large.ts";
import { BodyCut, type Chunks } from "../../core/exchange.ts";
import type { BodyFraming, Data } from "./http1/message.ts";
import { BUFFER_BYTES_HIGH } from "./limits.ts";

/** Takes a body synchronously, as it comes. */
export type Sink = {
  readonly data: (data: Data) => void;
  /** `raw`: the last chunk and the trailer section of a chunked body. */
  readonly end: (raw: Uint8Array) => void;
  readonly cut: (by: BodyCut) => void;
};

/** The connection that a body comes from. */
export type Source = {
  readonly pause: () => void;
  readonly resume: () => void;
  /** Nobody wants the rest. */
  readonly cancel: () => void;
  /** Somebody waits for the body: a sender who waits for `100 Continue` is told to go on. */
  readonly wanted: () => void;
  /** Does the sender wait to be told to go on? */
  readonly isHeldBack: () => boolean;
};

type End = { readonly kind: "end"; readonly raw: Uint8Array } | { readonly kind: "cut"; readonly by: BodyCut };

/** A body that is coming in. It is read by `read` or taken by `pipe`, not both; whoever does not keep up makes the sender wait. */
export class IncomingBody implements Chunks {
  readonly framing: BodyFraming;
  readonly #source: Source;
  #pieces: Data[] = [];
  #queuedBytes = 0;
  #bytesHigh = BUFFER_BYTES_HIGH;
  readonly #bytesMax: number | undefined;
  #bytes = 0;
  #unread: Uint8Array[] = [];
  #end: End | undefined;
  #sink: Sink | undefined;
  #isPaused = false;
  #isCancelled = false;
  #arrival: (() => void) | undefined;

  /** `bytesMax`: of its payload. */
  constructor(framing: BodyFraming, source: Source, bytesMax?: number) {
    this.framing = framing;
    this.#source = source;
    this.#bytesMax = bytesMax;
  }

  get isSelfDelimited(): boolean {
    return this.framing.kind !== "close";
  }

  /** Does the sender wait for `100 Continue` (RFC 9110 section 10.1.1)? */
  get isHeldBack(): boolean {
    return this.#source.isHeldBack();
  }

  /** Does it go on to somebody as it comes? */
  get isPiped(): boolean {
    return this.#sink !== undefined;
  }

  /** From the connection: bytes have come. */
  arrived(data: Data): void {
    if (this.#isCancelled || this.#end !== undefined || this.#isTooMuch(data)) return;
    if (this.#sink !== undefined && !this.#isPaused) {
      this.#sink.data(data);
      return;
    }
    this.#pieces.push(data);
    this.#queuedBytes += data.raw.length;
    if (this.#queuedBytes > this.#bytesHigh) this.#pause();
    this.#tell();
  }

  /** From the connection: the proper end. */
  ended(raw: Uint8Array): void {
    this.#over({ kind: "end", raw });
  }

  /** From the connection: the rest will never come. */
  broken(by: BodyCut["by"]): void {
    this.#over({ kind: "cut", by: new BodyCut(by) });
  }

  async read(): Promise<Uint8Array | undefined> {
    this.#source.wanted();
    for (;;) {
      const unread = this.#unread.shift();
      if (unread !== undefined) return unread;
      const piece = this.#take();
      if (piece !== undefined) {
        this.#unread = [...piece.payload];
        continue;
      }
      if (this.#end?.kind === "cut") throw this.#end.by;
      if (this.#end !== undefined || this.#isCancelled) return undefined;
      await this.#arrived();
    }
  }

  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#sink = undefined;
    this.#pieces = [];
    if (this.#end === undefined) this.#source.cancel();
    this.#tell();
  }

  /** Everything goes to the sink, what has come already at once. */
  pipe(sink: Sink): void {
    this.#sink = sink;
    this.#bytesHigh = BUFFER_BYTES_HIGH;
    this.release();
  }

  /** The sink has enough for now. */
  hold(): void {
    this.#pause();
  }

  /** The sink takes more again. */
  release(): void {
    const wasPaused = this.#isPaused;
    this.#isPaused = false;
    this.#drainToSink();
    if (wasPaused && !this.#isPaused && this.#end === undefined) this.#source.resume();
  }

  /** The whole payload, kept for whoever takes the body after that; undefined where it is larger than `bytesMax`. */
  async collect(bytesMax: number): Promise<Buffer | undefined> {
    this.#source.wanted();
    this.#bytesHigh = Math.max(this.#bytesHigh, bytesMax);
    if (this.#queuedBytes <= this.#bytesHigh) this.#resume();
    for (;;) {
      // Chunk framing counts too: what is kept is what came.
      if (this.#queuedBytes > bytesMax) return undefined;
      if (this.#end?.kind === "cut") throw this.#end.by;
      // Piece by piece: of a body in chunks of one byte, all views at once would take twenty times its size.
      if (this.#end !== undefined) return Buffer.concat(this.#pieces.map((piece) => Buffer.concat(piece.payload)));
      await this.#arrived();
    }
  }

  /** Of more than it may be, nothing goes on; the sender may send the rest, so that it comes to read the answer. */
  #isTooMuch({ payload }: Data): boolean {
    if (this.#bytesMax === undefined) return false;
    for (const part of payload) this.#bytes += part.length;
    if (this.#bytes <= this.#bytesMax) return false;
    this.#pieces = [];
    this.#over({ kind: "cut", by: new BodyTooLarge(this.#bytesMax) });
    this.#source.cancel();
    return true;
  }

  #arrived(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrival = resolve;
    return promise;
  }

  #tell(): void {
    const arrival = this.#arrival;
    this.#arrival = undefined;
    arrival?.();
  }

  #over(end: End): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    // What is still queued is all there is; the connection goes on to its next message.
    if (this.#isPaused && end.kind === "end") this.#source.resume();
    if (this.#sink !== undefined) this.#drainToSink();
    else this.#tell();
  }

  #drainToSink(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#isPaused) {
      const piece = this.#take();
      if (piece === undefined) break;
      sink.data(piece);
    }
    if (this.#isPaused || this.#pieces.length > 0 || this.#end === undefined) return;
    this.#sink = undefined;
    if (this.#end.kind === "end") sink.end(this.#end.raw);
    else sink.cut(this.#end.by);
  }

  #take(): Data | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#queuedBytes -= piece.raw.length;
    if (this.#sink === undefined && this.#queuedBytes <= this.#bytesHigh) this.#resume();
    return piece;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    if (this.#end === undefined) this.#source.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#end === undefined) this.#source.resume();
  }
}
