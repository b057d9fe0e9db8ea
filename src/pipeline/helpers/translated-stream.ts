import type { Clock } from "../../core/clock.ts";
import type { Payload } from "../../core/dialect.ts";
import { BodyCut, type Chunks } from "../../core/exchange.ts";
import type { Frame, Framing } from "../../core/frame.ts";
import { FRAME_BYTES_MAX } from "../../core/limits.ts";
import type { StreamTranslation } from "../../translate/translation.ts";
import { ERROR_AHEAD_OF_CUT_MS } from "./error-ahead-of-cut.ts";

const COLON = 0x3a;

/** What a target sends behind its last frame is read this long, so that its connection can be kept. */
const DRAIN_MS_MAX = 1_000;

const never = new AbortController().signal;

/** Events that keep connections alive and say nothing: OpenAI's services and gateways send the first, Anthropic's the second. */
const KEEPALIVES: ReadonlySet<string | undefined> = new Set(["keepalive", "ping"]);
const COMMENT = new TextEncoder().encode(": keepalive\n\n");

/**
 * The frames of a stream in another dialect, as they come: each chunk gives the frames that it completes. What keeps
 * connections alive passes as a comment. A stream that was cut ends with the error that the dialect has for it and is cut too, a moment
 * later and by FIN: nothing of the error gets lost on the way.
 */
export function translatedStream(source: Chunks, stream: StreamTranslation, from: Framing, to: Framing, clock: Clock): Chunks {
  const splitter = from.splitter();
  let end: "open" | "ended" | "cut" = "open";
  let written = 0;
  const hasComments = from.name === "sse" && to.name === "sse";

  const render = (payloads: readonly Payload[], pieces: Uint8Array[]) => {
    for (const { event, data } of payloads) pieces.push(to.render(event, data, written++));
  };
  const translate = (frames: readonly Frame[], pieces: Uint8Array[]) => {
    for (const { bytes, event, data } of frames) {
      if (stream.isOver()) return;
      if (data !== undefined) {
        const payloads = stream.onPayload({ event, data });
        if (payloads.length > 0) render(payloads, pieces);
        else if (hasComments && KEEPALIVES.has(event)) pieces.push(COMMENT);
      } else if (bytes.length >= FRAME_BYTES_MAX) {
        // A part of a frame that nobody reads: what it said would be missing in an answer that looks whole.
        throw new BodyCut("close");
      } else if (bytes[0] === COLON && hasComments) pieces.push(bytes);
    }
  };

  const next = async (): Promise<Uint8Array> => {
    const pieces: Uint8Array[] = [];
    try {
      const chunk = await source.read();
      if (chunk !== undefined) translate(splitter.push(chunk), pieces);
      else {
        translate(splitter.end(), pieces);
        end = "ended";
      }
    } catch (error) {
      if (!(error instanceof BodyCut)) throw error;
      source.cancel();
      end = stream.isOver() ? "ended" : "cut";
    }
    if (end !== "open") render(stream.onEnd(), pieces);
    else if (stream.isOver()) {
      end = "ended";
      void drain(source, clock);
    }
    return joined(pieces);
  };

  return {
    async read() {
      while (end === "open") {
        const bytes = await next();
        if (bytes.length > 0) return bytes;
      }
      if (end !== "cut") return undefined;
      await clock.sleep(ERROR_AHEAD_OF_CUT_MS, never);
      throw new BodyCut("close");
    },
    cancel: () => source.cancel(),
  };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length < 2) return first ?? new Uint8Array();
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Nobody waits for what follows; a target that does not end is left. */
async function drain(source: Chunks, clock: Clock): Promise<void> {
  const rest = async () => {
    try {
      while ((await source.read()) !== undefined);
    } catch {
      // It was cut behind its end.
    }
  };
  const ended = await Promise.race([rest().then(() => true), clock.sleep(DRAIN_MS_MAX, never).then(() => false)]);
  if (!ended) source.cancel();
}
