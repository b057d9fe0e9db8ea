import { isObject, type JsonObject, objectsOf, parseObject, textOf } from "../dialects/shared.ts";

/** What an error says, without its shape. */
export type ErrorFacts = {
  readonly message: string;
  /** The word of whoever made the error; undefined: the usual one for the status. */
  readonly type: string | undefined;
  readonly code: string | number | null;
  /** The parameter that is wrong, where one is. */
  readonly param: string | null;
};

/** A page or a trace is cut here: it is for people who look for the cause, not to be read whole. */
const MESSAGE_CHARACTERS_MAX = 2_000;

/**
 * Reads an error body of any shape, leniently: OpenAI's and its variants (`{"error": {…}}`, `{"error": "…"}`, a flat
 * object), Anthropic's (`{"type": "error", "error": {…}}`), FastAPI's (`{"detail": …}`), and whatever text there is.
 */
export function readError(status: number, text: string): ErrorFacts {
  const json = firstObject(text);
  const facts = json === undefined ? undefined : errorIn(json);
  const isEmpty = /^\s*(?:\{\s*\}|\[\s*\]|null|""|)\s*$/.test(text.slice(0, PAGE_CHARACTERS_MAX));
  const said = isEmpty ? undefined : plainText(text);
  return facts ?? { ...NO_FACTS, message: said ?? `the backend answered ${status} and said nothing` };
}

/** The object itself, or the first of a list, as Google's services send errors. */
function firstObject(text: string): JsonObject | undefined {
  return parseObject(text) ?? (/^\s*\[/.test(text) ? objectsOf(parseObject(`{"list":${text}}`)?.list)[0] : undefined);
}

/** The same for an error object that stands inside a stream or an answer. Undefined where it holds no text. */
export function errorIn(json: JsonObject): ErrorFacts | undefined {
  const { error, detail, errors } = json;
  if (isObject(error)) return factsOf(error) ?? (textOf(json.message) === undefined ? undefined : factsOf(json));
  if (typeof error === "string" && error !== "") {
    const code = codeOf(json.code);
    return { ...NO_FACTS, code, message: clipped(textOf(json.message) ?? error) };
  }
  if (detail !== undefined && detail !== null) return factsOfDetail(detail);
  const [first] = objectsOf(errors);
  if (first !== undefined) return factsOf(first);
  return factsOf(json);
}

const NO_FACTS: Omit<ErrorFacts, "message"> = { type: undefined, code: null, param: null };

function factsOf(error: JsonObject): ErrorFacts | undefined {
  const message = textOf(error.message);
  if (message === undefined) return undefined;
  const type = textOf(error.type);
  return {
    message: clipped(message),
    // In a flat event the type is the event's own name.
    type: type === "error" ? undefined : type,
    code: codeOf(error.code),
    param: textOf(error.param) ?? null,
  };
}

/** A text, `{response, cause}`, or a list of `{loc, msg}` (FastAPI's validation). */
function factsOfDetail(detail: unknown): ErrorFacts | undefined {
  if (typeof detail === "string") return detail === "" ? undefined : { ...NO_FACTS, message: clipped(detail) };
  if (isObject(detail)) {
    const parts = [detail.response, detail.cause, detail.message, detail.msg].flatMap((part) => textOf(part) ?? []);
    return parts.length === 0 ? undefined : { ...NO_FACTS, code: codeOf(detail.code), message: clipped(parts.join(": ")) };
  }
  const first = Array.isArray(detail) ? detail.find(isObject) : undefined;
  const message = textOf(first?.msg);
  if (first === undefined || message === undefined) return undefined;
  const place = Array.isArray(first.loc) ? first.loc.filter((part) => part !== "body").join(".") : "";
  return { ...NO_FACTS, message: clipped(place === "" ? message : `${place}: ${message}`), param: place === "" ? null : place };
}

function codeOf(code: unknown): string | number | null {
  return (typeof code === "string" && code !== "") || typeof code === "number" ? code : null;
}

/** A page is looked at so far: its tags may be long, and what follows is cut anyway. */
const PAGE_CHARACTERS_MAX = 32_768;

/** What is left of a text or a page without its tags. The patterns look no further than the next "<", so that no text takes them long. */
function plainText(text: string): string | undefined {
  const bare = text
    .slice(0, PAGE_CHARACTERS_MAX)
    .replace(/<(script|style|title)\b[^<]*<\/\1>/gi, " ")
    .replace(/<[^<>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return bare === "" ? undefined : clipped(bare);
}

function clipped(text: string): string {
  return text.length <= MESSAGE_CHARACTERS_MAX ? text : `${text.slice(0, MESSAGE_CHARACTERS_MAX)}…`;
}

/** OpenAI's shape; all four keys always stand in it (openai/openai-openapi openapi.yaml, Error). */
export function openaiError(status: number, { message, type, code, param }: ErrorFacts): JsonObject {
  return { error: { message, type: type ?? openaiType(status), param, code } };
}

function openaiType(status: number): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/** Anthropic's shape; its type follows from the status, whatever the target's word was (docs.claude.com, Errors). */
export function anthropicError(status: number, { message }: ErrorFacts): JsonObject {
  return { type: "error", error: { type: ANTHROPIC_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error"), message } };
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** The status that an error inside a 200 would have had, by its code or type (OpenAI's words and Anthropic's). */
export function statusOfError({ code, type }: ErrorFacts): number {
  if (typeof code === "number" && Number.isInteger(code) && code >= 400 && code < 600) return code;
  return STATUS_BY_WORD.get(code) ?? STATUS_BY_WORD.get(type) ?? 500;
}

const STATUS_BY_WORD: ReadonlyMap<unknown, number> = new Map(
  Object.entries({
    rate_limit_exceeded: 429,
    rate_limit_error: 429,
    insufficient_quota: 429,
    slow_down: 429,
    context_length_exceeded: 400,
    invalid_prompt: 400,
    invalid_request_error: 400,
    invalid_image: 400,
    content_policy_violation: 400,
    cyber_policy: 400,
    invalid_api_key: 401,
    authentication_error: 401,
    billing_error: 402,
    permission_error: 403,
    model_not_found: 404,
    not_found_error: 404,
    request_too_large: 413,
    server_is_overloaded: 503,
    service_unavailable_error: 503,
    overloaded_error: 503,
    timeout_error: 504,
  }),
);
