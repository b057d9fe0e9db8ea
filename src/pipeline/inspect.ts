import type { Dialect } from "../core/dialect.ts";
import { type AtHand, BodyCut, type Identified, type OpenResponse } from "../core/exchange.ts";
import type { Failure, FailureClass } from "../core/failure.ts";
import type { Frame } from "../core/frame.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../core/headers.ts";
import { FRAME_BYTES_MAX } from "../core/limits.ts";
import type { Ports } from "../core/ports.ts";
import { WholeBody } from "../core/whole-body.ts";
import { DIALECTS, ERROR_MEMBER, toldAtEnd } from "../dialects/index.ts";
import { type JsonObject, parseObject } from "../dialects/shared.ts";
import { answeredModel, mayHoldUsage, usageOfUnknown } from "../dialects/usage.ts";
import { failureInAnswer, failureOfAnswer } from "../policy/classify.ts";
import { WHOLE } from "../stream/whole.ts";
import { chunksOf } from "./helpers/bodies.ts";
import { dated } from "./helpers/dated.ts";
import { type Governed, outcomeOf } from "./helpers/governed.ts";
import { ownError } from "./helpers/own-error.ts";
import { peeked } from "./helpers/peeked.ts";
import { textIn } from "./helpers/read-facts.ts";
import { streamFraming } from "./helpers/stream-framing.ts";
import { type StreamWatch, watchedStream } from "./helpers/watched-stream.ts";

/** An error answer is read so far to tell what it means; what follows goes on unread. */
const ERROR_BYTES_MAX = 1024 * 1024;

export type Inspected = {
  readonly response: OpenResponse;
  /** Undefined: it is an answer, or the beginning of one. */
  readonly failure: Failure | undefined;
  /** Why the response is our own: the target's was cut. */
  readonly error?: string;
};

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
      response: { ...response, headers: addedUsage ? withoutHeaders(headers, FRAMING) : headers, body: stream },
      failure: undefined,
    };
  }
  if (type !== "application/json" && !/json/i.test(type)) return succeeded(response, governed);
  const there = body instanceof Uint8Array ? body : body.atHand;
  if (there === undefined || there.length > FRAME_BYTES_MAX) return wholeLater(response, exchange, governed, ports);
  // Most answers come in one piece, which goes on as it came.
  return whole(response, there, true, exchange, governed, ports);
}

async function wholeLater(response: OpenResponse, exchange: Identified, governed: Governed, ports: Ports): Promise<Inspected> {
  const { body } = response;
  const isSelfDelimited = body !== null && !(body instanceof Uint8Array) && body.isSelfDelimited === true;
  const { answer, there } = await read(response, exchange, FRAME_BYTES_MAX);
  if (answer === undefined) return unusable(exchange, "upstream_closed_early", CUT, ports);
  return there === undefined ? succeeded(answer, governed) : whole(answer, there, isSelfDelimited, exchange, governed, ports);
}

/** A whole answer of JSON. */
function whole(
  answer: OpenResponse,
  there: Uint8Array | AtHand,
  isSelfDelimited: boolean,
  exchange: Identified,
  governed: Governed,
  ports: Ports,
): Inspected {
  const told = isSelfDelimited ? quicklyTold(answer, there, exchange) : undefined;
  if (told !== undefined) return noted(told, answer, exchange, governed);
  const text = textIn(there, answer.headers, FRAME_BYTES_MAX, ports);
  if (text === undefined) return succeeded(answer, governed);
  const maySayError = text.includes(ERROR_MEMBER);
  const isObjectOfDialect = exchange.dialect !== undefined && answer.status === 200 && text.trimStart().startsWith("{");
  const json = isObjectOfDialect || maySayError || mayHoldUsage(text) ? parseObject(text) : undefined;
  // Of a body that ends with its connection nothing else tells that it was cut.
  if (json === undefined) return isObjectOfDialect ? unusable(exchange, "upstream_protocol", BROKEN, ports) : succeeded(answer, governed);
  const failure = maySayError ? failureInAnswer(exchange.provider, answer.headers, text, ports.clock.wallMs()) : undefined;
  return failure === undefined ? noted(json, answer, exchange, governed) : { response: answer, failure };
}

/** What an answer says of itself, where that can be seen without reading all of it. */
function quicklyTold({ status, headers }: OpenResponse, there: Uint8Array | AtHand, { dialect }: Identified): JsonObject | undefined {
  if (status !== 200 || (dialect !== "chat" && dialect !== "messages")) return undefined;
  if ((headerValue(headers, "content-encoding") ?? "identity") !== "identity") return undefined;
  return toldAtEnd(
    there instanceof Uint8Array ? new WholeBody(Buffer.from(there.buffer, there.byteOffset, there.length), 0, there.length) : there,
  );
}

function noted(json: JsonObject, answer: OpenResponse, { dialect }: Identified, governed: Governed): Inspected {
  const { observed } = governed;
  observed.usage = dialect === undefined ? usageOfUnknown(json, undefined) : DIALECTS[dialect].usage(json, undefined);
  observed.answeredModel = answeredModel(json);
  return succeeded(answer, governed);
}

const CUT = "the upstream closed the connection in the middle of its answer";
const BROKEN = "the upstream's answer begins as JSON and is none";

function succeeded(response: OpenResponse, governed: Governed): Inspected {
  governed.settle("success");
  return { response, failure: undefined };
}

/** Nothing of it has gone to the client: it gets an error that it can read. */
function unusable({ provider }: Identified, reason: string, message: string, ports: Ports): Inspected {
  const response = ownError(provider, 502, reason, message);
  return {
    response: dated(response, ports.clock.wallMs()),
    failure: { class: "degraded", isSilent: false, retryAfterMs: undefined },
    error: reason,
  };
}

async function failed(response: OpenResponse, exchange: Identified, ports: Ports): Promise<Inspected> {
  const { status, headers } = response;
  const { answer, there } = await read(response, exchange, ERROR_BYTES_MAX);
  const text = there === undefined ? undefined : textIn(there, headers, ERROR_BYTES_MAX, ports);
  const failure = failureOfAnswer(exchange.provider, { status, headers, body: text ?? "" }, ports.clock.wallMs());
  return { response: answer ?? { ...response, body: null, headers: withoutHeaders(headers, FRAMING) }, failure };
}

const FRAMING: ReadonlySet<string> = new Set(["content-length", "content-encoding"]);

/** The answer, of which as much has been read as there is; `there` where that is all of it. No answer where it was cut. */
type Read = { readonly answer: OpenResponse | undefined; readonly there: Uint8Array | AtHand | undefined };

async function read(response: OpenResponse, { clientGone }: Identified, bytesMax: number): Promise<Read> {
  try {
    const found = await peeked(response.body, bytesMax, clientGone);
    if (found.kind === "larger") return { answer: { ...response, body: found.body }, there: undefined };
    return { answer: { ...response, body: response.body === null ? null : found.bytes }, there: found.bytes };
  } catch (error) {
    if (error instanceof BodyCut) return { answer: undefined, there: undefined };
    throw error;
  }
}

/** Notes what a stream brings, and tells the circuit how it does. */
function watchOf(
  headers: HeaderList,
  dialect: Dialect,
  exchange: Identified,
  addedUsage: boolean,
  governed: Governed,
  ports: Ports,
): StreamWatch {
  const { observed } = governed;
  const withoutUsage = addedUsage ? dialect.withoutUsage() : undefined;
  let hasContent = false;
  let isComplete = false;
  let failure: FailureClass | undefined;

  const fail = (found: FailureClass) => {
    if (failure !== undefined) return;
    failure = found;
    observed.failure = found;
    governed.settle(outcomeOf(found));
  };
  const readJson = (data: string) => {
    const json = parseObject(data);
    if (json === undefined) return;
    observed.usage = dialect.usage(json, observed.usage);
    observed.answeredModel ??= answeredModel(json);
  };
  const onFrame = (frame: Frame): string | undefined => {
    const { data = "" } = frame;
    if (!hasContent && dialect.isContent(frame)) {
      hasContent = true;
      observed.firstTokenMs = ports.clock.monotonicMs() - exchange.receivedMonotonicMs;
      if (observed.answeredModel === undefined) readJson(data);
      governed.settle("success");
    }
    if (mayHoldUsage(data)) readJson(data);
    // A finish is a complete answer, also where the terminator never comes.
    isComplete ||= dialect.isTerminal(frame) || FINISHED.test(data);
    if (data.includes(ERROR_MEMBER)) {
      const found = failureInAnswer(exchange.provider, headers, data, ports.clock.wallMs());
      if (found !== undefined) fail(found.class);
    }
    return withoutUsage === undefined ? data : withoutUsage(data);
  };
  const onEnd = (how: "ended" | "cut" | "left") => {
    if (how === "left") return;
    if (!isComplete) fail("degraded");
    else if (!hasContent) governed.settle("success");
  };
  return { onFrame, onEnd };
}

const FINISHED = /"finish_reason"\s*:\s*"/;
