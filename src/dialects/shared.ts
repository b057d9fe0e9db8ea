import type { RequestFacts } from "../core/exchange.ts";
import type { Usage } from "../core/usage.ts";

/** What the dialects read and write alike. */

export type JsonObject = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a list; nothing where it is no list. */
export function objectsOf(value: unknown): readonly JsonObject[] {
  if (!Array.isArray(value)) return NONE;
  // Almost always all are.
  for (const each of value) if (!isObject(each)) return value.filter(isObject);
  return value;
}

const NONE: readonly never[] = [];

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function textsOf(values: readonly unknown[]): readonly string[] {
  return values.length === 0 ? NONE : values.flatMap((value) => textOf(value) ?? []);
}

export function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Beyond any answer, and far below where sums of counts lose exactness. */
const TOKENS_MAX = 1e12;

/** A number of tokens; undefined for anything else that a server may send. */
export function tokensOf(value: unknown): number | undefined {
  const count = countOf(value);
  return count !== undefined && count <= TOKENS_MAX ? count : undefined;
}

/** Null and absence are no tokens; anything else that is no number of tokens is undefined. */
export function tokensOrNone(value: unknown): number | undefined {
  return value === undefined || value === null ? 0 : tokensOf(value);
}

/** What an answer told; an undefined count is 0. */
export type ToldUsage = {
  readonly input: number;
  readonly cacheRead?: number | undefined;
  readonly cacheWrite?: number | undefined;
  readonly output: number;
  readonly reasoning?: number | undefined;
  readonly cacheWriteHour?: number | undefined;
  readonly inputAudio?: number | undefined;
  readonly inputImage?: number | undefined;
  readonly outputAudio?: number | undefined;
  readonly outputImage?: number | undefined;
};

/** The usage, made to fit: a part can be no more than what it is a part of. */
export function usageFrom(told: ToldUsage): Usage {
  const { input, cacheRead = 0, cacheWrite = 0, output, reasoning = 0 } = told;
  const read = Math.min(cacheRead, input);
  const written = Math.min(cacheWrite, input - read);
  const { cacheWriteHour = 0, inputAudio = 0, inputImage = 0, outputAudio = 0, outputImage = 0 } = told;
  const usage = {
    inputTokens: input,
    cacheReadTokens: read,
    cacheWriteTokens: written,
    outputTokens: output,
    reasoningTokens: Math.min(reasoning, output),
  };
  if (cacheWriteHour + inputAudio + inputImage + outputAudio + outputImage === 0) return usage;
  const parts = {
    ...(cacheWriteHour > 0 && { cacheWriteHour: Math.min(cacheWriteHour, written) }),
    ...(inputAudio > 0 && { inputAudio: Math.min(inputAudio, input) }),
    ...(inputImage > 0 && { inputImage: Math.min(inputImage, input) }),
    ...(outputAudio > 0 && { outputAudio: Math.min(outputAudio, output) }),
    ...(outputImage > 0 && { outputImage: Math.min(outputImage, output) }),
  };
  return { ...usage, parts };
}

/** The object that a payload holds; undefined where it holds none, like `[DONE]`. */
export function parseObject(payload: string | undefined): JsonObject | undefined {
  if (payload === undefined || !/^\s*\{/.test(payload)) return undefined;
  try {
    const value: unknown = JSON.parse(payload);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A path segment as it was meant; as it stands where its escapes are broken. */
export function decodeSegment(segment: string | undefined): string | undefined {
  if (segment === undefined || segment === "") return undefined;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export const CHARACTERS_PER_TOKEN = 4;

/** Keys whose values are names, numbers of the protocol or binary data, not text for the model. */
const NOT_TEXT: ReadonlySet<string> = new Set([
  "cache_control",
  "call_id",
  "data",
  "detail",
  "encrypted_content",
  "file_data",
  "file_id",
  "fileUri",
  "id",
  "image_url",
  "media_type",
  "mime_type",
  "mimeType",
  "role",
  "signature",
  "status",
  "thoughtSignature",
  "tool_call_id",
  "tool_use_id",
  "type",
  "url",
]);

/** Deeper nesting than any request has; keeps a hostile one from using up the stack. */
const DEPTH_MAX = 64;

/** The size of all text below a value. */
export function charactersIn(value: unknown, depth = 0): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return 0;
  let sum = 0;
  if (Array.isArray(value)) {
    for (const element of value) sum += charactersIn(element, depth + 1);
  } else {
    const members = value as Readonly<Record<string, unknown>>;
    for (const key in members) if (!NOT_TEXT.has(key)) sum += charactersIn(members[key], depth + 1);
  }
  return sum;
}

/** What so much text comes to, at four characters a token. */
export function tokensIn(characters: number): number {
  return Math.ceil(characters / CHARACTERS_PER_TOKEN);
}

/** The text of a turn: a text, or parts of which some have one. */
export function turnText(content: unknown): string {
  if (typeof content === "string") return content;
  return textsOf(objectsOf(content).map((part) => part.text)).join("\n");
}

/** What is known of a request whose body says nothing. */
export function factsFromPath(model: string | undefined, stream: boolean, usageInStream: boolean): RequestFacts {
  return {
    model,
    stream,
    session: undefined,
    user: undefined,
    inputCharacters: 0,
    inputTokens: 0,
    outputTokensMax: undefined,
    tools: [],
    prompt: "",
    afterToolResult: false,
    usageInStream,
  };
}

/** The conversation as OpenAI's two APIs and those that follow them name it, the closest name first. */
export function openaiSession(json: JsonObject): string | undefined {
  const { conversation, metadata } = json;
  return (
    textOf(json.prompt_cache_key) ??
    textOf(isObject(conversation) ? conversation.id : conversation) ??
    textOf(json.session_id) ??
    (isObject(metadata) ? textOf(metadata.session_id) : undefined) ??
    textOf(json.user)
  );
}

/** The end user as OpenAI's two APIs name it: `user` of old, for which `safety_identifier` came. */
export function openaiUser(json: JsonObject): string | undefined {
  return textOf(json.safety_identifier) ?? textOf(json.user);
}

/** A text in the pieces that a stream brings: words with the space before them. */
export function wordPieces(text: string): readonly string[] {
  return text.match(/\s*\S+(?:\s+$)?/g) ?? (text === "" ? [] : [text]);
}

const ARGUMENT_PIECE_CHARACTERS = 12;

/** Tool arguments in the pieces that a stream brings; no character is cut in two. */
export function argumentPieces(text: string): readonly string[] {
  return text.match(new RegExp(`[\\s\\S]{1,${ARGUMENT_PIECE_CHARACTERS}}`, "gu")) ?? [];
}

/** An id with the dialect's prefix, put before it only where it is not there yet. */
export function withPrefix(prefix: string, id: string): string {
  return id.startsWith(prefix) ? id : `${prefix}${id}`;
}

/** Cuts the texts of a whole answer, one after the other, to so many tokens in all. */
export type Budget = { readonly take: (text: string) => string; readonly isSpent: () => boolean };

export function createBudget(tokens: number): Budget {
  let charactersLeft = tokens * CHARACTERS_PER_TOKEN;
  return {
    take(text) {
      const taken = text.length <= charactersLeft ? text : withoutHalfCharacter(text.slice(0, charactersLeft));
      charactersLeft -= Math.min(text.length, charactersLeft);
      return taken;
    },
    isSpent: () => charactersLeft <= 0,
  };
}

function withoutHalfCharacter(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
