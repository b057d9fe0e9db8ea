import { isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { chatLogprobs } from "./logprobs.ts";
import { saidInput, saidText } from "./said.ts";

/** Messages of the output, all their parts joined. */
export type Messages = {
  readonly text: string;
  readonly refusal: string;
  /** In Chat's shape. */
  readonly annotations: readonly JsonObject[];
  readonly logprobs: readonly JsonObject[];
};

/** What the items that are messages say; `offset` characters stand before them. */
export function readMessages(items: readonly JsonObject[], offset: number, withLogprobs: boolean): Messages {
  let text = "";
  let refusal = "";
  const annotations: (readonly JsonObject[])[] = [];
  const logprobs: (readonly JsonObject[])[] = [];
  for (const part of items.filter((item) => item.type === "message").flatMap(partsOf)) {
    if (part.type === "refusal") refusal += saidText(part.refusal);
    if (!isText(part)) continue;
    const before = offset + text.length;
    annotations.push(objectsOf(part.annotations).flatMap<JsonObject>((annotation) => chatAnnotation(annotation, before) ?? []));
    if (withLogprobs) logprobs.push(chatLogprobs(part.logprobs));
    text += saidText(part.text);
  }
  return { text, refusal, annotations: annotations.flat(), logprobs: logprobs.flat() };
}

/** Near-miss backends send a text in the place of the parts, or of one. */
function partsOf({ content }: JsonObject): readonly JsonObject[] {
  const parts: readonly unknown[] = Array.isArray(content) ? content : [content];
  return parts.flatMap((part) => (typeof part === "string" ? [{ type: "output_text", text: part }] : isObject(part) ? [part] : []));
}

/** `text` is Chat's word for it, which near-miss backends use. */
export function isText({ type }: JsonObject): boolean {
  return type === "output_text" || type === "text";
}

/**
 * Chat knows citations of web pages alone, and clients exist that refuse an answer with another kind (vercel/ai, chunk
 * schema of packages/openai); those are left out. Chat counts places from the beginning of the message, Responses from
 * that of the part: `offset` characters stand before it.
 */
export function chatAnnotation(annotation: JsonObject, offset: number): JsonObject | undefined {
  const { type, start_index, end_index, title, url } = annotation;
  if (type !== "url_citation" || typeof url !== "string") return undefined;
  return {
    type,
    url_citation: {
      start_index: placeOf(start_index) + offset,
      end_index: placeOf(end_index) + offset,
      title: textOf(title) ?? "",
      url,
    },
  };
}

function placeOf(index: unknown): number {
  return typeof index === "number" && Number.isFinite(index) ? index : 0;
}

export type CallKind = "function" | "custom";

/** A call of a tool. What is not known of it yet is undefined. */
export type Call = {
  readonly kind: CallKind;
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** A function's arguments or a custom tool's input. */
  readonly input: string;
};

const CALL_KINDS: ReadonlyMap<unknown, CallKind> = new Map([
  ["function_call", "function"],
  ["custom_tool_call", "custom"],
]);

/** Undefined for an item that is no call of a client's tool. */
export function readCall(item: JsonObject): Call | undefined {
  const kind = CALL_KINDS.get(item.type);
  if (kind === undefined) return undefined;
  const input = kind === "function" ? item.arguments : item.input;
  return { kind, id: textOf(item.call_id), name: textOf(item.name), input: saidInput(input) };
}

/** The name under which Chat carries what a call says. */
export function inputKey(kind: CallKind): "arguments" | "input" {
  return kind === "function" ? "arguments" : "input";
}
