import { type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { INPUT_ARGUMENT } from "../custom-tools.ts";
import type { RequestOptions } from "../translation.ts";
import { attachmentsOf, nameDroppedParts, refusalOfContent, textOfContent, userContent } from "./content.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import { asksForNothing, type Dropped, drop } from "./dropped.ts";
import { CALLS, itemType, MESSAGES, OUTPUTS, roleOf } from "./items.ts";
import type { OfferedTools } from "./tools.ts";
import type { CustomTools } from "./translate-tools.ts";

export type MessageOptions = {
  readonly systemMessages: RequestOptions["systemMessages"];
  readonly offered: OfferedTools;
  readonly customTools: CustomTools;
  readonly dropped: Dropped;
};

/** The messages for `instructions` and `input`, which have been checked. */
export function translateMessages({ instructions, input }: JsonObject, options: MessageOptions): readonly JsonObject[] {
  const items = typeof input === "string" ? [{ role: "user", content: input }] : objectsOf(input);
  const conversation = createConversation();
  const system = textOf(instructions) === undefined ? [] : [String(instructions)];
  if (options.systemMessages === "input") for (const text of system) conversation.add(systemMessage(text));
  const leftOut = new Set<unknown>();
  for (const item of items) {
    const type = itemType(item);
    if (MESSAGES.has(type)) addMessage(item, conversation, system, options);
    else if (CALLS.has(type)) conversation.addCall(item.call_id, toolCall(item, options));
    else if (OUTPUTS.has(type)) {
      // Codex answers a call of its local shell with the output of a function.
      if (!leftOut.has(item.call_id)) addOutput(item, conversation, options.dropped);
    } else if (type !== "additional_tools") {
      leftOut.add(item.call_id);
      drop(options.dropped, String(type), "input.");
    }
  }
  const isJoined = options.systemMessages === "instructions" && system.length > 0;
  return isJoined ? [systemMessage(system.join("\n\n")), ...conversation.messages] : conversation.messages;
}

/** `developer` is OpenAI's own word; the others have `system` alone, and OpenAI reads it as the same. */
function systemMessage(content: string): JsonObject {
  return { role: "system", content };
}

function addMessage(item: JsonObject, conversation: Conversation, system: string[], options: MessageOptions): void {
  const { content, phase } = item;
  const role = roleOf(item);
  const { systemMessages, dropped } = options;
  if (role === "user") conversation.add({ role, content: userContent(content, dropped) });
  else if (role === "assistant") {
    nameDroppedParts(content, dropped);
    if (!asksForNothing(phase)) drop(dropped, "input.phase");
    conversation.addAssistant(textOfContent(content, ""), refusalOfContent(content));
  } else {
    const text = textOfContent(content, "\n");
    if (systemMessages === "input") conversation.add(systemMessage(text));
    else if (text !== "") system.push(text);
  }
}

function toolCall(item: JsonObject, { offered, customTools }: MessageOptions): JsonObject {
  const { type, call_id: id, name: givenName, namespace, arguments: argumentsText, input } = item;
  const name = offered.chatNameOf(namespace, String(givenName));
  if (type === "function_call") return { id, type: "function", function: { name, arguments: argumentsText } };
  if (customTools === "custom") return { id, type: "custom", custom: { name, input } };
  return { id, type: "function", function: { name, arguments: JSON.stringify({ [INPUT_ARGUMENT]: input }) } };
}

/** A tool's message that would be empty, because everything is in the next one, is refused by some servers. */
const NEXT_MESSAGE = "(The output is in the next message.)";

/** Chat Completions has only text in a tool's message; images and files go into a user's message behind it. */
function addOutput({ call_id, output }: JsonObject, conversation: Conversation, dropped: Dropped): void {
  nameDroppedParts(output, dropped);
  const text = textOfContent(output, "\n");
  const attachments = attachmentsOf(output);
  const content = text === "" && attachments.length > 0 ? NEXT_MESSAGE : text;
  const message = { role: "tool", tool_call_id: call_id, content };
  conversation.addOutput(call_id, message, attachments.length === 0 ? undefined : { role: "user", content: attachments });
}
