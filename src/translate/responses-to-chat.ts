import { openaiError } from "./errors.ts";
import { translateRequest } from "./responses-to-chat/request.ts";
import { translateStream } from "./responses-to-chat/stream.ts";
import { translateWhole } from "./responses-to-chat/whole.ts";
import type { Translation } from "./translation.ts";

/** For clients of OpenAI's Responses API, such as Codex, in front of a target that speaks Chat Completions. */
export const responsesToChat: Translation = {
  client: "responses",
  target: "chat",
  request: translateRequest,
  // Both dialects are OpenAI's: the credentials stand in the same field.
  headers: (headers) => headers,
  whole: translateWhole,
  stream: translateStream,
  error: openaiError,
};
