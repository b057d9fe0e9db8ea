import type { Skipped } from "../core/event.ts";
import type { Identified, OpenResponse } from "../core/exchange.ts";
import type { Framing } from "../core/frame.ts";
import { headerValue, withoutHeaders } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import { WHOLE } from "../stream/whole.ts";
import { chunksOf } from "./helpers/bodies.ts";
import { AS_CHUNKS, faultedBody } from "./helpers/frame-fault.ts";
import { mediaTypeOf, streamFraming } from "./helpers/stream-framing.ts";
import type { Planned } from "./planned.ts";

const CONTENT_LENGTH: ReadonlySet<string> = new Set(["content-length"]);

export type WithBodyFaults = {
  readonly response: OpenResponse;
  /** Faults that could not act on this answer, each with the reason, as known by now. */
  readonly skipped: () => readonly Skipped[];
};

const nothingSkipped = (): readonly Skipped[] => [];

/** Must the target answer without content coding, because a fault looks at what the bytes say? */
export function needsPlainAnswer(faults: readonly Planned[]): boolean {
  return faults.some(({ fault }) => fault.acts === "body" && fault.over !== "chunks");
}

/** Puts the planned body faults around the answer's body: first those over frames, then those over whatever came out. */
export function withBodyFaults(response: OpenResponse, faults: readonly Planned[], exchange: Identified, ports: Ports): WithBodyFaults {
  if (faults.length === 0) return { response, skipped: nothingSkipped };
  const impossible: Skipped[] = [];
  const waiting: (() => readonly Skipped[])[] = [];
  let { body, headers } = response;
  for (const over of ["frames", "answer", "chunks"] as const) {
    const group = faults.flatMap(({ fault, context }) => (fault.acts === "body" && fault.over === over ? [{ fault, context }] : []));
    if (group.length === 0) continue;
    const framing = over === "chunks" ? AS_CHUNKS : framingOf(response, exchange, over);
    if (typeof framing === "string" || body === null) {
      const reason = typeof framing === "string" ? framing : "the answer has no body";
      impossible.push(...group.map(({ fault }) => ({ fault: fault.name, reason })));
      continue;
    }
    const running = group.map(({ fault, context }) => fault.start(context, framing));
    const faulted = faultedBody(chunksOf(body), framing, running, ports.clock, exchange.clientGone);
    body = faulted.body;
    waiting.push(() =>
      group.filter((_, index) => !faulted.hasActed(index)).map(({ fault }) => ({ fault: fault.name, reason: "its place never came" })),
    );
    if (over !== "chunks") headers = withoutHeaders(headers, CONTENT_LENGTH);
  }
  return { response: { ...response, headers, body }, skipped: () => [...impossible, ...waiting.flatMap((skipped) => skipped())] };
}

/** The framing of an answer whose frames can be worked on, or why there is none. */
function framingOf(response: OpenResponse, exchange: Identified, over: "frames" | "answer"): Framing | string {
  if (response.status !== 200 || exchange.dialect === undefined) return `the target answered ${response.status}`;
  const coding = headerValue(response.headers, "content-encoding") ?? "identity";
  if (coding !== "identity") return `the target answered with content-encoding ${coding}`;
  const framing = streamFraming(response, exchange);
  if (framing !== undefined) return framing;
  return over === "answer" ? WHOLE : `the target answered with ${mediaTypeOf(response) || "no content type"}, not a stream`;
}
