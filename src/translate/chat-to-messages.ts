import { translateAnswer } from "./chat-to-messages/answer.ts";
import { translateHeaders } from "./chat-to-messages/headers.ts";
import { translateRequest } from "./chat-to-messages/request.ts";
import { translateStream } from "./chat-to-messages/stream.ts";
import { openaiError } from "./errors.ts";
import type { Translation } from "./translation.ts";

/** Clients that speak OpenAI Chat Completions before a target that speaks Anthropic's Messages API. */
export const chatToMessages: Translation = {
  client: "chat",
  target: "messages",
  request: translateRequest,
  headers: translateHeaders,
  whole: translateAnswer,
  stream: translateStream,
  error: openaiError,
};
