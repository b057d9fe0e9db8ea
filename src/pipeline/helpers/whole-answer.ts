import { type AtHand, BodyCut, type Identified, type OpenResponse } from "../../core/exchange.ts";
import { BROKEN, type Failure, SILENT } from "../../core/failure.ts";
import { headerValue, withoutHeaders } from "../../core/headers.ts";
import { FRAME_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import { WholeBody } from "../../core/whole-body.ts";
import { DIALECTS, ERROR_MEMBER, toldAtEnd } from "../../dialects/index.ts";
import { type JsonObject, parseObject } from "../../dialects/shared.ts";
import { answeredModel, mayHoldUsage, usageOfUnknown } from "../../dialects/usage.ts";
import { failureInAnswer, failureOfAnswer } from "../../policy/classify.ts";
import { TooSlow } from "./alarm.ts";
import { dated } from "./dated.ts";
import type { Told } from "./governed.ts";
import { ownError } from "./own-error.ts";
import { peeked } from "./peeked.ts";
import { textIn } from "./read-facts.ts";
import { FRAMING_FIELDS } from "./stream-framing.ts";

/** An error answer is read so far to tell what it means; what follows goes on unread. */
const ERROR_BYTES_MAX = 1024 * 1024;

export type Inspected = {
  readonly response: OpenResponse;
  /** Undefined: it is an answer, or the beginning of one. */
  readonly failure: Failure | undefined;
  /** Why the response is our own: the target's was cut. */
  readonly error?: string;
};

export async function wholeLater(response: OpenResponse, exchange: Identified, governed: Told, ports: Ports): Promise<Inspected> {
  const { body } = response;
  const isSelfDelimited = body !== null && !(body instanceof Uint8Array) && body.isSelfDelimited === true;
  const { answer, there, isSlow } = await read(response, exchange, FRAME_BYTES_MAX);
  if (answer === undefined && isSlow === true) return unusable(exchange, "upstream_timeout", STALLED, ports, SILENT);
  if (answer === undefined) return unusable(exchange, "upstream_closed_early", CUT, ports);
  return there === undefined ? succeeded(answer, governed) : whole(answer, there, isSelfDelimited, exchange, governed, ports);
}

/** A whole answer of JSON. */
export function whole(
  answer: OpenResponse,
  there: Uint8Array | AtHand,
  isSelfDelimited: boolean,
  exchange: Identified,
  governed: Told,
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
  if (json === undefined) return isObjectOfDialect ? unusable(exchange, "upstream_protocol", NO_JSON, ports) : succeeded(answer, governed);
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

function noted(json: JsonObject, answer: OpenResponse, { dialect }: Identified, governed: Told): Inspected {
  const { observed } = governed;
  observed.usage = dialect === undefined ? usageOfUnknown(json, undefined) : DIALECTS[dialect].usage(json, undefined);
  observed.answeredModel = answeredModel(json);
  return succeeded(answer, governed);
}

const CUT = "the upstream closed the connection in the middle of its answer";
const STALLED = "the upstream's answer stands still (idle_timeout of the route's target, or the time of the whole search)";
const NO_JSON = "the upstream's answer begins as JSON and is none";

export function succeeded(response: OpenResponse, governed: Told): Inspected {
  governed.settle("success");
  return { response, failure: undefined };
}

/** Nothing of it has gone to the client: it gets an error that it can read. */
export function unusable(
  { provider, errorsAs }: Identified,
  reason: string,
  message: string,
  ports: Ports,
  failure: Failure = BROKEN,
): Inspected {
  const response = ownError(errorsAs ?? provider, failure.isSilent ? 504 : 502, reason, message);
  return { response: dated(response, ports.clock.wallMs()), failure, error: reason };
}

export async function failed(response: OpenResponse, exchange: Identified, ports: Ports): Promise<Inspected> {
  const { status, headers } = response;
  const { answer, there } = await read(response, exchange, ERROR_BYTES_MAX);
  const text = there === undefined ? undefined : textIn(there, headers, ERROR_BYTES_MAX, ports);
  const failure = failureOfAnswer(exchange.provider, { status, headers, body: text ?? "" }, ports.clock.wallMs());
  return { response: answer ?? { ...response, body: null, headers: withoutHeaders(headers, FRAMING_FIELDS) }, failure };
}

/** The answer, of which as much has been read as there is; `there` where that is all of it. No answer where it was cut. */
type Read = {
  readonly answer: OpenResponse | undefined;
  readonly there: Uint8Array | AtHand | undefined;
  /** Its rest did not come in time. */
  readonly isSlow?: boolean;
};

async function read(response: OpenResponse, { clientGone }: Identified, bytesMax: number): Promise<Read> {
  try {
    const found = await peeked(response.body, bytesMax, clientGone);
    if (found.kind === "larger") return { answer: { ...response, body: found.body }, there: undefined };
    return { answer: { ...response, body: response.body === null ? null : found.bytes }, there: found.bytes };
  } catch (error) {
    if (error instanceof BodyCut) return { answer: undefined, there: undefined, isSlow: error instanceof TooSlow };
    throw error;
  }
}
