import { translateAnswer } from "./chat-to-responses/answer.ts";
import { translateRequest } from "./chat-to-responses/request.ts";
import { createStream } from "./chat-to-responses/stream.ts";
import { openaiError } from "./errors.ts";
import type { Translation } from "./translation.ts";

/** Clients that speak OpenAI Chat Completions before a target that speaks OpenAI Responses. */
export const chatToResponses: Translation = {
  client: "chat",
  target: "responses",
  request: translateRequest,
  // Both are OpenAI's: the same credentials, and no version.
  headers: (headers) => headers,
  whole: translateAnswer,
  stream: createStream,
  error: openaiError,
};
