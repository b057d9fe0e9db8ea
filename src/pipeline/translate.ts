import type { Identified, OpenResponse, RequestFacts } from "../core/exchange.ts";
import { withHeader } from "../core/headers.ts";
import { TRANSLATED_BODY_BYTES_MAX } from "../core/limits.ts";
import type { Adaptation, Ports } from "../core/ports.ts";
import { DIALECTS } from "../dialects/index.ts";
import { parseObject } from "../dialects/shared.ts";
import { translatedPath } from "../translate/endpoints.ts";
import type { ErrorFacts } from "../translate/errors.ts";
import { translationBetween } from "../translate/index.ts";
import type { RequestMistake, Translation } from "../translate/translation.ts";
import { adaptedBody, adaptedHeaders, withModel } from "./helpers/adapted-request.ts";
import { dated } from "./helpers/dated.ts";
import { jsonFields } from "./helpers/json-body.ts";
import { ownError } from "./helpers/own-error.ts";
import { plainBody } from "./helpers/read-facts.ts";
import { bodyOf } from "./helpers/repeatable-body.ts";
import { type Answered, asItCame, jsonResponse, TITLES, translatedAnswer } from "./helpers/translated-answer.ts";

/** Worked out when somebody asks first. */
export type FactsOnDemand = { readonly known?: RequestFacts | undefined; readonly get: () => Promise<RequestFacts> };

/** An exchange as its target sees it. */
export type TargetSide = {
  readonly exchange: Identified;
  /** For faults and for the built-in provider alone. */
  readonly facts: FactsOnDemand;
  /** What the target answered, as the client is to get it. */
  readonly toClient: (response: OpenResponse) => Answered | Promise<Answered>;
};

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
  clientFacts: FactsOnDemand,
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

  const adapted = adaptedBody(translated.body, json.model, adaptation);
  const body = bytesOf(adapted);
  if (body === undefined) return mistaken(exchange, translation, TOO_DEEP, ports);
  const path = translation === undefined ? exchange.path : translatedPath(exchange.path, client, target);
  // What stands in the query of one dialect means nothing in another, but for OpenAI's two, which share their hosts.
  const query = translation === undefined || (client !== "messages" && target !== "messages") ? exchange.query : "";
  const own = translation?.headers(exchange.headers) ?? exchange.headers;
  const seen: Identified = {
    ...exchange,
    dialect: target,
    path,
    query,
    upstreamTarget: query === "" ? path : `${path}?${query}`,
    // The answer must be readable too.
    headers: withHeader(jsonFields(adaptedHeaders(own, adaptation.extraHeaders), body.length), "Accept-Encoding", "identity"),
    body: bodyOf(body),
  };
  const answerTo = { json, dropped: translated.dropped, namesAnswering: adaptation.namesAnswering === true, exchange, ports };
  let facts: RequestFacts | undefined;
  return {
    exchange: seen,
    facts: {
      async get() {
        const asked = () => DIALECTS[client].facts(exchange.path, exchange.query, json);
        facts ??= withModelOf(asked, DIALECTS[target].facts(path, query, adapted));
        return facts;
      },
    },
    toClient: translation === undefined ? asItCame : (response) => translatedAnswer(response, translation, answerTo),
  };
}

function withModelOf(client: () => RequestFacts, facts: RequestFacts): RequestFacts {
  return facts.model === undefined ? { ...facts, model: client().model } : facts;
}

function untranslated(exchange: Identified, facts: FactsOnDemand): TargetSide {
  return { exchange, facts, toClient: asItCame };
}

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

const TOO_DEEP: RequestMistake = {
  kind: "mistake",
  status: 400,
  message: "The JSON body of your request is nested too deeply.",
  param: null,
  code: null,
};

/** Undefined where it is nested so deeply that it can be read, but not written. */
function bytesOf(json: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  try {
    return new TextEncoder().encode(JSON.stringify(json));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

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

function refused({ provider, errorsAs }: Identified, status: number, reason: string, message: string, ports: Ports): Refused {
  return { refusal: dated(ownError(errorsAs ?? provider, status, reason, message), ports.clock.wallMs()), error: reason };
}
