import type { DialectName } from "../core/dialect.ts";
import { chatToMessages } from "./chat-to-messages.ts";
import { chatToResponses } from "./chat-to-responses.ts";
import { messagesToChat } from "./messages-to-chat.ts";
import { responsesToChat } from "./responses-to-chat.ts";
import { through } from "./through.ts";
import type { Translation } from "./translation.ts";

const ALL: readonly Translation[] = [
  chatToResponses,
  chatToMessages,
  responsesToChat,
  messagesToChat,
  through(messagesToChat, chatToResponses),
  through(responsesToChat, chatToMessages),
];

/** From the dialect of a client to that of a target; undefined where nobody has written it. */
export function translationBetween(client: DialectName, target: DialectName): Translation | undefined {
  return ALL.find((translation) => translation.client === client && translation.target === target);
}
