import type { ProviderName } from "../../../src/core/provider.ts";
import { both, chatChunk, type Reply, says, streams, writes } from "./gateway-upstream.ts";

/** What a target of these routes speaks, and the SDK that asks for it. */
export const SPOKEN = ["chat", "messages"] as const;
export type Spoken = (typeof SPOKEN)[number];

export const PROVIDER_OF: Readonly<Record<Spoken, ProviderName>> = { chat: "openai", messages: "anthropic" };

/** The targets of a route, in its order. */
export const PARTS = ["primary", "fallback", "third"] as const;
export type Part = (typeof PARTS)[number];

/** What each of them answers, so that a text tells whose it is. */
export const TEXTS: Readonly<Record<Part, string>> = {
  primary: "The primary says eight words, and all arrive.",
  fallback: "The fallback says eight words, and all arrive.",
  third: "The third says eight words, and all arrive.",
};

/** What they answer where one goes on behind another. */
export const SHARED_TEXT = "Any of them would say these nine words alike.";

export const USAGES: Readonly<Record<Part, { readonly input: number; readonly output: number }>> = {
  primary: { input: 101, output: 11 },
  fallback: { input: 202, output: 22 },
  third: { input: 303, output: 33 },
};

/** Words that a target says before its stream fails. */
export const WORDS_BEFORE = 4;

function piecesOf(text: string): readonly string[] {
  return text.match(/ ?[^ ]+/g) ?? [];
}

/** The first of them. */
export function wordsOf(text: string, count: number): string {
  return piecesOf(text).slice(0, count).join("");
}

/** A request as a target reads it. */
export type Read = { readonly stream: boolean; readonly prefill: string | undefined };

export function readRequest(payload: string): Read {
  const { stream, messages = [] } = JSON.parse(payload) as {
    readonly stream?: boolean;
    readonly messages?: readonly { readonly role: string; readonly content: unknown }[];
  };
  const last = messages.at(-1);
  return { stream: stream === true, prefill: last?.role === "assistant" ? String(last.content) : undefined };
}

/** A stream as the parts of it that matter. */
type Frames = {
  readonly begin: readonly string[];
  readonly words: readonly string[];
  readonly finish: readonly string[];
  readonly terminator: readonly string[];
};

const event = (type: string, rest: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;

function framesOf(spoken: Spoken, part: Part, text: string, inputTokens = USAGES[part].input): Frames {
  const { output } = USAGES[part];
  if (spoken === "chat") {
    const usage = { prompt_tokens: inputTokens, completion_tokens: output, total_tokens: inputTokens + output };
    return {
      begin: [chatChunk({ role: "assistant", content: "" })],
      words: piecesOf(text).map((content) => chatChunk({ content })),
      finish: [chatChunk({}, "stop"), JSON.stringify({ ...JSON.parse(chatChunk({})), choices: [], usage })],
      terminator: ["[DONE]"],
    };
  }
  const message = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null };
  return {
    begin: [
      event("message_start", { message: { ...message, usage: { input_tokens: inputTokens, output_tokens: 1 } } }),
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
      event("ping"),
    ],
    words: piecesOf(text).map((piece) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text: piece } })),
    finish: [
      event("content_block_stop", { index: 0 }),
      event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: output } }),
    ],
    terminator: [event("message_stop")],
  };
}

function wholeOf(spoken: Spoken, part: Part, text: string): string {
  const { input, output } = USAGES[part];
  return JSON.stringify(
    spoken === "chat"
      ? {
          id: "chatcmpl-1",
          object: "chat.completion",
          created: 1,
          model: "m",
          choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, logprobs: null, finish_reason: "stop" }],
          usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
        }
      : {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "m",
          content: [{ type: "text", text }],
          stop_reason: "end_turn",
          stop_sequence: null,
          usage: { input_tokens: input, output_tokens: output },
        },
  );
}

/** How providers say no. */
export const ERRORS = {
  rateLimit: {
    chat: [429, "requests", "rate_limit_exceeded", "Rate limit reached for requests"],
    messages: [429, "rate_limit_error", null, "This request would exceed your account's rate limit"],
  },
  server: {
    chat: [500, "server_error", null, "The server had an error while processing your request"],
    messages: [500, "api_error", null, "Internal server error"],
  },
  overloaded: {
    chat: [503, "service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded"],
    messages: [529, "overloaded_error", null, "Overloaded"],
  },
  contextWindow: {
    chat: [400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 128000 tokens"],
    messages: [400, "invalid_request_error", null, "prompt is too long: 208310 tokens > 200000 maximum"],
  },
  contentFilter: {
    chat: [400, "invalid_request_error", "content_policy_violation", "Your request was rejected by our safety system"],
    messages: [400, "invalid_request_error", null, "Output blocked by content filtering policy"],
  },
  quota: {
    chat: [429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details"],
    messages: [400, "invalid_request_error", null, "Your credit balance is too low to access the Anthropic API"],
  },
  auth: {
    chat: [401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"],
    messages: [401, "authentication_error", null, "invalid x-api-key"],
  },
  client: {
    chat: [400, "invalid_request_error", null, "Invalid type for 'temperature'"],
    messages: [400, "invalid_request_error", null, "temperature: Input should be a valid number"],
  },
  unknownModel: {
    chat: [404, "invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it"],
    messages: [404, "not_found_error", null, "model: no-such-model"],
  },
  noPrefill: {
    chat: [400, "invalid_request_error", null, "The last message must be of the user"],
    messages: [400, "invalid_request_error", null, "This model does not support assistant message prefill"],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<Spoken, readonly [number, string, string | null, string]>>>>;
export type ErrorName = keyof typeof ERRORS;

function errorBody(spoken: Spoken, part: Part, name: ErrorName): string {
  const [, type, code, text] = ERRORS[name][spoken];
  const message = `${text} (the ${part})`;
  return JSON.stringify(
    spoken === "chat" ? { error: { message, type, param: null, code } } : { type: "error", error: { type, message }, request_id: "req_1" },
  );
}

function errorFrame(spoken: Spoken, part: Part, name: ErrorName): string {
  const body = errorBody(spoken, part, name);
  return spoken === "chat" ? body : `event: error\ndata: ${body}\n\n`;
}

type Fields = Readonly<Record<string, string>>;

/** What a target can do with a request, whole or streamed as it is asked. */
export type Sayings = {
  readonly good: Reply;
  /** Goes on behind the beginning of the answer that the request has at its end. */
  readonly goesOn: Reply;
  /** The same for so many words, and then it is cut. */
  readonly goesOnFor: (words: number) => Reply;
  readonly error: (name: ErrorName, fields?: Fields) => Reply;
  readonly errorIn200: (name: ErrorName) => Reply;
  readonly html: Reply;
  readonly redirect: Reply;
  readonly empty: Reply;
  /** The head and, of a stream, what comes before its first output. */
  readonly begins: (end?: "fin" | "proper") => Reply;
  readonly headOnly: Reply;
  readonly beginsWithError: (name: ErrorName, inputTokens?: number) => Reply;
  /** The first words of an answer, of a whole one its first half. */
  readonly half: (then: Half, text?: string) => Reply;
  /** What only keeps a connection alive, again and again, behind so many words of a stream. */
  readonly keepsAlive: (words: number, text?: string) => Reply;
  /** A frame of this between the words. */
  readonly withFrame: (data: string, text?: string) => Reply;
  readonly withoutTerminator: Reply;
  readonly errorBehind: (name: ErrorName) => Reply;
  /** A whole answer to whoever asks for a stream, and the other way round. */
  readonly other: Reply;
  readonly slowly: (waitMs: number) => Reply;
};

/** What comes behind the first words. */
export type Half = "fin" | "rst" | "end" | "nothing" | ErrorName;

/** Resolves when the client has read so much of the answer's text. */
export type Heard = (text: string) => Promise<unknown>;

const LAST_CHUNK = "0\r\n\r\n";
const KEEPALIVE_MS = 40;
const SSE: Fields = { "content-type": "text/event-stream" };

/** What comes behind the words of a stream comes when the client has them, so that nobody can take one for the other. */
export function sayingsOf(spoken: Spoken, part: Part, heard: Heard): Sayings {
  const own = TEXTS[part];
  const all = (text: string, inputTokens?: number) => {
    const { begin, words, finish, terminator } = framesOf(spoken, part, text, inputTokens);
    return [...begin, ...words, ...finish, ...terminator];
  };
  const goodWith = (text: string) => asAsked(streams(all(text)), says(200, wholeOf(spoken, part, text)));
  const inTwo =
    (first: readonly string[], text: string, rest: readonly string[], end: Half): Reply =>
    async (asked) => {
      const { connection } = asked.arrived;
      streams(first, false)(asked);
      await heard(text);
      connection.write(rest.map(chunkOf).join("") + (end === "end" ? LAST_CHUNK : ""));
      if (end === "fin" || end === "rst") connection[end]();
    };
  const half = (then: Half, text = own): Reply => {
    const { begin, words } = framesOf(spoken, part, text);
    const isError = then !== "fin" && then !== "rst" && then !== "end" && then !== "nothing";
    const first = [...begin, ...words.slice(0, WORDS_BEFORE)];
    const stream = inTwo(first, wordsOf(text, WORDS_BEFORE), isError ? [errorFrame(spoken, part, then)] : [], isError ? "end" : then);
    const body = wholeOf(spoken, part, text);
    const cut = body.slice(0, body.length / 2);
    if (then === "end") return asAsked(stream, says(200, cut));
    const whole = says(200, cut, { "content-length": String(body.length) });
    return asAsked(stream, then === "fin" ? both(whole, writes("", "fin")) : whole);
  };
  return {
    good: goodWith(own),
    goesOn: async (asked) => {
      const { prefill } = readRequest((await asked.message).payload);
      return goodWith(SHARED_TEXT.slice(prefill?.length ?? 0))(asked);
    },
    goesOnFor: (count) => async (asked) => {
      const { prefill = "" } = readRequest((await asked.message).payload);
      const text = SHARED_TEXT.slice(prefill.length);
      const { begin, words } = framesOf(spoken, part, text);
      inTwo([...begin, ...words.slice(0, count)], prefill + wordsOf(text, count), [], "fin")(asked);
    },
    error: (name, fields) => says(ERRORS[name][spoken][0], errorBody(spoken, part, name), fields),
    errorIn200: (name) => says(200, errorBody(spoken, part, name)),
    html: says(200, "<!DOCTYPE html><html><body>Please log in to this network</body></html>", { "content-type": "text/html" }),
    redirect: says(302, "", { location: "http://127.0.0.1:1/login" }),
    empty: asAsked(streams([]), says(200, "")),
    begins: (end) => {
      const { begin } = framesOf(spoken, part, own);
      const head = says(200, "", { "content-length": "400" });
      const stream = streams(begin, end === "proper");
      return end === "fin" ? asAsked(both(stream, writes("", "fin")), both(head, writes("", "fin"))) : asAsked(stream, head);
    },
    headOnly: asAsked(
      streams([], false),
      writes("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"),
    ),
    beginsWithError: (name, inputTokens) => {
      const { begin } = framesOf(spoken, part, own, inputTokens);
      return asAsked(streams([...begin, errorFrame(spoken, part, name)]), says(200, errorBody(spoken, part, name)));
    },
    half,
    keepsAlive: (count, text) => async (asked) => {
      const { begin, words } = framesOf(spoken, part, text ?? own);
      const { connection } = asked.arrived;
      streams([...begin, ...words.slice(0, count)], false)(asked);
      const alive = chunkOf(spoken === "chat" ? ": PROCESSING\n\n" : event("ping"));
      while (!connection.hasEnded()) {
        connection.write(alive);
        await Bun.sleep(KEEPALIVE_MS);
      }
    },
    withFrame: (data, text = own) => {
      const { begin, words, finish, terminator } = framesOf(spoken, part, text);
      const rest = [`data: ${data}\n\n`, ...words.slice(WORDS_BEFORE), ...finish, ...terminator];
      return inTwo([...begin, ...words.slice(0, WORDS_BEFORE)], wordsOf(text, WORDS_BEFORE), rest, "end");
    },
    withoutTerminator: (() => {
      const { begin, words, finish } = framesOf(spoken, part, own);
      return streams([...begin, ...words, ...finish], true, SSE);
    })(),
    errorBehind: (name) => {
      const { begin, words, finish } = framesOf(spoken, part, own);
      return inTwo([...begin, ...words, ...finish], own, [errorFrame(spoken, part, name)], "end");
    },
    other: asAsked(says(200, wholeOf(spoken, part, own)), streams(all(own))),
    slowly: (waitMs) => {
      const { begin, words, finish, terminator } = framesOf(spoken, part, own);
      const rest = [...words, ...finish, ...terminator].map(chunkOf).join("");
      const body = wholeOf(spoken, part, own);
      const streamed: Reply = async (asked) => {
        streams(begin, false)(asked);
        await Bun.sleep(waitMs);
        asked.arrived.connection.write(rest + LAST_CHUNK);
      };
      const whole: Reply = async (asked) => {
        says(200, "", { "content-length": String(body.length) })(asked);
        await Bun.sleep(waitMs);
        asked.arrived.connection.write(body);
      };
      return asAsked(streamed, whole);
    },
  };
}

function chunkOf(payload: string): string {
  const text = payload.includes("\n") ? payload : `data: ${payload}\n\n`;
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** A stream to whoever asks for one. */
function asAsked(streamed: Reply, whole: Reply): Reply {
  return async (asked) => (readRequest((await asked.message).payload).stream ? streamed : whole)(asked);
}
