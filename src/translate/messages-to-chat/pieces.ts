import { countOf, isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { isTooDeep } from "../limits.ts";

/** What a message, or the delta of a chunk, brings. Texts are empty where there is nothing. */
export type Pieces = {
  readonly thinking: string;
  /** The words of a refusal are text too. */
  readonly text: string;
  readonly isRefused: boolean;
  readonly calls: readonly CallPiece[];
};

export type CallPiece = {
  readonly index: number | undefined;
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** JSON text, or a piece of it. */
  readonly argumentsText: string;
};

/** Lenient to every form that backends send: content may be null, a text, or a list of parts. */
export function piecesOf(message: JsonObject): Pieces {
  const parts = objectsOf(message.content);
  const content = typeof message.content === "string" ? message.content : textsWhere(parts, isText);
  const refusal = textOf(message.refusal) ?? textsWhere(parts, ({ type }) => type === "refusal");
  return {
    // DeepSeek and llama.cpp use the first name, OpenRouter the second, vLLM either or both; Mistral has parts.
    thinking: textOf(message.reasoning_content) ?? textOf(message.reasoning) ?? textsWhere(parts, ({ type }) => type === "thinking"),
    text: content + refusal,
    isRefused: refusal !== "",
    calls: [...objectsOf(message.tool_calls).map(callPiece), ...legacyCall(message.function_call)],
  };
}

/** The same of a message that came whole: each of its calls is one of its own, whatever its id. */
export function piecesOfWhole(message: JsonObject): Pieces {
  const pieces = piecesOf(message);
  return { ...pieces, calls: pieces.calls.map((call, index) => ({ ...call, index })) };
}

function isText({ type }: JsonObject): boolean {
  return type === "text" || type === "output_text" || type === undefined;
}

function textsWhere(parts: readonly JsonObject[], is: (part: JsonObject) => boolean): string {
  return parts.filter(is).map(partText).join("");
}

/** The text of a part stands under `text`, under its type's name, or a list of parts does. */
function partText(part: JsonObject): string {
  const value = part.text ?? part.refusal ?? part.thinking;
  if (typeof value === "string") return value;
  return objectsOf(value)
    .flatMap(({ text }) => textOf(text) ?? [])
    .join("");
}

function callPiece(call: JsonObject): CallPiece {
  const details: JsonObject = isObject(call.function) ? call.function : {};
  return {
    index: countOf(call.index),
    id: textOf(call.id),
    name: textOf(details.name),
    argumentsText: argumentsText(details.arguments),
  };
}

/** The form before there were tools: one call, without an id. Some servers fill in the key where there is none. */
function legacyCall(call: unknown): readonly CallPiece[] {
  if (!isObject(call)) return [];
  const piece = { index: 0, id: undefined, name: textOf(call.name), argumentsText: argumentsText(call.arguments) };
  return piece.name === undefined && piece.argumentsText === "" ? [] : [piece];
}

/** Arguments should be JSON text; some backends send the JSON itself. */
function argumentsText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  return isTooDeep(value) ? "(nested too deeply)" : JSON.stringify(value);
}
