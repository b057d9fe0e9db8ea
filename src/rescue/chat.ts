import type { Payload } from "../core/dialect.ts";
import { isObject, type JsonObject, objectsOf, parseObject, textOf } from "../dialects/shared.ts";
import { createChoices } from "./choices.ts";
import type { PartialAnswer, RescueDialect } from "./partial-answer.ts";
import { rewritten } from "./rewritten.ts";
import { createSaid } from "./said.ts";
import { createSeam, type Seam, toldOf } from "./seam.ts";

export const chat: RescueDialect = {
  partial: createPartial,
  error: ({ message, status }) => [{ event: undefined, data: JSON.stringify({ error: errorOf(message, status) }) }],
  terminator: [{ event: undefined, data: "[DONE]" }],
  finish: createFinish,
};

function errorOf(message: string, status: number): JsonObject {
  if (status === 429) return { message, type: "rate_limit_error", param: null, code: "rate_limit_exceeded" };
  return { message, type: "server_error", param: null, code: null };
}

// ---- what is there ----

/** What a delta may have beside the text without being more than one text. Thinking is over when the text begins. */
const THINKING = ["reasoning", "reasoning_content", "reasoning_details"] as const;
const TOLD: ReadonlySet<string> = new Set(["role", "content", ...THINKING]);

function createPartial(): PartialAnswer {
  const said = createSaid();
  const isFinished = createFinish();
  let isOver = false;
  let hasRole = false;
  let hasThought = false;
  let id: string | undefined;
  let created: unknown;

  const noteDelta = (delta: JsonObject) => {
    hasRole ||= delta.role !== undefined;
    hasThought ||= THINKING.some((key) => isFilled(delta[key]));
    const text = textIn(delta.content);
    if (text === undefined || hasMoreThanText(delta)) said.spoil();
    else said.add(text);
  };

  return {
    note(payload) {
      isOver = isFinished(payload);
      const chunk = parseObject(payload.data);
      if (chunk === undefined) return;
      id ??= textOf(chunk.id);
      created ??= chunk.created;
      for (const { index, delta } of objectsOf(chunk.choices)) {
        if (index !== undefined && index !== 0) said.spoil();
        if (isObject(delta)) noteDelta(delta);
      }
    },
    id: () => id,
    isEmpty: () => !isOver && !hasThought && said.text() === "",
    continuing(request) {
      const text = said.text();
      const isOneChoice = request.n === undefined || request.n === null || request.n === 1;
      if (isOver || text === undefined || !isOneChoice || (hasThought && text === "")) return undefined;
      return withPrefill(request, toldOf(text));
    },
    splice: () => createSplice({ id, created, hasRole, text: said.text() ?? "" }),
  };
}

/** Some servers send content as a list of parts; undefined where one of them is no text. */
function textIn(content: unknown): string | undefined {
  if (content === undefined || content === null) return "";
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return undefined;
  let text = "";
  for (const part of content) {
    if (!isObject(part) || typeof part.text !== "string") return undefined;
    text += part.text;
  }
  return text;
}

function hasMoreThanText(delta: JsonObject): boolean {
  return Object.keys(delta).some((key) => !TOLD.has(key) && isFilled(delta[key])) || objectsOf(delta.reasoning_details).some(isSigned);
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}

/** OpenRouter's form: what only the one who signed or encrypted it can read goes nowhere else. */
function isSigned({ signature, data }: JsonObject): boolean {
  return isFilled(signature) || isFilled(data);
}

// ---- going on ----

/** The client may have begun the answer itself: then its last message goes on. */
function withPrefill(request: JsonObject, told: string): JsonObject | undefined {
  const { messages } = request;
  if (!Array.isArray(messages)) return undefined;
  if (told === "") return request;
  const last: unknown = messages.at(-1);
  const begun = isObject(last) && last.role === "assistant" && !isFilled(last.tool_calls) ? last : undefined;
  if (typeof begun?.content === "string") return { ...request, messages: messages.with(-1, { ...begun, content: begun.content + told }) };
  if (begun !== undefined && Array.isArray(begun.content)) {
    return { ...request, messages: messages.with(-1, { ...begun, content: [...begun.content, { type: "text", text: told }] }) };
  }
  return { ...request, messages: [...messages, { role: "assistant", content: told }] };
}

type Begun = { readonly id: string | undefined; readonly created: unknown; readonly hasRole: boolean; readonly text: string };

/** Chunks keep the model that they name: it is the one that went on. */
function createSplice({ id, created, hasRole, text }: Begun): (payload: Payload) => readonly Payload[] {
  const seam = createSeam(text);
  const left = new Set<string>([...(hasRole ? ["role"] : []), ...(text === "" ? [] : THINKING)]);
  return (payload) => {
    const chunk = parseObject(payload.data);
    if (chunk === undefined || isFilled(chunk.error)) return [payload];
    const choices: readonly unknown[] = Array.isArray(chunk.choices) ? chunk.choices : [];
    const fitted = choices.map((choice) => (isObject(choice) ? fitChoice(choice, left, seam) : choice));
    const isChanged = fitted.some((choice, index) => choice !== choices[index]);
    if (isChanged && !isObject(chunk.usage) && fitted.every(saysNothing)) return [];
    const envelope = {
      ...("id" in chunk && id !== undefined && { id }),
      ...("created" in chunk && created !== undefined && { created }),
    };
    return [rewritten(payload, { ...chunk, ...envelope, ...(isChanged && { choices: fitted }) })];
  };
}

/** The same object where it loses nothing. */
function fitChoice(choice: JsonObject, left: ReadonlySet<string>, seam: Seam): JsonObject {
  const { delta } = choice;
  if (!isObject(delta)) return choice;
  const content = fitContent(delta.content, seam);
  if (content === delta.content && !Object.keys(delta).some((key) => left.has(key))) return choice;
  const kept = Object.fromEntries(Object.entries({ ...delta, ...("content" in delta && { content }) }).filter(([key]) => !left.has(key)));
  return { ...choice, delta: kept };
}

function fitContent(content: unknown, seam: Seam): unknown {
  if (typeof content === "string") return seam(content);
  if (!Array.isArray(content)) return content;
  const fitted = content.map((part) => {
    if (!isObject(part) || typeof part.text !== "string") return part;
    const text = seam(part.text);
    return text === part.text ? part : { ...part, text };
  });
  return fitted.some((part, index) => part !== content[index]) ? fitted : content;
}

function saysNothing(choice: unknown): boolean {
  return (
    isObject(choice) &&
    !isFilled(choice.finish_reason) &&
    isObject(choice.delta) &&
    Object.values(choice.delta).every((value) => isEmpty(value))
  );
}

function isEmpty(value: unknown): boolean {
  return !isFilled(value) || (Array.isArray(value) && value.every((part) => isObject(part) && part.text === ""));
}

// ---- the end ----

/** Reasons with which a server says that it broke off (OpenRouter; DeepSeek; vLLM and SGLang): such an answer is not whole. */
const BROKEN_OFF: ReadonlySet<unknown> = new Set(["error", "insufficient_system_resource", "abort"]);

function createFinish(): (payload: Payload) => boolean {
  const choices = createChoices();
  let isDone = false;
  let isBrokenOff = false;
  return ({ data }) => {
    isDone ||= data.trim() === "[DONE]";
    for (const { index, finish_reason } of objectsOf(parseObject(data)?.choices)) {
      isBrokenOff ||= BROKEN_OFF.has(finish_reason);
      choices.see(index, textOf(finish_reason) !== undefined);
    }
    return !isBrokenOff && (isDone || choices.areFinished());
  };
}
