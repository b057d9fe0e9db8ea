import type { Identified, OpenResponse } from "../core/exchange.ts";
import { headerValue, withoutHeaders } from "../core/headers.ts";
import { FRAME_BYTES_MAX } from "../core/limits.ts";
import type { Ports } from "../core/ports.ts";
import { DIALECTS } from "../dialects/index.ts";
import { WHOLE } from "../stream/whole.ts";
import { watchOf } from "./helpers/answer-watch.ts";
import { chunksOf } from "./helpers/bodies.ts";
import type { Governed } from "./helpers/governed.ts";
import { FRAMING_FIELDS, streamFraming } from "./helpers/stream-framing.ts";
import { watchedStream } from "./helpers/watched-stream.ts";
import { failed, type Inspected, succeeded, whole, wholeLater } from "./helpers/whole-answer.ts";

/**
 * What the target's answer means, whole or as a stream. An error inside a 200 is what its HTTP form would be. Of a stream only what comes
 * later tells that; the circuit hears of it then. `addedUsage`: the stream was asked for its usage for our sake alone.
 */
export function inspect(
  response: OpenResponse,
  exchange: Identified,
  addedUsage: boolean,
  governed: Governed,
  ports: Ports,
): Inspected | Promise<Inspected> {
  const { status, headers, body } = response;
  if (status >= 400) return failed(response, exchange, ports);
  if (body === null || response.tunnel !== undefined) return succeeded(response, governed);
  const type = headerValue(headers, "content-type") ?? "";
  // Most whole answers. Gemini has streams of this type too.
  const framing = type === "application/json" && exchange.dialect !== "gemini" ? undefined : streamFraming(response, exchange);
  if (framing !== undefined && framing !== WHOLE && exchange.dialect !== undefined) {
    const watch = watchOf(headers, DIALECTS[exchange.dialect], exchange, addedUsage, governed, ports);
    const stream = watchedStream(chunksOf(body), framing, watch, addedUsage);
    return {
      response: { ...response, headers: addedUsage ? withoutHeaders(headers, FRAMING_FIELDS) : headers, body: stream },
      failure: undefined,
    };
  }
  if (type !== "application/json" && !/json/i.test(type)) return succeeded(response, governed);
  const there = body instanceof Uint8Array ? body : body.atHand;
  if (there === undefined || there.length > FRAME_BYTES_MAX) return wholeLater(response, exchange, governed, ports);
  // Most answers come in one piece, which goes on as it came.
  return whole(response, there, true, exchange, governed, ports);
}
