import type { Clock } from "../../../src/core/clock.ts";
import { BodyCut, type Delivery, type DeliveryEnd, type OpenResponse } from "../../../src/core/exchange.ts";
import type { GoneSignal } from "../../../src/engines/wire/gone-signal.ts";
import type { Draws } from "./draws.ts";
import type { Story } from "./soak-story.ts";

/** What the client has got in the end. */
export type Got = {
  readonly how: "complete" | "cut" | "left" | "reset" | "close";
  readonly status: number | undefined;
  readonly headers: OpenResponse["headers"];
  readonly bytes: Uint8Array;
  /** How long it has looked at pieces in all. */
  readonly pausedMs: number;
};

const NOTHING = { status: undefined, headers: [], bytes: new Uint8Array(), pausedMs: 0 } as const;

/** Takes a delivery as an engine does for its client, piece by piece, until it is over or the client has left. */
export async function taken(delivery: Delivery, story: Story, gone: GoneSignal, clock: Clock, draws: Draws): Promise<Got> {
  switch (delivery.kind) {
    case "reset":
    case "close":
      return { ...NOTHING, how: gone.aborted ? "left" : delivery.kind };
    case "hang":
      await left(gone);
      delivery.done();
      return { ...NOTHING, how: "left" };
    case "bytes":
      throw new Error("a fault towards the client");
    case "response":
      break;
  }
  const { response, done } = delivery;
  const { status, headers, body } = response;
  let pausedMs = 0;
  const got = (how: Got["how"], end: DeliveryEnd, bytes: Uint8Array): Got => {
    done(end);
    return { how, status, headers, bytes, pausedMs };
  };
  const isChunks = body !== null && !(body instanceof Uint8Array);
  if (gone.aborted) {
    if (isChunks) body.cancel();
    return got("left", "unsent", new Uint8Array());
  }
  if (!isChunks) return got("complete", "complete", body ?? new Uint8Array());
  const pieces: Uint8Array[] = [];
  const leaving = left(gone).then(() => "left" as const);
  const isLeft = async () => {
    // One engine tells it in the same moment, the other a moment later.
    if (story.isToldLater) await clock.sleep(0.1, NEVER);
    body.cancel();
    return got("left", "client_gone", Buffer.concat(pieces));
  };
  for (;;) {
    let chunk: Uint8Array | undefined | "left";
    try {
      chunk = await Promise.race([body.read(), leaving]);
    } catch (error) {
      if (gone.aborted) return isLeft();
      if (!(error instanceof BodyCut)) throw error;
      return got("cut", "cut", Buffer.concat(pieces));
    }
    if (chunk === "left" || gone.aborted) return isLeft();
    if (chunk === undefined) return got("complete", "complete", Buffer.concat(pieces));
    // The bytes may be used again.
    pieces.push(chunk.slice());
    if (story.pauseMs === 0) continue;
    const pauseMs = draws.between(0, story.pauseMs);
    pausedMs += pauseMs;
    await clock.sleep(pauseMs, gone);
  }
}

const NEVER = new AbortController().signal;

function left(gone: GoneSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) resolve();
    else gone.addEventListener("abort", resolve);
  });
}
