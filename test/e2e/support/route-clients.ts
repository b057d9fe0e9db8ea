import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { told } from "./gateway-sdks.ts";
import { SHARED_TEXT, type Spoken, TEXTS } from "./route-answers.ts";

export type Way = "whole" | "streamed";

/** What an SDK made of one request. */
export type Heard = {
  readonly text: string;
  /** The dialect's word for the end of an answer. */
  readonly finish: string | null | undefined;
  readonly error: unknown;
  /** What is wrong with the order of a stream's events. */
  readonly disorder: readonly string[];
  /** Undefined: there was no response. */
  readonly headers: Headers | undefined;
};

export type Asked = {
  readonly origin: string;
  readonly spoken: Spoken;
  readonly way: Way;
  readonly model: string;
  readonly prompt: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The SDK's own. */
  readonly maxRetries: number;
  /** Whoever hears nothing for so long has been left hanging. */
  readonly patienceMs: number;
  /** With it the client goes away. */
  readonly leaving?: AbortSignal | undefined;
  /** Gets the text so far. */
  readonly onText: (text: string) => void;
};

export const CLIENT_KEYS: Readonly<Record<Spoken, string>> = { chat: "sk-client-openai", messages: "sk-ant-client" };

export async function hear(asked: Asked): Promise<Heard> {
  const heard: { -readonly [Key in keyof Heard]: Heard[Key] } = {
    text: "",
    finish: undefined,
    error: undefined,
    disorder: [],
    headers: undefined,
  };
  const patience = AbortSignal.timeout(asked.patienceMs);
  try {
    const signal = asked.leaving === undefined ? patience : AbortSignal.any([patience, asked.leaving]);
    await (asked.spoken === "chat" ? hearChat : hearMessages)(asked, heard, signal);
  } catch (error) {
    heard.error = patience.aborted ? new Error(`nothing came for ${asked.patienceMs} ms`) : error;
    heard.headers ??= headersOf(error);
  }
  return heard;
}

type Hearing = { text: string; finish: string | null | undefined; headers: Headers | undefined; disorder: readonly string[] };

async function hearChat(asked: Asked, heard: Hearing, signal: AbortSignal): Promise<void> {
  const { origin, way, model, prompt, headers, maxRetries, onText } = asked;
  const { completions } = new OpenAI({ baseURL: `${origin}/v1`, apiKey: CLIENT_KEYS.chat, maxRetries, logLevel: "off" }).chat;
  const body = { model, messages: [{ role: "user" as const, content: prompt }] };
  if (way === "whole") {
    const { data, response } = await completions.create(body, { signal, headers }).withResponse();
    heard.headers = response.headers;
    // What came in the place of an answer has other members.
    const [choice] = (data as Partial<typeof data>).choices ?? [];
    heard.text = choice?.message.content ?? "";
    heard.finish = choice?.finish_reason;
    return;
  }
  const { data, response } = await completions.create({ ...body, stream: true }, { signal, headers }).withResponse();
  heard.headers = response.headers;
  const ids = new Set<string>();
  for await (const { id, choices } of data) {
    ids.add(id);
    if (ids.size > 1) heard.disorder = ["an id of another answer"];
    // Usage comes behind the finish.
    if (heard.finish != null && choices.length > 0) heard.disorder = [...heard.disorder, "a choice behind the finish"];
    heard.text += choices[0]?.delta.content ?? "";
    onText(heard.text);
    heard.finish = choices[0]?.finish_reason ?? heard.finish;
  }
}

async function hearMessages(asked: Asked, heard: Hearing, signal: AbortSignal): Promise<void> {
  const { origin, way, model, prompt, headers, maxRetries, onText } = asked;
  const { messages } = new Anthropic({ baseURL: origin, apiKey: CLIENT_KEYS.messages, maxRetries, logLevel: "off" });
  const body = { model, max_tokens: 100, messages: [{ role: "user" as const, content: prompt }] };
  if (way === "whole") {
    const { data, response } = await messages.create(body, { signal, headers }).withResponse();
    heard.headers = response.headers;
    heard.text = (data.content ?? []).map((block) => (block.type === "text" ? block.text : "")).join("");
    heard.finish = data.stop_reason;
    return;
  }
  const { data, response } = await messages.create({ ...body, stream: true }, { signal, headers }).withResponse();
  heard.headers = response.headers;
  let delta: string | null = null;
  let order = "";
  for await (const event of data) {
    order += LETTERS[event.type];
    if (!IN_ORDER.test(order)) heard.disorder = [order];
    if ("index" in event && event.index !== 0) heard.disorder = [...heard.disorder, `a block ${event.index}`];
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
      heard.text += event.delta.text;
      onText(heard.text);
    } else if (event.type === "message_delta") delta = event.delta.stop_reason;
    else if (event.type === "message_stop") heard.finish = delta;
  }
}

/** The events of one text, and any beginning of them. */
const LETTERS: Readonly<Record<Anthropic.RawMessageStreamEvent["type"], string>> = {
  message_start: "(",
  content_block_start: "[",
  content_block_delta: ".",
  content_block_stop: "]",
  message_delta: "=",
  message_stop: ")",
};
const IN_ORDER = /^\((?:\[\.*(?:\](?:=\)?)?)?)?$/;

function headersOf(error: unknown): Headers | undefined {
  return error instanceof OpenAI.APIError || error instanceof Anthropic.APIError ? error.headers : undefined;
}

const WHOLE_TEXTS: readonly (readonly [text: string, whose: string])[] = [
  [TEXTS.primary, "the primary's answer"],
  [TEXTS.fallback, "the fallback's answer"],
  [TEXTS.third, "the third's answer"],
  [SHARED_TEXT, "one whole answer"],
];

/** In words that a table has room for. Nothing but a whole text of one target's, properly ended, is called an answer. */
export function inWords({ text, finish, error, disorder }: Heard): string {
  if (disorder.length > 0) return `DISORDER: ${disorder.join(", ")}`;
  if (error !== undefined) {
    const named = `${told(error)}${whoseError(error)}`;
    if (text === "") return named;
    const whole = WHOLE_TEXTS.find(([each]) => each.startsWith(text));
    if (whole === undefined) return `GARBLED ${JSON.stringify(text)}, then ${named}`;
    return `${whole[0] === text ? "all words" : "a beginning"}, then ${named}`;
  }
  const known = WHOLE_TEXTS.find(([whole]) => whole === text);
  if (known === undefined) return `TRUNCATED OR GARBLED ${JSON.stringify(text)}`;
  return finish === "stop" || finish === "end_turn" ? known[1] : `AN ANSWER WITHOUT ITS END: ${known[1]}`;
}

function whoseError(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const part = /\(the (\w+)\)/.exec(message)?.[1];
  if (part !== undefined) return `, the ${part}'s`;
  return message.includes("faultproxy: ") ? ", faultproxy's own" : "";
}
