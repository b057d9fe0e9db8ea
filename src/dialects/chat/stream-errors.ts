import type { Dialect } from "../../core/dialect.ts";
import type { StreamErrorEntry } from "../../core/provider.ts";
import type { JsonObject } from "../shared.ts";

const SERVER_ERROR_TEXT =
  "The server had an error processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if you keep seeing this error.";
const FIXTURE = "vercel/ai packages/openai/src/chat/openai-chat-language-model.test.ts";

/** An error takes the place of a chunk. */
export function chatStreamErrors(): Dialect["streamErrors"] {
  const entry = (variant: string, source: string, done: boolean, error: JsonObject): StreamErrorEntry => ({
    variant,
    evidence: "F",
    source,
    text: ({ message }) => `data: ${JSON.stringify({ error: { ...error, ...(message === undefined ? {} : { message }) } })}\n\n`,
    done,
  });
  const serverError = { message: SERVER_ERROR_TEXT, type: "server_error", param: null, code: null };
  return [
    entry("server_error", FIXTURE, true, serverError),
    entry("closed", `${FIXTURE}; the stream ends without [DONE]`, false, serverError),
    entry("numeric_code", FIXTURE, true, { message: "bad request", type: "provider_error", param: null, code: 400 }),
  ];
}
