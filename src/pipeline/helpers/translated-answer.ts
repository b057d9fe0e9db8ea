import { type Body, BodyCut, type Identified, type OpenResponse } from "../../core/exchange.ts";
import { type HeaderList, headerValue, withHeader, withoutHeaders } from "../../core/headers.ts";
import { FRAME_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import { DIALECTS } from "../../dialects/index.ts";
import { type JsonObject, parseObject } from "../../dialects/shared.ts";
import { readError } from "../../translate/errors.ts";
import type { Translation } from "../../translate/translation.ts";
import { wholeAsStream } from "../../translate/whole-as-stream.ts";
import { chunksOf, discard, wholeOf } from "./bodies.ts";
import { dated } from "./dated.ts";
import { ownError } from "./own-error.ts";
import { translatedStream } from "./translated-stream.ts";

/** An answer for the client; `error` is why it is our own, where it is. */
export type Answered = { readonly response: OpenResponse; readonly error: string | undefined };

/** What an answer is translated for. */
export type AnswerTo = {
  /** The client's request. */
  readonly json: JsonObject;
  /** What of it was left out. */
  readonly dropped: readonly string[];
  /** Does it name the model that gave it, in place of the one asked for? */
  readonly namesAnswering: boolean;
  readonly exchange: Identified;
  readonly ports: Ports;
};

/** Each API's name in a sentence. */
export const TITLES = {
  chat: "Chat Completions",
  responses: "the Responses API",
  messages: "Anthropic Messages",
  gemini: "the Gemini API",
} as const;

export function asItCame(response: OpenResponse): Answered {
  return { response, error: undefined };
}

/** An error page is cut for people anyway. */
const ERROR_BYTES_MAX = 1024 * 1024;

/** What the target answered, in the client's dialect: whole, as a stream, or as an error. */
export async function translatedAnswer(response: OpenResponse, translation: Translation, to: AnswerTo): Promise<Answered> {
  const { exchange, ports } = to;
  const headers: HeaderList = [
    ...withoutHeaders(response.headers, OF_BODY),
    ...(to.dropped.length === 0 ? [] : [["x-faultproxy-dropped-parameters", droppedText(to.dropped)] as const]),
  ];
  // The client would go there itself, in its own dialect.
  if (response.status >= 300 && response.status < 400) return notTaken(response, redirectText(response), to);
  if (response.status >= 400) {
    const bytes = await wholeOf(response.body, ERROR_BYTES_MAX, exchange.clientGone).catch(cutIsUndefined);
    const text = textOf(bytes, response, ports) ?? "";
    if (isAboutCertificate(response.status, text)) {
      const said = readError(response.status, text).message;
      const message = `the backend wants a client certificate, or another one: it answered ${response.status} (${said}); see auth.cert_file and auth.key_file in its settings`;
      return ours("client_certificate", message, to);
    }
    return asItCame(jsonResponse(response.status, headers, translation.error(response.status, readError(response.status, text))));
  }
  const createdSeconds = Math.floor(ports.clock.wallMs() / 1_000);
  const context = { request: to.json, id: idOf(exchange), createdSeconds, namesAnswering: to.namesAnswering };
  const isStream = to.json.stream === true;
  const type = (headerValue(response.headers, "content-type") ?? "").toLowerCase();
  const framing = DIALECTS[translation.client].framing(exchange.path, exchange.query);
  const started = (body: Body): Answered =>
    asItCame({
      ...response,
      status: 200,
      reason: undefined,
      headers: [["content-type", framing.contentType], ["cache-control", "no-cache"], ...withoutHeaders(headers, CACHE)],
      body,
    });
  if (isStream && !/^application\/(?:[\w.-]+\+)?json\b|^text\/html\b/.test(type) && response.body !== null) {
    const coding = headerValue(response.headers, "content-encoding") ?? "identity";
    if (coding !== "identity") {
      return notTaken(response, `the backend answered with content-encoding ${coding}, though none was asked for`, to);
    }
    const from = DIALECTS[translation.target].framing(exchange.path, exchange.query);
    return started(translatedStream(chunksOf(response.body), translation.stream(context), from, framing, ports.clock));
  }

  const bytes = await wholeOf(response.body, FRAME_BYTES_MAX, exchange.clientGone).catch(cutIsUndefined);
  if (bytes === undefined) return unreadable(`the backend's answer was cut, or is larger than ${FRAME_BYTES_MAX / 1024 ** 2} MiB`, to);
  const json = parseObject(textOf(bytes, response, ports));
  if (json === undefined) {
    const answered = `the backend answered ${response.status} with ${what(response, bytes)}`;
    return unreadable(`${answered}, which is no answer of ${TITLES[translation.target]}`, to);
  }
  const whole = translation.whole(json, context);
  if (!isStream || whole.status !== 200) return asItCame(jsonResponse(whole.status, headers, whole.body));
  const stream = translation.stream(context);
  const payloads = [...wholeAsStream(translation.target, json).flatMap((payload) => stream.onPayload(payload)), ...stream.onEnd()];
  return started(Buffer.concat(payloads.map(({ event, data }, index) => framing.render(event, data, index))));
}

/** What was cut is no answer. */
function cutIsUndefined(error: unknown): undefined {
  if (!(error instanceof BodyCut)) throw error;
}

/** Never with a query, which may hold a key. */
function redirectText({ status, headers }: OpenResponse): string {
  const location = headerValue(headers, "location") ?? "";
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const place = url === undefined ? location.replace(/[?#].*$/s, "") : url.origin + url.pathname;
  const where = /^[!-~]+$/.test(place) ? ` to ${place}` : "";
  return `the backend answered ${status}, a redirect${where}, which is not followed: set its address to the right one`;
}

/** nginx asks for certificates with TLS and refuses them with HTTP, by pages that no API would send. */
function isAboutCertificate(status: number, text: string): boolean {
  return status === 400 && /<title>400 (?:The SSL certificate error|No required SSL certificate was sent)<\/title>/i.test(text);
}

/** Clients may name their parameters as they like; a header field has only some characters, and an end. */
function droppedText(names: readonly string[]): string {
  const text = names.map((name) => name.replace(/[^!#-+\--~]/g, "?")).join(", ");
  return text.length <= DROPPED_CHARACTERS_MAX ? text : `${text.slice(0, DROPPED_CHARACTERS_MAX)}...`;
}

const DROPPED_CHARACTERS_MAX = 1_000;

/** Fields about the bytes of a body that is written anew. */
const OF_BODY: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "content-encoding",
  "etag",
  "digest",
  "content-digest",
  "repr-digest",
  "content-md5",
]);
const CACHE: ReadonlySet<string> = new Set(["cache-control"]);

function what({ headers }: OpenResponse, bytes: Uint8Array): string {
  if (bytes.length === 0) return "an empty body";
  const type = (headerValue(headers, "content-type") ?? "").toLowerCase().replace(/;.*$/s, "");
  const coding = headerValue(headers, "content-encoding") ?? "identity";
  return `${type === "" ? "something" : type}${coding === "identity" ? "" : ` in content-encoding ${coding}`}`;
}

/** An answer that cannot be understood is no answer; what came is not shown to the client. */
function unreadable(message: string, to: AnswerTo): Answered {
  return ours("upstream_protocol", message, to);
}

/** The same for an answer whose body nobody has read. */
function notTaken(response: OpenResponse, message: string, to: AnswerTo): Answered {
  discard(response);
  return unreadable(message, to);
}

function ours(error: string, message: string, { exchange, ports }: AnswerTo): Answered {
  return { response: dated(ownError(exchange.errorsAs ?? exchange.provider, 502, error, message), ports.clock.wallMs()), error };
}

function textOf(bytes: Uint8Array | undefined, { headers }: OpenResponse, ports: Ports): string | undefined {
  const coding = headerValue(headers, "content-encoding") ?? "identity";
  const plain = bytes === undefined || coding === "identity" ? bytes : ports.withoutContentCoding(bytes, coding, FRAME_BYTES_MAX);
  return plain === undefined ? undefined : new TextDecoder().decode(plain);
}

export function jsonResponse(status: number, headers: HeaderList, json: JsonObject): OpenResponse {
  return {
    status,
    reason: undefined,
    headers: withHeader(headers, "content-type", "application/json"),
    body: new TextEncoder().encode(JSON.stringify(json)),
  };
}

function idOf({ id }: Identified): string {
  return `proxy${id.toString(36).padStart(19, "0")}`;
}
