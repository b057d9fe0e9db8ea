import type { Message } from "./http-message.ts";
import { type Arrived, startRawTarget } from "./raw-target.ts";

/** A request that the scripted target got. */
export type Asked = {
  /** When its head had come. */
  readonly atMs: number;
  readonly arrived: Arrived;
  /** Once it is whole. */
  readonly message: Promise<Message>;
};

/** What the target does with a request that has come whole. */
export type Reply = (asked: Asked) => unknown;

/** A target that follows a script, a request at a time, and then does the last of it for ever. It keeps what it was asked. */
export async function startScript(...script: readonly Reply[]) {
  const asked: Asked[] = [];
  let replies = script;
  let begin = 0;
  const target = await startRawTarget((arrived) => {
    const one: Asked = { atMs: performance.now(), arrived, message: arrived.complete };
    const reply = replies[Math.min(asked.length - begin, replies.length - 1)];
    asked.push(one);
    void arrived.complete.then(() => reply?.(one));
  });
  return {
    port: target.port,
    url: target.url,
    authority: target.authority,
    asked,
    connections: target.connections,
    /** Another script from now on. */
    follow(...next: readonly Reply[]) {
      replies = next;
      begin = asked.length;
    },
    stop: () => target.stop(),
    [Symbol.dispose]: () => target.stop(),
  };
}

export type Script = Awaited<ReturnType<typeof startScript>>;

type Fields = Readonly<Record<string, string>>;

function head(status: number, fields: Fields): string {
  return `HTTP/1.1 ${status} ${status < 400 ? "OK" : "No"}\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;
}

/** A whole answer; a body that is no text goes as JSON. */
export function says(status: number, body: unknown, fields: Fields = {}): Reply {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const all = { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)), ...fields };
  return ({ arrived }) => arrived.connection.write(Buffer.from(head(status, all) + text).toString("latin1"));
}

/** A stream of these events; `end` closes the body as it should be closed. */
export function streams(payloads: readonly string[], end = true, fields: Fields = {}): Reply {
  const all = { "content-type": "text/event-stream", "transfer-encoding": "chunked", ...fields };
  return ({ arrived: { connection } }) => {
    const chunks = payloads.map((payload) => {
      const text = payload.includes("\n") ? payload : `data: ${payload}\n\n`;
      return `${Buffer.byteLength(text).toString(16)}\r\n${Buffer.from(text).toString("latin1")}\r\n`;
    });
    connection.write(head(200, all) + chunks.join("") + (end ? "0\r\n\r\n" : ""));
  };
}

/** Bytes as they are, and perhaps an end of the connection. */
export function writes(bytes: string, end?: "fin" | "rst"): Reply {
  return ({ arrived: { connection } }) => {
    if (bytes !== "") connection.write(bytes);
    if (end !== undefined) connection[end]();
  };
}

export function both(...replies: readonly Reply[]): Reply {
  return (asked) => {
    for (const reply of replies) reply(asked);
  };
}

export const SILENT: Reply = () => {};

/** As the official clients can read it. */
export const CHAT_ANSWER = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o",
  choices: [{ index: 0, message: { role: "assistant", content: "healed", refusal: null }, logprobs: null, finish_reason: "stop" }],
  usage: { prompt_tokens: 7, completion_tokens: 1, total_tokens: 8 },
} as const;

export const GOOD: Reply = says(200, CHAT_ANSWER);

export function chatChunk(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
  return JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-4o", choices });
}

export const GOOD_STREAM: Reply = streams([
  chatChunk({ role: "assistant", content: "" }),
  chatChunk({ content: "healed" }),
  chatChunk({}, "stop"),
  "[DONE]",
]);

/** OpenAI's form of an error. */
export function openaiError(type: string, code: string | null, message = "no"): object {
  return { error: { message, type, param: null, code } };
}

export const DOWN: Reply = says(500, openaiError("server_error", null));
