import { request } from "./raw-client.ts";

/** A streamed request of each dialect and framing, and how to take its answer apart. */
export type DialectRequest = {
  readonly name: string;
  readonly provider: "openai" | "anthropic" | "google";
  readonly target: string;
  readonly contentType: "text/event-stream" | "application/json";
  readonly model: string;
  /** The bytes of a request, streamed or whole. */
  readonly bytes: (stream: boolean) => string;
  /** The frames of an answer's text; joined they are the text. */
  readonly frames: (text: string) => readonly string[];
  /** Is it the frame without which the stream is not complete? */
  readonly isTerminal: (frame: string) => boolean;
  readonly isKeepalive: (frame: string) => boolean;
};

const PROMPT = "hello";

export function eventsOf(text: string): readonly string[] {
  return text.split(/(?<=\n\n)/);
}

/** Elements with the bracket or comma before them, then the closing bracket. */
function elementsOf(text: string): readonly string[] {
  return text.split(/(?=\n,\n)|(?=\n\]$)/);
}

function openai(name: string, path: string, body: object, terminal: RegExp): DialectRequest {
  return {
    name,
    provider: "openai",
    target: path,
    contentType: "text/event-stream",
    model: "gpt-4o",
    bytes: (stream) => request("POST", path, { authorization: "Bearer sk-x" }, JSON.stringify({ model: "gpt-4o", ...body, stream })),
    frames: eventsOf,
    isTerminal: (frame) => terminal.test(frame),
    isKeepalive: (frame) => frame.startsWith(":") || frame.startsWith("event: keepalive\n"),
  };
}

function gemini(name: string, query: string): DialectRequest {
  const target = (method: string) => `/v1beta/models/gemini-2.5-pro:${method}`;
  const body = JSON.stringify({ contents: [{ role: "user", parts: [{ text: PROMPT }] }] });
  const isSse = query !== "";
  return {
    name,
    provider: "google",
    target: target("streamGenerateContent") + query,
    contentType: isSse ? "text/event-stream" : "application/json",
    model: "gemini-2.5-pro",
    bytes: (stream) =>
      request("POST", stream ? target("streamGenerateContent") + query : target("generateContent"), { "x-goog-api-key": "AIza-x" }, body),
    frames: isSse ? eventsOf : elementsOf,
    isTerminal: (frame) => frame.includes('"finishReason"'),
    isKeepalive: (frame) => frame.startsWith(":"),
  };
}

export const DIALECT_REQUESTS: readonly DialectRequest[] = [
  openai("chat", "/v1/chat/completions", { messages: [{ role: "user", content: PROMPT }] }, /^data: \[DONE\]/),
  openai("responses", "/v1/responses", { input: PROMPT }, /^event: response\.(completed|incomplete|failed)\n/),
  {
    name: "messages",
    provider: "anthropic",
    target: "/v1/messages",
    contentType: "text/event-stream",
    model: "claude-opus-4-5",
    bytes: (stream) =>
      request(
        "POST",
        "/v1/messages",
        { "x-api-key": "sk-ant-x" },
        JSON.stringify({ model: "claude-opus-4-5", max_tokens: 99, messages: [{ role: "user", content: PROMPT }], stream }),
      ),
    frames: eventsOf,
    isTerminal: (frame) => frame.startsWith("event: message_stop\n"),
    isKeepalive: (frame) => frame.startsWith("event: ping\n"),
  },
  gemini("gemini with alt=sse", "?alt=sse"),
  gemini("gemini as an array", ""),
];

/** The payload of a frame: what its reader would parse. */
export function payloadOf(frame: string): string {
  const data = frame.split("\n").filter((line) => line.startsWith("data: "));
  return data.length > 0 ? data.map((line) => line.slice("data: ".length)).join("\n") : frame.replace(/^\n?[[,\s]\n?/, "");
}

export function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Without what differs between two answers to the same request: ids that follow from the number of the exchange, and times. */
export function comparable(text: string): string {
  return text.replaceAll(/sim[0-9a-z]{21,}/g, "ID").replaceAll(/"(created|created_at|completed_at)":\d+/g, '"$1":0');
}
