import { isObject, type JsonObject, parseObject } from "../../dialects/shared.ts";

/** What an error says, whatever its shape: all its words and all its texts, flat. */
export type Said = {
  /** Types, codes, statuses and reasons in lower case, the outermost first. */
  readonly words: readonly string[];
  /** The status that the error itself names. */
  readonly status: number | undefined;
  /** Its messages, joined, in lower case. */
  readonly text: string;
  /** Google's names of the quotas that were exceeded, in lower case. */
  readonly quotaIds: readonly string[];
};

export const NOTHING_SAID: Said = { words: [], status: undefined, text: "", quotaIds: [] };

/** No error needs more to be told from others; keeps the patterns quick on any text. */
const TEXT_CHARACTERS_MAX = 4_000;

/** A provider's error stands in Databricks' `message` or OpenRouter's `raw` as text, and that may hold another. */
const DEPTH_MAX = 6;

const LIST_MAX = 16;

const WORD_KEYS = ["type", "code", "status", "error_type", "error_code", "reason", "limit_source"] as const;
const STATUS_KEYS = ["code", "status", "status_code", "raw_status_code"] as const;
const TEXT_KEYS = ["message", "error", "detail", "msg", "raw"] as const;
const INNER_KEYS = [
  "error",
  "errors",
  "details",
  "detail",
  "metadata",
  "innererror",
  "violations",
  "external_model_error",
  "message",
] as const;

/** Reads a body, a payload of a stream, or a text that is no JSON. Pages of HTML are by whoever stands in between and say nothing of the request. */
export function readSaid(body: string): Said {
  const json = firstObject(body);
  if (json !== undefined) return saidIn(json);
  const text = body.slice(0, TEXT_CHARACTERS_MAX).trim();
  return text === "" || /^[[<{]/.test(text) ? NOTHING_SAID : { ...NOTHING_SAID, text: text.toLowerCase() };
}

export function saidIn(json: JsonObject): Said {
  const found: Found = { words: [], status: undefined, texts: [], quotaIds: [] };
  collect(json, found, 0);
  return {
    words: found.words,
    status: found.status,
    text: found.texts.join("\n").slice(0, TEXT_CHARACTERS_MAX).toLowerCase(),
    quotaIds: found.quotaIds,
  };
}

/** The object itself, or the first of a list, as Google's services send errors. A comma stands before a later element of a streamed list. */
export function firstObject(text: string): JsonObject | undefined {
  const whole = parseObject(text);
  if (whole !== undefined) return whole;
  const element = /^\s*[[,]\s*(?=\{)/.exec(text)?.[0];
  if (element === undefined) return undefined;
  const rest = text.slice(element.length).trimEnd();
  const list = parseObject(`{"list":[${rest.endsWith("]") ? rest.slice(0, -1) : rest}]}`)?.list;
  return Array.isArray(list) ? list.find(isObject) : undefined;
}

/** The error that stands in an otherwise good answer, or in a payload of a stream; undefined where there is none. */
export function errorObjectIn(json: JsonObject): JsonObject | undefined {
  if (isError(json.error)) return json;
  if (json.type === "error" || json.object === "error" || json.event_type === "error") return json;
  if (typeof json.error_code === "string" && json.error_code !== "") return json;
  // OpenAI Responses: `response.failed`.
  if (isObject(json.response) && isError(json.response.error)) return { error: json.response.error };
  // OpenRouter: a choice that broke off.
  const choice = Array.isArray(json.choices) ? json.choices.find((one) => isObject(one) && isError(one.error)) : undefined;
  return isObject(choice) ? { error: choice.error } : undefined;
}

/** `"error": null` and an empty object stand in good answers too. */
function isError(value: unknown): boolean {
  return (typeof value === "string" && value !== "") || (isObject(value) && Object.keys(value).length > 0);
}

type Found = { words: string[]; status: number | undefined; texts: string[]; quotaIds: string[] };

function collect(json: JsonObject, found: Found, depth: number): void {
  if (depth > DEPTH_MAX) return;
  for (const key of WORD_KEYS) {
    const value = json[key];
    if (typeof value === "string" && value !== "") found.words.push(value.toLowerCase());
  }
  for (const key of STATUS_KEYS) found.status ??= statusIn(json[key]);
  const { quotaId } = json;
  if (typeof quotaId === "string") found.quotaIds.push(quotaId.toLowerCase());
  for (const key of TEXT_KEYS) {
    const value = json[key];
    if (typeof value !== "string") continue;
    const inner = parseObject(value);
    if (inner === undefined) found.texts.push(value);
    else collect(inner, found, depth + 1);
  }
  for (const key of INNER_KEYS) {
    const value = json[key];
    if (isObject(value)) collect(value, found, depth + 1);
    else if (Array.isArray(value)) for (const one of value.slice(0, LIST_MAX)) if (isObject(one)) collect(one, found, depth + 1);
  }
}

/** Azure writes its codes as text. */
function statusIn(value: unknown): number | undefined {
  const status = typeof value === "string" && /^[45]\d\d$/.test(value) ? Number(value) : value;
  return typeof status === "number" && Number.isInteger(status) && status >= 400 && status < 600 ? status : undefined;
}
