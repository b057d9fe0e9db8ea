import { countOf, isObject, type JsonObject, objectsOf, textOf, textsOf } from "../../dialects/shared.ts";
import { isTooDeep } from "../limits.ts";

/** What a message of a whole answer, or a delta of a streamed one, brings: the two have the same keys. */
export type Brought = {
  readonly reasoning: string;
  readonly text: string;
  readonly logprobs: readonly JsonObject[];
  readonly refusal: string;
  readonly annotations: readonly JsonObject[];
  readonly calls: readonly CallPiece[];
};

/** A call, or a piece of one. */
export type CallPiece = {
  readonly index: number | undefined;
  readonly id: string | undefined;
  readonly isCustom: boolean;
  readonly name: string | undefined;
  /** Of the arguments of a function, or of the input of a custom tool. */
  readonly text: string;
};

/** Reads leniently: what is of no known form brings nothing. */
export function broughtBy(message: JsonObject, logprobs: unknown): Brought {
  const { content, refusal, annotations } = message;
  return {
    // Names in use: DeepSeek's and vLLM's, and OpenRouter's and Ollama's. Some servers send both with the same text.
    reasoning: textOf(message.reasoning_content) ?? textOf(message.reasoning) ?? reasoningInParts(content),
    text: typeof content === "string" ? content : textInParts(content),
    logprobs: objectsOf(isObject(logprobs) ? logprobs.content : undefined).map((token) => ({
      ...probability(token),
      top_logprobs: objectsOf(token.top_logprobs).map(probability),
    })),
    refusal: textOf(refusal) ?? "",
    annotations: objectsOf(annotations).flatMap(flatAnnotation),
    calls: [...callPieces(message.tool_calls), ...legacyCall(message.function_call)],
  };
}

/** The same of a message that came whole: each of its calls is one of its own, whatever its id; only those of a stream have an index. */
export function broughtByWhole(message: JsonObject, logprobs: unknown): Brought {
  const brought = broughtBy(message, logprobs);
  return { ...brought, calls: brought.calls.map((call, index) => ({ ...call, index })) };
}

function probability({ token, bytes, logprob }: JsonObject): JsonObject {
  return {
    token: typeof token === "string" ? token : "",
    bytes: Array.isArray(bytes) ? bytes.filter((byte) => typeof byte === "number") : [],
    logprob: typeof logprob === "number" ? logprob : 0,
  };
}

function textInParts(content: unknown): string {
  return textsOf(objectsOf(content).map(({ type, text }) => (type === undefined || type === "text" ? text : undefined))).join("");
}

/** Databricks sends `{type: "reasoning", summary: [{text}]}` among the parts, Mistral `{type: "thinking", thinking: [{text}]}`. */
function reasoningInParts(content: unknown): string {
  const texts = objectsOf(content).flatMap(({ type, summary, thinking }) => {
    if (type === "reasoning") return objectsOf(summary).map((part) => part.text);
    if (type !== "thinking") return [];
    return typeof thinking === "string" ? [thinking] : objectsOf(thinking).map((part) => part.text);
  });
  return textsOf(texts).join("");
}

/** Chat Completions has the citation one level deeper. */
function flatAnnotation({ type, url_citation }: JsonObject): readonly JsonObject[] {
  if (type !== "url_citation" || !isObject(url_citation)) return [];
  const { start_index, end_index, title, url } = url_citation;
  return [
    {
      type,
      start_index: countOf(start_index) ?? 0,
      end_index: countOf(end_index) ?? 0,
      title: textOf(title) ?? "",
      url: textOf(url) ?? "",
    },
  ];
}

function callPieces(calls: unknown): readonly CallPiece[] {
  return objectsOf(calls).map(({ index, id, type, function: called, custom }) => {
    const isCustom = type === "custom" || (isObject(custom) && !isObject(called));
    const part = isCustom ? custom : called;
    const { name, arguments: argumentsValue, input } = isObject(part) ? part : {};
    return {
      index: countOf(index),
      id: textOf(id),
      isCustom,
      name: textOf(name),
      text: isCustom ? textValue(input) : textValue(argumentsValue),
    };
  });
}

/** The form before there were tools: one call, without an id. Some servers fill in the key where there is none. */
function legacyCall(call: unknown): readonly CallPiece[] {
  if (!isObject(call)) return [];
  const piece = { index: 0, id: undefined, isCustom: false, name: textOf(call.name), text: textValue(call.arguments) };
  return piece.name === undefined && piece.text === "" ? [] : [piece];
}

/** Arguments are a text in JSON; some servers send the JSON itself. */
function textValue(value: unknown): string {
  if (typeof value === "string") return value;
  return isObject(value) && !isTooDeep(value) ? JSON.stringify(value) : "";
}
