import { type Body, BodyCut, type Chunks } from "../../core/exchange.ts";
import { chunk, LAST_CHUNK } from "./http1/writer.ts";
import { IncomingBody } from "./incoming-body.ts";
import type { Outgoing } from "./outgoing.ts";

/** How the bytes of a body are put on the wire. `as-received`: with the chunk framing they came in. */
export type BodyCoding = "as-received" | "payload" | "chunked";

export type BodyEnd = "complete" | BodyCut;

/** Writes a body as it comes; a receiver that does not keep up makes the sender wait. Ends once, unless the socket does before it. */
export function sendBody(out: Outgoing, body: Body, coding: BodyCoding, ended: (how: BodyEnd) => void): void {
  if (body === null) ended("complete");
  else if (body instanceof Uint8Array) {
    out.write(body);
    ended("complete");
  } else if (body instanceof IncomingBody && coding !== "chunked") pipe(out, body, coding, ended);
  else void copy(out, body, coding, ended);
}

function pipe(out: Outgoing, body: IncomingBody, coding: BodyCoding, ended: (how: BodyEnd) => void): void {
  body.pipe({
    data(data) {
      if (coding === "as-received") out.write(data.raw);
      else for (const part of data.payload) out.write(part);
      if (!out.isFull) return;
      body.hold();
      out.whenEmpty(() => body.release());
    },
    end(raw) {
      if (coding === "as-received") out.write(raw);
      ended("complete");
    },
    cut: ended,
  });
}

async function copy(out: Outgoing, body: Chunks, coding: BodyCoding, ended: (how: BodyEnd) => void): Promise<void> {
  try {
    for (;;) {
      const bytes = await body.read();
      if (bytes === undefined) break;
      if (bytes.length > 0) out.write(coding === "chunked" ? chunk(bytes) : bytes);
      if (out.isFull) await new Promise<void>((resolve) => out.whenEmpty(resolve));
    }
    if (coding === "chunked") out.write(LAST_CHUNK);
    ended("complete");
  } catch (error) {
    ended(error instanceof BodyCut ? error : new BodyCut("reset"));
  }
}
