import type { JsonObject } from "../../dialects/shared.ts";

/**
 * The messages of a Chat request in the making. The Responses API has calls, their outputs and messages in any order; Chat
 * Completions wants all calls of a turn in one message of the assistant, and their outputs directly after it. So calls join the
 * assistant's message before them, and what came between calls and outputs goes after the outputs. Codex does send such
 * (BerriAI/litellm#32536).
 */
export type Conversation = {
  readonly add: (message: JsonObject) => void;
  readonly addAssistant: (text: string, refusal: string | undefined) => void;
  readonly addCall: (callId: unknown, call: JsonObject) => void;
  /** `attached` follows when all open calls are answered. */
  readonly addOutput: (callId: unknown, message: JsonObject, attached: JsonObject | undefined) => void;
  /** To be read when everything was added. */
  readonly messages: readonly JsonObject[];
};

type AssistantMessage = { role: "assistant"; content: string | null; refusal?: string; tool_calls?: JsonObject[] };

export function createConversation(): Conversation {
  const messages: JsonObject[] = [];
  /** What waits until the open calls are answered. */
  const waiting: JsonObject[] = [];
  const unanswered = new Set<unknown>();
  /** The assistant's message that stands last, or whose calls are open. */
  let assistant: AssistantMessage | undefined;

  const add = (message: JsonObject) => {
    if (unanswered.size > 0) {
      waiting.push(message);
      return;
    }
    assistant = undefined;
    messages.push(message);
  };
  return {
    messages,
    add,
    addAssistant(text, refusal) {
      if (text === "" && refusal === undefined) return;
      if (assistant === undefined || unanswered.size === 0) {
        assistant = { role: "assistant", content: text, ...(refusal !== undefined && { refusal }) };
        messages.push(assistant);
        return;
      }
      // It was said in the turn of the calls.
      assistant.content = assistant.content === null ? text : `${assistant.content}\n${text}`;
      if (refusal !== undefined) assistant.refusal = refusal;
    },
    addCall(callId, call) {
      if (assistant === undefined || (unanswered.size === 0 && assistant.tool_calls !== undefined)) {
        assistant = { role: "assistant", content: null };
        messages.push(assistant);
      }
      assistant.tool_calls ??= [];
      assistant.tool_calls.push(call);
      unanswered.add(callId);
    },
    addOutput(callId, message, attached) {
      if (!unanswered.delete(callId)) {
        add(message);
        if (attached !== undefined) add(attached);
        return;
      }
      messages.push(message);
      if (attached !== undefined) waiting.push(attached);
      if (unanswered.size > 0) return;
      assistant = undefined;
      messages.push(...waiting.splice(0));
    },
  };
}
