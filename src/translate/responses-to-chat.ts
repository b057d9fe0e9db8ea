import { openaiError } from "./errors.ts";
import { translateRequest } from "./responses-to-chat/request.ts";
import { translateStream } from "./responses-to-chat/stream.ts";
import type { CustomTools } from "./responses-to-chat/translate-tools.ts";
import { translateWhole } from "./responses-to-chat/whole.ts";
import type { Translation } from "./translation.ts";

/** For clients of OpenAI's Responses API, such as Codex, in front of a target that speaks Chat Completions. */
export const responsesToChat: Translation = createResponsesToChat("custom");

/** The same for targets that know no custom tools; calls come back as calls of custom tools either way. */
export const responsesToChatFunctions: Translation = createResponsesToChat("function");

function createResponsesToChat(customTools: CustomTools): Translation {
  return {
    client: "responses",
    target: "chat",
    request: (json, options) => translateRequest(json, options, customTools),
    // Both dialects are OpenAI's: the credentials stand in the same field.
    headers: (headers) => headers,
    whole: translateWhole,
    stream: translateStream,
    error: openaiError,
  };
}
