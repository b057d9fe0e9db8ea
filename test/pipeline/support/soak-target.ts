import type { Clock } from "../../../src/core/clock.ts";
import {
  type Body,
  BodyCut,
  type Chunks,
  type ForwardFailure,
  type ForwardRequest,
  type OpenResponse,
} from "../../../src/core/exchange.ts";
import type { Gone } from "../../../src/core/gone.ts";
import { WholeBody } from "../../../src/core/whole-body.ts";
import type { Said, Script } from "./soak-script.ts";

/** A target's body that was handed out. */
export type OpenBody = {
  readonly openedMs: number;
  /** How nobody had it any more; undefined: somebody has it still. */
  closed: "ended" | "cut" | "cancelled" | "left" | undefined;
  closedMs: number | undefined;
  /** What was done with it that must not be done. */
  readonly mistakes: string[];
};

/** Does what the script says, as an engine would do it. */
export async function perform(
  script: Script,
  { signal }: ForwardRequest,
  clock: Clock,
  opened: (body: OpenBody) => void,
): Promise<OpenResponse | ForwardFailure> {
  if (script.kind === "silence") await gone(signal);
  else await clock.sleep(script.afterMs, signal);
  if (signal.aborted) return { kind: "failure", reason: "client_gone", detail: "nobody waits" };
  if (script.kind === "silence") throw new Error("silence that ends");
  if (script.kind === "failure") return { kind: "failure", reason: script.reason, detail: "as the script says" };
  const { status, headers, body } = script;
  return { status, reason: undefined, headers, body: status === 204 ? null : bodyOf(body, signal, clock, opened) };
}

function bodyOf(said: Said, signal: Gone, clock: Clock, opened: (body: OpenBody) => void): Body {
  if (said.isWhole) {
    const bytes = Buffer.concat(said.pieces.map((piece) => piece.bytes));
    return new WholeBody(bytes, 0, bytes.length);
  }
  const open: OpenBody = { openedMs: clock.monotonicMs(), closed: undefined, closedMs: undefined, mistakes: [] };
  opened(open);
  return chunksOf(said, signal, clock, open);
}

/**
 * Pieces that come in their time, whether or not somebody waits. Their bytes are used again for what follows. A reading that is cancelled
 * ends; a client that has left is told nothing by that alone.
 */
function chunksOf({ pieces, end }: Said, signal: Gone, clock: Clock, open: OpenBody): Chunks {
  const over = new AbortController();
  const cancelling = new AbortController();
  const buffer = new Uint8Array(Math.max(1, ...pieces.map(({ bytes }) => bytes.length)));
  let index = 0;
  let dueMs = open.openedMs;
  let isReading = false;
  const close = (how: OpenBody["closed"]) => {
    open.closed ??= how;
    open.closedMs ??= clock.monotonicMs();
    over.abort();
  };
  const next = async (): Promise<Uint8Array | undefined> => {
    const piece = pieces[index++];
    if (piece === undefined) {
      if (end === "stall" || over.signal.aborted) return gone(cancelling.signal);
      close(end === "end" ? "ended" : "cut");
      if (end === "end") return undefined;
      throw new BodyCut(end);
    }
    dueMs += piece.afterMs;
    await clock.sleep(dueMs - clock.monotonicMs(), over.signal);
    if (over.signal.aborted) return gone(cancelling.signal);
    // Whoever still has a view of it sees that.
    buffer.fill(0x23);
    buffer.set(piece.bytes);
    return buffer.subarray(0, piece.bytes.length);
  };
  signal.addEventListener("abort", () => close("left"));
  return {
    isSelfDelimited: end !== "end",
    async read() {
      if (isReading) open.mistakes.push("two readings at a time");
      if (open.closed === "ended" || open.closed === "cut") open.mistakes.push(`read behind its end (${open.closed})`);
      isReading = true;
      const chunk = await next();
      isReading = false;
      return chunk;
    },
    cancel() {
      close("cancelled");
      cancelling.abort();
    },
  };
}

/** Resolves once it is so. */
function gone(signal: Gone): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined));
  });
}
