import { anthropicError } from "./errors.ts";
import { translateHeaders } from "./messages-to-chat/headers.ts";
import { translateRequest } from "./messages-to-chat/request.ts";
import { translateStream } from "./messages-to-chat/stream.ts";
import { translateWhole } from "./messages-to-chat/whole.ts";
import type { Translation } from "./translation.ts";

/** Clients of the Messages API, Claude Code above all, in front of a target that speaks Chat Completions. */
export const messagesToChat: Translation = {
  client: "messages",
  target: "chat",
  request: translateRequest,
  headers: translateHeaders,
  whole: translateWhole,
  stream: translateStream,
  error: anthropicError,
};
