import type { Clock } from "../../core/clock.ts";
import type { DialectName, Payload } from "../../core/dialect.ts";
import { BodyCut, type Chunks } from "../../core/exchange.ts";
import type { Framing } from "../../core/frame.ts";
import { statusOfStreamError } from "../../policy/classify.ts";
import { RESCUES_BY_DIALECT } from "../../rescue/index.ts";
import type { PartialAnswer } from "../../rescue/partial-answer.ts";
import { readError } from "../../translate/errors.ts";
import { ERROR_AHEAD_OF_CUT_MS } from "./error-ahead-of-cut.ts";
import { StreamFailed, type StreamFailure } from "./guarded-stream.ts";

export type NextStream = { readonly body: Chunks };

export type Rescuing = {
  /** Of the client. */
  readonly dialect: DialectName;
  readonly framing: Framing;
  readonly clock: Clock;
  /** May another target complete it? Else nobody needs to know what has gone out. */
  readonly isRescuable: boolean;
  /** May the target's own error event go on as it is? */
  readonly isPassedOn: () => boolean;
  readonly brokeOff: (how: StreamFailure) => void;
  /** The answer of another target, which goes on behind what is there, or begins anew where nothing of it is there; undefined: there is none. */
  readonly next: (partial: PartialAnswer) => Promise<NextStream | undefined>;
};

const NOTHING = new Uint8Array();
const never = new AbortController().signal;

/**
 * A stream on its way to the client. Where its target fails another one completes it; where none does it ends with the dialect's own error
 * event and is cut, so that nobody takes the half for the whole.
 */
export class RescuedStream implements Chunks {
  readonly #doing: Rescuing;
  readonly #partial: PartialAnswer;
  #source: Chunks;
  #splitter: ReturnType<Framing["splitter"]>;
  readonly #isNoted: boolean;
  #fit: ((payload: Payload) => readonly Payload[]) | undefined;
  #written = 0;
  #isCut = false;
  #isLeft = false;

  constructor(source: Chunks, doing: Rescuing) {
    this.#source = source;
    this.#doing = doing;
    this.#partial = RESCUES_BY_DIALECT[doing.dialect].partial();
    this.#splitter = doing.framing.splitter();
    // An error behind these needs to know what came before it.
    this.#isNoted = doing.isRescuable || doing.dialect === "responses" || doing.framing.name !== "sse";
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#isCut) {
      // HTTP clients throw away what they have not read when the connection breaks off.
      await this.#doing.clock.sleep(ERROR_AHEAD_OF_CUT_MS, never);
      throw new BodyCut("close");
    }
    for (;;) {
      try {
        const chunk = await this.#source.read();
        const bytes = this.#passed(chunk);
        if (chunk === undefined || bytes.length > 0) return bytes.length > 0 ? bytes : undefined;
      } catch (error) {
        if (!(error instanceof StreamFailed)) throw error;
        const last = await this.#recover(error.how);
        if (last !== undefined) return last;
      }
    }
  }

  cancel(): void {
    this.#isLeft = true;
    this.#source.cancel();
  }

  /** Another stream takes its place, or these are the last bytes. */
  async #recover(how: StreamFailure): Promise<Uint8Array | undefined> {
    this.#doing.brokeOff(how);
    const next = this.#isLeft ? undefined : await this.#doing.next(this.#partial);
    if (next === undefined || this.#isLeft) {
      next?.body.cancel();
      this.#isCut = true;
      return this.#errorOf(how);
    }
    this.#source = next.body;
    this.#splitter = this.#doing.framing.splitter();
    this.#fit = this.#partial.splice();
    return undefined;
  }

  /** What the client gets of a chunk, which holds whole frames; of a second answer as it fits behind the first. */
  #passed(chunk: Uint8Array | undefined): Uint8Array {
    const { framing } = this.#doing;
    const fit = this.#fit;
    if (!this.#isNoted) return chunk ?? NOTHING;
    const pieces: Uint8Array[] = [];
    for (const frame of chunk === undefined ? this.#splitter.end() : this.#splitter.push(chunk)) {
      const { event, data, bytes } = frame;
      if (data === undefined) {
        pieces.push(bytes);
        continue;
      }
      const payloads = fit === undefined ? [{ event, data }] : fit({ event, data });
      for (const payload of payloads) {
        if (fit !== undefined) pieces.push(framing.render(payload.event, payload.data, this.#written));
        this.#written++;
        this.#partial.note(payload);
      }
    }
    // What is left at the end has gone out with its chunk.
    return fit === undefined ? (chunk ?? NOTHING) : Buffer.concat(pieces);
  }

  #errorOf({ message, payload, failure }: StreamFailure): Uint8Array {
    const { dialect, framing, isPassedOn } = this.#doing;
    const status = (payload === undefined ? undefined : statusOfStreamError(payload.data)) ?? (failure.isSilent ? 504 : 502);
    const isOwn = payload !== undefined && isPassedOn() && this.#fit === undefined;
    const payloads = isOwn
      ? [payload]
      : RESCUES_BY_DIALECT[dialect].error(
          { message: payload === undefined ? `faultproxy: ${message}` : readError(status, payload.data).message, status },
          { frames: this.#written, id: this.#partial.id() },
        );
    return Buffer.concat(payloads.map(({ event, data }) => framing.render(event, data, this.#written++)));
  }
}
