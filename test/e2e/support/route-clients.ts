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
  readonly onText: () => void;
};

export const CLIENT_KEYS: Readonly<Record<Spoken, string>> = { chat: "sk-client-openai", messages: "sk-ant-client" };

export async function hear(asked: Asked): Promise<Heard> {
  const heard: { -readonly [Key in keyof Heard]: Heard[Key] } = { text: "", finish: undefined, error: undefined, headers: undefined };
  const patience = AbortSignal.timeout(asked.patienceMs);
  try {
    await (asked.spoken === "chat" ? hearChat : hearMessages)(asked, heard, patience);
  } catch (error) {
    heard.error = patience.aborted ? new Error(`nothing came for ${asked.patienceMs} ms`) : error;
    heard.headers ??= headersOf(error);
  }
  return heard;
}

type Hearing = { text: string; finish: string | null | undefined; headers: Headers | undefined };

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
  for await (const { choices } of data) {
    heard.text += choices[0]?.delta.content ?? "";
    if (heard.text !== "") onText();
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
  for await (const event of data) {
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
      heard.text += event.delta.text;
      onText();
    } else if (event.type === "message_delta") delta = event.delta.stop_reason;
    else if (event.type === "message_stop") heard.finish = delta;
  }
}

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
export function inWords({ text, finish, error }: Heard): string {
  if (error !== undefined) {
    const named = `${told(error)}${whoseError(error)}`;
    if (text === "") return named;
    const isBeginning = WHOLE_TEXTS.some(([whole]) => whole.startsWith(text));
    return `${isBeginning ? "a beginning" : `GARBLED ${JSON.stringify(text)}`}, then ${named}`;
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
