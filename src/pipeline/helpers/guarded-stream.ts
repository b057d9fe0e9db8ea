import type { Clock } from "../../core/clock.ts";
import type { Dialect, Payload } from "../../core/dialect.ts";
import { BodyCut, type Chunks } from "../../core/exchange.ts";
import { BROKEN, type Failure, SILENT } from "../../core/failure.ts";
import type { Frame, Framing } from "../../core/frame.ts";
import type { Gone } from "../../core/gone.ts";
import type { Route } from "../../core/route.ts";
import type { RescueDialect } from "../../rescue/partial-answer.ts";
import { Alarm, TooSlow } from "./alarm.ts";
import type { AnswerWatch } from "./answer-watch.ts";

/** How a stream failed. */
export type StreamFailure = {
  readonly failure: Failure;
  /** As in `x-faultproxy-error`. */
  readonly reason: "upstream_error_event" | "upstream_closed_early" | "upstream_timeout" | "upstream_protocol";
  /** One sentence for people. */
  readonly message: string;
  /** The target's own error, where it sent one. */
  readonly payload: Payload | undefined;
};

/** Thrown by a reading in the place of what must not pass for an answer. It is no `BodyCut`: translations let it through. */
export class StreamFailed extends Error {
  constructor(readonly how: StreamFailure) {
    super(how.message);
  }
}

export type GuardOptions = {
  readonly framing: Framing;
  readonly dialect: Dialect;
  readonly rescue: RescueDialect;
  readonly watch: AnswerWatch;
  readonly hold: Route["hold"];
  /** Nothing goes on before the end. */
  readonly isBuffered: boolean;
  /** Monotonic: when its first output is due, and when the search for a target must have ended. Infinity: at no time. */
  readonly firstTokenDueMs: number;
  readonly searchDueMs: number;
  /** 0 = no limit. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly gone: Gone;
};

const BRACE = 0x7b;
const CLOSING_BRACKET = 0x5d;
const BLANK_LINE = new TextEncoder().encode("\n\n");
const decoder = new TextDecoder();

/** Events that keep connections alive and say nothing. */
const KEEPALIVES: ReadonlySet<string | undefined> = new Set(["ping", "keepalive"]);

/** A broken frame that begins so was a piece of the answer; the answer is not whole without it. */
const PIECE_OF_ANSWER = /^\s*[[,]?\s*\{\s*"/;

/** Frames that are no frames, in one answer. */
const JUNK_FRAMES_MAX = 1;

/** Usage and terminator follow a finish at once. */
const AFTER_FINISH_MS_MAX = 2_000;

/** An answer that is kept back until it is whole stands in memory. */
const BUFFERED_BYTES_MAX = 32 * 1024 * 1024;

/**
 * A target's stream of which nothing goes on that would make a failure pass for an answer. Its beginning is kept back until its first output;
 * what comes later ends with its finish and terminator, or is thrown as `StreamFailed`.
 */
export class GuardedStream implements Chunks {
  readonly #source: Chunks;
  readonly #options: GuardOptions;
  readonly #splitter: ReturnType<Framing["splitter"]>;
  readonly #alarm: Alarm;
  readonly #isFinish: (payload: Payload) => boolean;
  readonly #held: Uint8Array[] = [];
  #reading: Promise<Uint8Array | undefined> | undefined;
  #written = 0;
  #junk = 0;
  #hasFinished = false;
  #hasTerminator = false;
  /** A list's closing bracket has come. */
  #isClosed = false;
  #isOver = false;
  /** To be thrown by the next reading. */
  #failed: StreamFailed | undefined;
  #lastData: string | undefined;
  #hasProgress = true;
  #isHolding = true;
  /** When the next piece is due, and when the last reading ended. */
  #pieceDueMs = 0;
  #readMs = 0;

  constructor(source: Chunks, options: GuardOptions) {
    this.#source = source;
    this.#options = options;
    this.#splitter = options.framing.splitter();
    this.#alarm = new Alarm(options.clock, options.gone);
    this.#isFinish = options.rescue.finish();
  }

  /** Reads on until it is sure that there is an answer. Throws `BodyCut` where the client has gone. */
  async begin(): Promise<StreamFailure | undefined> {
    const { hold, isBuffered, clock, watch } = this.#options;
    const { framesMax, bytesMax } = isBuffered ? { framesMax: Number.POSITIVE_INFINITY, bytesMax: BUFFERED_BYTES_MAX } : hold;
    const holdDueMs = isBuffered || hold.msMax === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + hold.msMax;
    let heldBytes = 0;
    try {
      while (!this.#isOver && (isBuffered || !watch.hasContent()) && this.#written < framesMax && heldBytes < bytesMax) {
        const bytes = await this.#pull(holdDueMs);
        if (bytes === undefined) break;
        heldBytes += bytes.length;
        if (bytes.length > 0) this.#held.push(bytes);
      }
    } catch (error) {
      if (!(error instanceof StreamFailed)) throw error;
      return error.how;
    } finally {
      this.#isHolding = false;
    }
    return undefined;
  }

  async read(): Promise<Uint8Array | undefined> {
    const held = this.#held.shift();
    if (held !== undefined) return held;
    while (!this.#isOver || this.#failed !== undefined) {
      const bytes = await this.#pull(Number.POSITIVE_INFINITY);
      if (bytes !== undefined && bytes.length > 0) return bytes;
    }
    return undefined;
  }

  cancel(): void {
    this.#end();
    this.#options.watch.onEnd("left");
    this.#source.cancel();
  }

  /** What the next piece completes; undefined where it has not come by `holdDueMs`. */
  async #pull(holdDueMs: number): Promise<Uint8Array | undefined> {
    if (this.#failed !== undefined) throw this.#failed;
    const pieces: Uint8Array[] = [];
    const startMs = this.#options.clock.monotonicMs();
    // A client that does not read makes the target wait too.
    this.#pieceDueMs = this.#hasProgress ? this.#dueMs(startMs) : this.#pieceDueMs + startMs - this.#readMs;
    this.#alarm.set(Math.min(this.#pieceDueMs, holdDueMs));
    let chunk: Uint8Array | undefined;
    try {
      this.#reading ??= this.#source.read();
      chunk = await this.#alarm.guard(this.#reading);
      this.#reading = undefined;
    } catch (error) {
      if (!(error instanceof BodyCut)) throw error;
      if (error instanceof TooSlow && holdDueMs < this.#pieceDueMs) return undefined;
      this.#stopped(error, pieces);
      return joined(pieces);
    }
    this.#hasProgress = false;
    this.#readMs = this.#options.clock.monotonicMs();
    try {
      if (chunk === undefined) this.#ended(pieces);
      else for (const frame of this.#splitter.push(chunk)) this.#take(frame, pieces);
    } catch (error) {
      if (!(error instanceof StreamFailed) || this.#isHolding || pieces.length === 0) throw error;
      // What came before it in the same piece is the client's still.
      this.#failed = error;
    }
    // What is kept must not be a view of bytes that are used again.
    return joined(pieces, this.#isHolding);
  }

  #dueMs(nowMs: number): number {
    const { firstTokenDueMs, searchDueMs, idleMs, watch } = this.#options;
    if (this.#hasFinished) return nowMs + AFTER_FINISH_MS_MAX;
    const searching = this.#isHolding ? searchDueMs : Number.POSITIVE_INFINITY;
    if (!watch.hasContent()) return Math.min(firstTokenDueMs, searching);
    return Math.min(idleMs === 0 ? Number.POSITIVE_INFINITY : nowMs + idleMs, searching);
  }

  #take(frame: Frame, pieces: Uint8Array[]): void {
    const { event, bytes } = frame;
    // Gemini puts its errors bare between the events of a stream.
    const data = frame.data ?? (bytes[0] === BRACE ? decoder.decode(bytes) : undefined);
    this.#written++;
    if (data === undefined || (data.trim() === "" && event !== "error")) {
      this.#isClosed ||= bytes.includes(CLOSING_BRACKET);
      pieces.push(bytes);
      return;
    }
    if (this.#isBroken(event, data)) return;
    const { watch, framing, dialect } = this.#options;
    const goesOn = watch.onFrame(data === frame.data ? frame : { ...frame, data });
    const failure = watch.failure();
    if (failure !== undefined) this.#fail({ failure, reason: "upstream_error_event", message: ERROR_EVENT, payload: { event, data } });
    // The same again and again is a heartbeat.
    if (!KEEPALIVES.has(event) && data !== this.#lastData) this.#hasProgress = true;
    this.#lastData = data;
    this.#hasFinished = this.#isFinish({ event, data });
    const isTerminator = dialect.isTerminal(frame);
    this.#hasTerminator ||= isTerminator;
    // Gemini's ends are those of one candidate.
    if (isTerminator && !this.#hasFinished && dialect.name !== "gemini") {
      watch.fail(BROKEN);
      this.#fail({ failure: BROKEN, reason: "upstream_closed_early", message: BROKEN_OFF, payload: undefined });
    }
    if (goesOn === frame.data) pieces.push(bytes);
    else if (goesOn !== undefined) pieces.push(framing.render(event, goesOn, this.#written - 1));
  }

  /** Is it to be left out? */
  #isBroken(event: string | undefined, data: string): boolean {
    if (data.trim() === "[DONE]" || isJson(data)) return false;
    if (KEEPALIVES.has(event)) return true;
    if (event === "error") {
      this.#options.watch.fail(BROKEN);
      this.#fail({ failure: BROKEN, reason: "upstream_error_event", message: ERROR_EVENT, payload: undefined });
    }
    this.#junk++;
    if (this.#junk <= JUNK_FRAMES_MAX && !PIECE_OF_ANSWER.test(data)) return true;
    this.#options.watch.fail(BROKEN);
    return this.#fail({ failure: BROKEN, reason: "upstream_protocol", message: MALFORMED, payload: undefined });
  }

  /** Cut, or nothing has come for too long. */
  #stopped(how: BodyCut, pieces: Uint8Array[]): void {
    const { gone, watch } = this.#options;
    this.#source.cancel();
    if (gone.aborted) {
      this.#end();
      watch.onEnd("left");
      throw how;
    }
    this.#takeRest(pieces);
    if (this.#hasFinished) {
      this.#ended(pieces);
      return;
    }
    const isSilent = how instanceof TooSlow;
    const failure = isSilent ? SILENT : BROKEN;
    watch.fail(failure);
    const message = isSilent ? (watch.hasContent() ? STALLED : NO_FIRST_TOKEN) : CUT;
    this.#fail({ failure, reason: isSilent ? "upstream_timeout" : "upstream_closed_early", message, payload: undefined });
  }

  /** Nothing more will come: the answer is whole, with what it still needs to look so, or it was never finished. */
  #ended(pieces: Uint8Array[]): void {
    const { watch, framing, rescue } = this.#options;
    this.#takeRest(pieces);
    if (!this.#hasFinished) {
      watch.fail(BROKEN);
      this.#fail({ failure: BROKEN, reason: "upstream_closed_early", message: ENDED_EARLY, payload: undefined });
    }
    if (!this.#hasTerminator) {
      for (const payload of rescue.terminator) {
        const bytes = framing.render(payload.event, payload.data, this.#written++);
        watch.onFrame({ bytes, ...payload });
        pieces.push(bytes);
      }
    }
    if (framing.trailer !== "" && !this.#isClosed) pieces.push(Buffer.from(framing.trailer));
    this.#end();
    watch.onEnd("ended");
  }

  /** The last event may lack its blank line. What is only a part of one goes no further: something else is written behind it. */
  #takeRest(pieces: Uint8Array[]): void {
    const { framing } = this.#options;
    const rest = this.#splitter.end().map(({ bytes }) => bytes);
    if (framing.name !== "sse" || rest.length === 0) return;
    for (const frame of framing.splitter().push(Buffer.concat([...rest, BLANK_LINE]))) {
      const data = frame.data ?? decoder.decode(frame.bytes);
      if (data.trim() === "[DONE]" || isJson(data)) this.#take(frame, pieces);
    }
  }

  #fail(how: StreamFailure): never {
    this.#end();
    this.#source.cancel();
    throw new StreamFailed(how);
  }

  #end(): void {
    this.#isOver = true;
    this.#alarm.stop();
  }
}

const ERROR_EVENT = "the upstream sent an error in its stream";
const MALFORMED = "the upstream's stream has a frame that is broken, and its answer is not whole without it";
const CUT = "the upstream's stream was cut before its answer was whole";
const BROKEN_OFF = "the upstream says in its stream that it broke off";
const ENDED_EARLY = "the upstream's stream ended before its answer was whole";
const STALLED = "the upstream's stream stands still (idle_timeout of the route's target)";
const NO_FIRST_TOKEN =
  "the upstream's stream brought no output in time (first_token_timeout of the route's target, or the time of the whole search)";

function isJson(data: string): boolean {
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

function joined(pieces: readonly Uint8Array[], isKept = false): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return isKept ? first.slice() : first;
  return Buffer.concat(pieces);
}
