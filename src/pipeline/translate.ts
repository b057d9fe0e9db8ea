import { type Body, BodyCut, type Identified, type OpenResponse, type RequestBody, type RequestFacts } from "../core/exchange.ts";
import { type HeaderList, headerValue, withHeader, withoutHeaders } from "../core/headers.ts";
import { FRAME_BYTES_MAX, TRANSLATED_BODY_BYTES_MAX } from "../core/limits.ts";
import type { Adaptation, Ports } from "../core/ports.ts";
import { DIALECTS } from "../dialects/index.ts";
import { isObject, type JsonObject, parseObject } from "../dialects/shared.ts";
import { translatedPath } from "../translate/endpoints.ts";
import { type ErrorFacts, readError } from "../translate/errors.ts";
import { translationBetween } from "../translate/index.ts";
import type { RequestMistake, Translation } from "../translate/translation.ts";
import { wholeAsStream } from "../translate/whole-as-stream.ts";
import { adaptedBody, adaptedHeaders, withModel } from "./helpers/adapted-request.ts";
import { chunksOf, wholeOf } from "./helpers/bodies.ts";
import { dated } from "./helpers/dated.ts";
import { ownError } from "./helpers/own-error.ts";
import { plainBody } from "./helpers/read-facts.ts";
import { translatedStream } from "./helpers/translated-stream.ts";

/** An exchange as its target sees it. */
export type TargetSide = {
  readonly exchange: Identified;
  readonly facts: RequestFacts;
  /** What the target answered, as the client is to get it. */
  readonly toClient: (response: OpenResponse) => Answered | Promise<Answered>;
};

/** An answer for the client; `error` is why it is our own, where it is. */
export type Answered = { readonly response: OpenResponse; readonly error: string | undefined };

/** A request that goes to no target; the answer is our own. */
export type Refused = { readonly refusal: OpenResponse; readonly error: string };

/** What the target is said to need of this exchange; undefined where it goes on as it came. */
export function adaptationOf({ provider, kind, dialect }: Identified, ports: Ports): Adaptation | undefined {
  const target = ports.targets[provider];
  return target.kind === "missing" || kind !== "inference" || dialect === undefined ? undefined : target.adaptation;
}

/** Makes the request what its target is to get: translated where it speaks another dialect, with what the settings put into it. */
export async function targetSide(
  exchange: Identified,
  adaptation: Adaptation,
  clientFacts: RequestFacts,
  ports: Ports,
): Promise<TargetSide | Refused> {
  const client = exchange.dialect;
  const target = adaptation.dialect ?? client;
  if (client === undefined || target === undefined) return untranslated(exchange, clientFacts);
  const translation = client === target ? undefined : translationBetween(client, target);
  if (translation === undefined && client !== target) {
    const message = `the target speaks ${TITLES[target]}, and requests in ${TITLES[client]} cannot be translated to it`;
    return refused(exchange, 501, "translation_unsupported", message, ports);
  }
  const changesBody = translation !== undefined || adaptation.model !== undefined || Object.keys(adaptation.extraBody).length > 0;
  if (!changesBody) {
    return untranslated({ ...exchange, headers: adaptedHeaders(exchange.headers, adaptation.extraHeaders) }, clientFacts);
  }

  const bytes = await plainBody(exchange, TRANSLATED_BODY_BYTES_MAX, ports);
  if (bytes === undefined) {
    const message = `the request body is larger than ${TRANSLATED_BODY_BYTES_MAX / 1024 ** 2} MiB, or its content coding is broken; such a body is not translated`;
    return refused(exchange, 413, "request_too_large", message, ports);
  }
  const json = parseObject(new TextDecoder().decode(bytes));
  if (json === undefined) return mistaken(exchange, translation, NOT_JSON, ports);
  // A translation may depend on the model that the target is asked for.
  const translated =
    translation?.request(withModel(json, adaptation), adaptation) ?? ({ kind: "request", body: json, dropped: [] } as const);
  if (translated.kind === "mistake") return mistaken(exchange, translation, translated, ports);
  if (adaptation.strict && translated.dropped.length > 0) {
    return mistaken(exchange, translation, inexpressible(translated.dropped, TITLES[target]), ports);
  }

  const body = new TextEncoder().encode(JSON.stringify(adaptedBody(translated.body, json.model, adaptation)));
  const path = translation === undefined ? exchange.path : translatedPath(exchange.path, client, target);
  // What stands in the query of one dialect means nothing in another, but for OpenAI's two, which share their hosts.
  const query = translation === undefined || client !== "messages" ? exchange.query : "";
  const own = translation?.headers(exchange.headers) ?? exchange.headers;
  const seen: Identified = {
    ...exchange,
    dialect: target,
    path,
    query,
    upstreamTarget: query === "" ? path : `${path}?${query}`,
    headers: jsonHeaders(adaptedHeaders(own, adaptation.extraHeaders), body.length),
    body: bodyOf(body),
  };
  const facts = DIALECTS[target].facts(path, query, parseObject(new TextDecoder().decode(body)));
  const answerTo = { json, dropped: translated.dropped, exchange, adaptation, ports };
  return {
    exchange: seen,
    facts: { ...facts, model: facts.model ?? clientFacts.model },
    toClient: translation === undefined ? asItCame : (response) => toClient(response, translation, answerTo),
  };
}

const TITLES = {
  chat: "Chat Completions",
  responses: "the Responses API",
  messages: "Anthropic Messages",
  gemini: "the Gemini API",
} as const;

function untranslated(exchange: Identified, facts: RequestFacts): TargetSide {
  return { exchange, facts, toClient: asItCame };
}

function asItCame(response: OpenResponse): Answered {
  return { response, error: undefined };
}

function bodyOf(bytes: Uint8Array): RequestBody {
  return {
    lengthBytes: bytes.length,
    whole: async (bytesMax) => (bytes.length <= bytesMax ? bytes : undefined),
    forward: () => bytes,
  };
}

/** The body has been written anew: as JSON, without a coding, of this length. The answer must be readable too. */
function jsonHeaders(headers: HeaderList, lengthBytes: number): HeaderList {
  return [
    ...withoutHeaders(headers, REWRITTEN),
    ["Content-Type", "application/json"],
    ["Content-Length", String(lengthBytes)],
    ["Accept-Encoding", "identity"],
  ];
}

const REWRITTEN: ReadonlySet<string> = new Set(["content-type", "content-length", "content-encoding", "accept-encoding", "digest"]);

// ---- refusals ----

/** OpenAI's own sentence. */
const NOT_JSON: RequestMistake = {
  kind: "mistake",
  status: 400,
  message:
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The request body should be a JSON payload, but what was sent was not valid JSON.)",
  param: null,
  code: null,
};

function inexpressible(dropped: readonly string[], title: string): RequestMistake {
  return {
    kind: "mistake",
    status: 400,
    message: `The target speaks ${title}, which has nothing for: ${dropped.join(", ")}. Leave it out, or set strict = false to have it left out for you.`,
    param: dropped[0] ?? null,
    code: "unsupported_parameter",
  };
}

/** A request that is wrong in its own dialect, in that dialect's shape. */
function mistaken(
  exchange: Identified,
  translation: Translation | undefined,
  { status, message, code, param }: RequestMistake,
  ports: Ports,
): Refused {
  if (translation === undefined) return refused(exchange, status, "invalid_request", message, ports);
  const facts: ErrorFacts = { message, type: "invalid_request_error", code, param };
  const response = jsonResponse(status, [["x-faultproxy-error", "invalid_request"]], translation.error(status, facts));
  return { refusal: dated(response, ports.clock.wallMs()), error: "invalid_request" };
}

function refused({ provider }: Identified, status: number, reason: string, message: string, ports: Ports): Refused {
  return { refusal: dated(ownError(provider, status, reason, message), ports.clock.wallMs()), error: reason };
}

// ---- answers ----

/** What an answer is translated for. */
type AnswerTo = {
  readonly json: JsonObject;
  readonly dropped: readonly string[];
  readonly exchange: Identified;
  readonly adaptation: Adaptation;
  readonly ports: Ports;
};

/** An error page is cut for people anyway. */
const ERROR_BYTES_MAX = 1024 * 1024;

async function toClient(response: OpenResponse, translation: Translation, to: AnswerTo): Promise<Answered> {
  const { exchange, ports } = to;
  const headers: HeaderList = [
    ...withoutHeaders(response.headers, OF_BODY),
    ...(to.dropped.length === 0 ? [] : [["x-faultproxy-dropped-parameters", droppedText(to.dropped)] as const]),
  ];
  if (response.status >= 300 && response.status < 400) return asItCame(response);
  if (response.status >= 400) {
    const bytes = await wholeOf(response.body, ERROR_BYTES_MAX).catch(cutIsEmpty);
    const text = textOf(bytes, response, ports) ?? "";
    if (isAboutCertificate(response.status, text)) {
      const said = readError(response.status, text).message;
      const message = `the backend wants a client certificate, or another one: it answered ${response.status} (${said}); see auth.cert_file and auth.key_file in its settings`;
      return ours("client_certificate", message, to);
    }
    return asItCame(jsonResponse(response.status, headers, translation.error(response.status, readError(response.status, text))));
  }
  const context = { request: to.json, id: idOf(exchange), createdSeconds: Math.floor(ports.clock.wallMs() / 1_000) };
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
  if (isStream && !/^application\/json\b|^text\/html\b/.test(type) && response.body !== null) {
    const coding = headerValue(response.headers, "content-encoding") ?? "identity";
    if (coding !== "identity") return unreadable(`the backend answered with content-encoding ${coding}, though none was asked for`, to);
    const from = DIALECTS[translation.target].framing(exchange.path, exchange.query);
    return started(translatedStream(chunksOf(response.body), translation.stream(context), from, framing, ports.clock));
  }

  const bytes = await wholeOf(response.body, FRAME_BYTES_MAX).catch(cutIsEmpty);
  const json = parseObject(textOf(bytes, response, ports));
  if (!isObject(json))
    return unreadable(
      `the backend answered ${response.status} with ${what(type, bytes)}, which is no answer of ${TITLES[translation.target]}`,
      to,
    );
  const whole = translation.whole(json, context);
  if (!isStream || whole.status !== 200) return asItCame(jsonResponse(whole.status, headers, whole.body));
  const stream = translation.stream(context);
  const payloads = [...wholeAsStream(translation.target, json).flatMap((payload) => stream.onPayload(payload)), ...stream.onEnd()];
  return started(Buffer.concat(payloads.map(({ event, data }, index) => framing.render(event, data, index))));
}

/** What was cut is no answer. */
function cutIsEmpty(error: unknown): Uint8Array {
  if (error instanceof BodyCut) return new Uint8Array();
  throw error;
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
const OF_BODY: ReadonlySet<string> = new Set(["content-type", "content-length", "content-encoding", "etag", "digest", "content-md5"]);
const CACHE: ReadonlySet<string> = new Set(["cache-control"]);

function what(type: string, bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return `more than ${FRAME_BYTES_MAX / 1024 ** 2} MiB`;
  if (bytes.length === 0) return "an empty body";
  return type === "" ? "something" : type.replace(/;.*$/, "");
}

/** An answer that cannot be understood is no answer; what came is not shown to the client. */
function unreadable(message: string, to: AnswerTo): Answered {
  return ours("upstream_protocol", message, to);
}

function ours(error: string, message: string, { exchange, ports }: AnswerTo): Answered {
  return { response: dated(ownError(exchange.provider, 502, error, message), ports.clock.wallMs()), error };
}

function textOf(bytes: Uint8Array | undefined, { headers }: OpenResponse, ports: Ports): string | undefined {
  const coding = headerValue(headers, "content-encoding") ?? "identity";
  const plain = bytes === undefined || coding === "identity" ? bytes : ports.withoutContentCoding(bytes, coding, FRAME_BYTES_MAX);
  return plain === undefined ? undefined : new TextDecoder().decode(plain);
}

function jsonResponse(status: number, headers: HeaderList, json: JsonObject): OpenResponse {
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
