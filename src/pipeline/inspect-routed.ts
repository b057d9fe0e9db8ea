import type { DialectName } from "../core/dialect.ts";
import type { Identified, OpenResponse } from "../core/exchange.ts";
import type { Framing } from "../core/frame.ts";
import { headerValue, withoutHeaders } from "../core/headers.ts";
import { FRAME_BYTES_MAX } from "../core/limits.ts";
import type { Ports } from "../core/ports.ts";
import type { Route, RouteTarget } from "../core/route.ts";
import type { BreakerOutcome } from "../core/state-store.ts";
import { WholeBody } from "../core/whole-body.ts";
import { DIALECTS } from "../dialects/index.ts";
import { statusOfStreamError } from "../policy/classify.ts";
import { RESCUES_BY_DIALECT } from "../rescue/index.ts";
import { WHOLE } from "../stream/whole.ts";
import { watchOf } from "./helpers/answer-watch.ts";
import { chunksOf, discard } from "./helpers/bodies.ts";
import type { Governed, Told } from "./helpers/governed.ts";
import { GuardedStream, type StreamFailure } from "./helpers/guarded-stream.ts";
import { patientBody } from "./helpers/patient-body.ts";
import { FRAMING_FIELDS, mediaTypeOf, streamFraming } from "./helpers/stream-framing.ts";
import { failed, type Inspected, succeeded, unusable, whole, wholeLater } from "./helpers/whole-answer.ts";

export type InspectingRouted = {
  /** As the target was asked. */
  readonly exchange: Identified;
  readonly addedUsage: boolean;
  readonly governed: Governed;
  readonly route: Route;
  readonly target: RouteTarget;
  /** Did the client ask for a stream? Undefined: nobody knows. */
  readonly isStream: boolean | undefined;
  /** Is an answer that came whole made a stream on its way to the client? */
  readonly isTranslated: boolean;
  /** When the target was asked, and when the search for one ends; monotonic. */
  readonly askedMs: number;
  readonly searchDueMs: number;
};

/**
 * What the answer of a route's target means, known before anything of it goes on: a stream is read up to its first output, any other answer to
 * its end, and what is neither an answer nor an error of the API is a failure too.
 */
export async function inspectRouted(response: OpenResponse, doing: InspectingRouted, ports: Ports): Promise<Inspected> {
  const { governed } = doing;
  // One answer counts once: a failure is told by whoever asks again, and a success when it is one.
  let told: BreakerOutcome | undefined;
  let isLetGo = false;
  const settle = (outcome: BreakerOutcome) => {
    if (isLetGo) governed.settle(outcome);
    else told = outcome;
  };
  const inspected = await looked(response, { observed: governed.observed, settle }, doing, ports);
  isLetGo = true;
  if (inspected.failure === undefined && told !== undefined) governed.settle(told);
  return inspected;
}

async function looked(response: OpenResponse, governed: Told, doing: InspectingRouted, ports: Ports): Promise<Inspected> {
  const { exchange, target, isStream, isTranslated, searchDueMs } = doing;
  const { status, body, headers } = response;
  const inTime = (idleMs: number, dueMs: number) =>
    body === null || body instanceof Uint8Array ? body : patientBody(body, idleMs, dueMs, ports.clock, exchange.clientGone);
  if (status >= 400) {
    // What it is is known; what it says is not waited for.
    const dueMs = Math.min(searchDueMs, ports.clock.monotonicMs() + ERROR_BODY_MS_MAX);
    return failed({ ...response, body: inTime(target.idleMs, dueMs) }, exchange, ports);
  }
  const unfit = (what: string) => {
    discard(response);
    return unusable(exchange, "upstream_protocol", `the upstream answered ${status} with ${what}, which is no answer of its API`, ports);
  };
  if (status >= 300) return unfit("a redirect");
  if (body === null) return unfit("no content");
  const type = mediaTypeOf(response);
  const framing = streamFraming(response, exchange);
  if (exchange.dialect !== undefined && framing !== undefined && framing !== WHOLE) {
    if (isStream === false) return unfit("a stream that was not asked for");
    return guarded(response, framing, exchange.dialect, governed, doing, ports);
  }
  if (/\bhtml\b/.test(type)) return unfit(type);
  if (!/json/.test(type)) {
    // Sound, pictures, streams of other APIs: nobody here knows what they should be.
    if (exchange.dialect === undefined) return succeeded({ ...response, body: inTime(target.idleMs, Number.POSITIVE_INFINITY) }, governed);
    return unfit(type === "" ? "no content type" : type);
  }
  const there = body instanceof Uint8Array ? body : body.atHand;
  const isThere = there !== undefined && there.length <= FRAME_BYTES_MAX;
  const inspected = isThere
    ? whole(response, there, true, exchange, governed, ports)
    : await wholeLater({ ...response, body: inTime(target.idleMs, searchDueMs) }, exchange, governed, ports);
  if (inspected.failure !== undefined) return asHttp(inspected);
  if (exchange.dialect === undefined) return inspected;
  // Of an error nothing else is said; any other answer that is no stream is none for whoever reads a stream.
  if (isStream === true && !isTranslated) return unfit(`${type} in the place of a stream`);
  if ((headerValue(headers, "content-encoding") ?? "identity") !== "identity") return inspected;
  return isAnswer(inspected.response, exchange.dialect) ? inspected : unfit("JSON that is no answer");
}

/** Who has said that it fails may take so long to say why. */
const ERROR_BODY_MS_MAX = 5_000;

async function guarded(
  response: OpenResponse,
  framing: Framing,
  dialect: DialectName,
  governed: Told,
  { exchange, addedUsage, route, target, askedMs, searchDueMs }: InspectingRouted,
  ports: Ports,
): Promise<Inspected> {
  const { headers, body } = response;
  if (body === null) throw new Error("a stream without a body");
  const watch = watchOf(headers, DIALECTS[dialect], exchange, addedUsage, governed, ports);
  const stream = new GuardedStream(chunksOf(body), {
    framing,
    dialect: DIALECTS[dialect],
    rescue: RESCUES_BY_DIALECT[dialect],
    watch,
    hold: route.hold,
    isBuffered: route.isBuffered,
    firstTokenDueMs: target.firstTokenMs === 0 ? Number.POSITIVE_INFINITY : askedMs + target.firstTokenMs,
    searchDueMs,
    idleMs: target.idleMs,
    clock: ports.clock,
    gone: exchange.clientGone,
  });
  const failure = await stream.begin();
  if (failure === undefined)
    return { response: { ...response, headers: withoutHeaders(headers, FRAMING_FIELDS), body: stream }, failure: undefined };
  return inHttp(failure, response, exchange, ports);
}

/** What a stream's failure would have been as an answer of its own. */
function inHttp(
  { failure, reason, message, payload }: StreamFailure,
  { headers }: OpenResponse,
  exchange: Identified,
  ports: Ports,
): Inspected {
  const status = payload === undefined ? undefined : statusOfStreamError(payload.data);
  if (payload === undefined || status === undefined) return unusable(exchange, reason, message, ports, failure);
  const body = new TextEncoder().encode(payload.data);
  return {
    response: { status, reason: undefined, headers: [...withoutHeaders(headers, OF_STREAM), ["content-type", "application/json"]], body },
    failure,
  };
}

const OF_STREAM: ReadonlySet<string> = new Set([...FRAMING_FIELDS, "content-type", "cache-control"]);

/** An error that came with 200. */
function asHttp(inspected: Inspected): Inspected {
  const { response } = inspected;
  const text = response.status === 200 ? textOf(response) : undefined;
  const status = text === undefined ? undefined : statusOfStreamError(text);
  return status === undefined ? inspected : { ...inspected, response: { ...response, status } };
}

function textOf({ body }: OpenResponse): string | undefined {
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  return body?.atHand?.text();
}

/** The member that every answer of the dialect has. */
const MEMBERS: Readonly<Record<DialectName, readonly [Uint8Array, ...Uint8Array[]]>> = {
  chat: [memberOf("choices")],
  messages: [memberOf("content")],
  responses: [memberOf("output")],
  gemini: [memberOf("candidates"), memberOf("promptFeedback")],
};

function memberOf(name: string): Uint8Array {
  return new TextEncoder().encode(`"${name}"`);
}

/** White space before an answer is short. */
const BEGINNING_BYTES = 1_024;

/** A body of more than anybody looks at is taken for one. */
function isAnswer({ body }: OpenResponse, dialect: DialectName): boolean {
  if (body === null) return false;
  const there =
    body instanceof Uint8Array ? new WholeBody(Buffer.from(body.buffer, body.byteOffset, body.length), 0, body.length) : body.atHand;
  if (there === undefined) return true;
  const isObject = there.latin1(0, Math.min(there.length, BEGINNING_BYTES)).trimStart().startsWith("{");
  return isObject && MEMBERS[dialect].some((member) => there.has(member));
}
