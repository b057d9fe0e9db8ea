import type { JsonObject } from "../../dialects/shared.ts";
import type { RequestOptions } from "../translation.ts";
import { type AssistantTurn, assistantTurn } from "./assistant.ts";
import type { Notes } from "./notes.ts";
import { PART_TAGS, type Part, partsOf, textPart, userContent } from "./parts.ts";
import { systemText } from "./system.ts";
import { type ToolResult, toolResult } from "./tool-results.ts";
import { clipped, DICTIONARY, LIST, required, requiredText, STRING, tagOf } from "./values.ts";

/** The messages of a Chat Completions request. */
export function readConversation(notes: Notes, json: JsonObject, mode: RequestOptions["systemMessages"]): readonly JsonObject[] {
  const values = required(notes, json.messages, "messages", LIST) ?? [];
  if (values.length === 0) notes.wrong("messages", "at least one message is required");
  const instructions = json.system === undefined || json.system === null ? [] : [systemText(notes, json.system, "system")];
  const conversation = createConversation(notes);
  for (const [index, value] of values.entries()) {
    const place = `messages.${index}`;
    const message = required(notes, value, place, DICTIONARY);
    if (message === undefined) break;
    const role = required(notes, message.role, `${place}.role`, STRING);
    const content = message.content;
    if (role === "user") conversation.user(content, index);
    else if (role === "assistant") conversation.assistant(content, index);
    // Newer versions of the API have instructions in the middle of a conversation.
    else if (role === "system") {
      const text = systemText(notes, content, `${place}.content`);
      if (mode === "input") conversation.system(text);
      else instructions.push(text);
    } else if (role !== undefined) notes.wrong(`${place}.role`, "Input should be 'user' or 'assistant'");
  }
  const text = instructions.filter((part) => part !== "").join("\n\n");
  const system = mode === "drop" || text === "" ? [] : [{ role: "system", content: text }];
  return [...system, ...conversation.end()];
}

/**
 * Puts messages in the order that Chat Completions wants: a tool's results stand directly after the message with the
 * calls, before what the user says in the same turn. Messages of one role in a row are one turn to the Messages API, so
 * results may come in any of a turn's messages, and each of its calls has exactly one.
 */
function createConversation(notes: Notes) {
  const messages: JsonObject[] = [];
  let last: { readonly index: number; readonly turn: AssistantTurn } | undefined;
  /** The calls of the assistant's last turn that have no result yet, and those that have. */
  let unanswered = new Set<string>();
  let answered = new Set<string>();
  /** Where the next result belongs. */
  let resultsEnd = 0;
  let lastRole: "user" | "assistant" | undefined;

  const closeTurn = () => {
    if (last === undefined || unanswered.size === 0) return;
    const ids = [...unanswered].map(clipped).join(", ");
    notes.wrong(
      `messages.${last.index}`,
      `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
    );
  };

  const addResult = ({ id, message }: ToolResult, place: string) => {
    if (answered.has(id)) {
      notes.wrong(place, `each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${clipped(id)}`);
    } else if (!unanswered.delete(id)) {
      notes.wrong(
        place,
        `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${clipped(id)}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    }
    answered.add(id);
    messages.splice(resultsEnd++, 0, message);
  };

  return {
    user(content: unknown, index: number) {
      lastRole = "user";
      const { results, parts } = userTurn(notes, content, `messages.${index}.content`);
      if (results.length === 0 && parts.length === 0) {
        notes.wrong(`messages.${index}`, "all messages must have non-empty content except for the optional final assistant message");
      }
      for (const { result, place } of results) addResult(result, place);
      const all = [...results.flatMap(({ result }) => result.parts), ...parts];
      if (all.length > 0) messages.push({ role: "user", content: userContent(all) });
    },
    assistant(content: unknown, index: number) {
      const turn = assistantTurn(notes, content, `messages.${index}.content`);
      // Two messages of the assistant in a row are one, or else its calls would not stand before their results.
      const before = lastRole === "assistant" && messages.length === resultsEnd ? last?.turn : undefined;
      const joined = { text: (before?.text ?? "") + turn.text, calls: [...(before?.calls ?? []), ...turn.calls] };
      if (before === undefined) {
        closeTurn();
        unanswered = new Set();
        answered = new Set();
      } else messages.pop();
      for (const { id } of turn.calls) {
        if (unanswered.has(id)) notes.wrong(`messages.${index}.content`, `\`tool_use\` ids must be unique, found twice: ${clipped(id)}`);
        unanswered.add(id);
      }
      messages.push(assistantMessage(joined));
      last = { index, turn: joined };
      resultsEnd = messages.length;
      lastRole = "assistant";
    },
    system(text: string) {
      if (text !== "") messages.push({ role: "system", content: text });
    },
    end(): readonly JsonObject[] {
      closeTurn();
      if (lastRole !== "assistant" || last === undefined || last.turn.calls.length > 0) return messages;
      if (last.turn.text === "") return messages.toSpliced(resultsEnd - 1, 1);
      // The Messages API goes on from a last message of the assistant's; Chat Completions answers it.
      notes.drop("messages.prefill");
      return messages;
    },
  };
}

/** An answer of thinking alone keeps its turn, with nothing in it: some models want the roles to alternate. */
function assistantMessage({ text, calls }: AssistantTurn): JsonObject {
  if (calls.length === 0) return { role: "assistant", content: text };
  return { role: "assistant", content: text === "" ? null : text, tool_calls: calls };
}

type UserTurn = { readonly results: readonly { readonly result: ToolResult; readonly place: string }[]; readonly parts: readonly Part[] };

function userTurn(notes: Notes, content: unknown, place: string): UserTurn {
  if (typeof content === "string") {
    const text = requiredText(notes, content, place);
    return { results: [], parts: text === "" ? [] : [textPart(text)] };
  }
  const results: { readonly result: ToolResult; readonly place: string }[] = [];
  const parts: Part[] = [];
  for (const [index, value] of (required(notes, content, place, LIST) ?? []).entries()) {
    const at = `${place}.${index}`;
    const block = required(notes, value, at, DICTIONARY);
    const tag = block === undefined ? undefined : tagOf(notes, block, at, [...PART_TAGS, "container_upload", "tool_result"]);
    if (block === undefined || tag === undefined) continue;
    if (tag === "tool_result") results.push({ result: toolResult(notes, block, at), place: at });
    else if (tag === "container_upload") notes.wrong(at, "the backend's API has no containers to put files into");
    else parts.push(...partsOf(notes, tag, block, at));
  }
  return { results, parts };
}
