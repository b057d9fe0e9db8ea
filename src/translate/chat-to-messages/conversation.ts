import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import {
  dropOthers,
  filledList,
  filledText,
  list,
  messageText,
  missing,
  object,
  oneOf,
  optional,
  required,
  text,
  unsupported,
} from "../chat/validation.ts";
import { INPUT_ARGUMENT } from "../custom-tools.ts";
import { inputOf } from "../tool-input.ts";
import type { RequestOptions } from "../translation.ts";
import { createCallIds } from "./call-ids.ts";
import { ASSISTANT_PARTS, blocksOf, type PartTable, TEXT_PARTS, TOOL_PARTS, textBlock, USER_PARTS } from "./request-parts.ts";

export type Turn = { readonly role: "user" | "assistant"; readonly content: readonly JsonObject[] };

export type Conversation = {
  readonly system: readonly string[];
  readonly turns: readonly Turn[];
  /** The names of the tools that were called. */
  readonly called: ReadonlySet<string>;
};

/** What has been said so far. */
type Draft = {
  readonly system: string[];
  readonly turns: { readonly role: Turn["role"]; readonly content: JsonObject[] }[];
  readonly called: Set<string>;
  readonly newId: (id: string) => string;
  /** The calls that have no result yet, by the id that they have for the client and the one for the target. */
  readonly open: { readonly id: string; readonly sent: string }[];
};

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

export function translateMessages(value: unknown, { systemMessages }: RequestOptions, findings: Findings): Conversation {
  const messages = required(filledList("objects"))(value, "messages", findings) ?? [];
  const draft: Draft = { system: [], turns: [], called: new Set(), newId: createCallIds(), open: [] };
  for (const [index, element] of messages.entries()) {
    const message = object(element, `messages[${index}]`, findings);
    if (message !== undefined) addMessage(message, index, systemMessages, draft, findings);
    if (findings.mistake() !== undefined) break;
  }
  expectResults("messages", draft, findings);
  trimEnd(draft.turns.at(-1));
  return draft;
}

function addMessage(
  message: JsonObject,
  index: number,
  systemMessages: RequestOptions["systemMessages"],
  draft: Draft,
  findings: Findings,
) {
  const param = `messages[${index}]`;
  const role = required(text)(message.role, `${param}.role`, findings);
  optional(text)(message.name, `${param}.name`, findings);
  switch (role) {
    case undefined:
      return;
    case "system":
    case "developer":
      return addSystemMessage(message, param, systemMessages === "drop", draft, findings);
    case "user":
      expectResults(`messages.[${index}].role`, draft, findings);
      dropOthers(message, new Set(["role", "content"]), "messages", findings);
      return say(draft, role, contentOf(message, param, USER_PARTS, findings));
    case "assistant":
      expectResults(`messages.[${index}].role`, draft, findings);
      return addAssistantMessage(message, param, draft, findings);
    case "tool":
      return addToolMessage(message, index, draft, findings);
    case "function":
      return findings.wrong(
        "unsupported_value",
        `${param}.role`,
        `Unsupported value: '${param}.role' does not support 'function'. Use the role 'tool' with a 'tool_call_id'.`,
      );
    default:
      return unsupported(role, ROLES, `${param}.role`, findings);
  }
}

function contentOf({ content }: JsonObject, param: string, table: PartTable, findings: Findings): readonly JsonObject[] {
  return blocksOf(content, `${param}.content`, table, findings);
}

/** Messages of one role in a row are one turn: results and what the user says behind them, for one. */
function say({ turns }: Draft, role: Turn["role"], content: readonly JsonObject[]): void {
  if (content.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === role) last.content.push(...content);
  else turns.push({ role, content: [...content] });
}

/** Wherever it stands in the conversation: the target has one place for it. */
function addSystemMessage(message: JsonObject, param: string, isLeftOut: boolean, draft: Draft, findings: Findings) {
  // What is left out because of the settings has lost nothing that the target could not express.
  const blocks = contentOf(message, param, TEXT_PARTS, isLeftOut ? { ...findings, drop: () => {} } : findings);
  if (isLeftOut) return;
  dropOthers(message, new Set(["role", "content"]), "messages", findings);
  for (const block of blocks) if (typeof block.text === "string") draft.system.push(block.text);
}

const ASSISTANT_KEYS: ReadonlySet<string> = new Set(["role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations"]);

function addAssistantMessage(message: JsonObject, param: string, draft: Draft, findings: Findings) {
  const { content, audio, function_call } = message;
  dropOthers(message, ASSISTANT_KEYS, "messages", findings);
  if (function_call !== undefined && function_call !== null) {
    const name = `${param}.function_call`;
    return findings.wrong("unsupported_parameter", name, `Unsupported parameter: '${name}'. Use '${param}.tool_calls' instead.`);
  }
  if (audio !== undefined && audio !== null) {
    // Only the service that spoke knows what the id stands for; without it the model would not know what it said.
    const name = `${param}.audio`;
    return findings.wrong(
      "unsupported_content",
      name,
      `Unsupported content: '${name}' is audio, which the backend of this model cannot take.`,
    );
  }
  const refusal = optional(messageText)(message.refusal, `${param}.refusal`, findings) ?? "";
  const calls = optional(list("objects"))(message.tool_calls, `${param}.tool_calls`, findings) ?? [];
  const hasMore = calls.length > 0 || refusal !== "";
  const isAbsent = content === undefined || content === null;
  if (isAbsent && !hasMore) return missing(`${param}.content`, findings);
  const saysNothing = isAbsent || (Array.isArray(content) && content.length === 0);
  say(draft, "assistant", [
    ...(saysNothing && hasMore ? [] : contentOf(message, param, ASSISTANT_PARTS, findings)),
    ...(refusal.trim() === "" ? [] : [textBlock(refusal)]),
    ...calls.flatMap<JsonObject>((call, index) => callBlock(call, `${param}.tool_calls[${index}]`, draft, findings) ?? []),
  ]);
}

/** The index stands there for streams that were joined; it says nothing. */
const CALL_KEYS: ReadonlySet<string> = new Set(["id", "type", "function", "custom", "index"]);

/**
 * Arguments that are no JSON object were written by a model, and the client cannot mend them: they stand under a key of
 * their own, as the answer showed them to a client of the Messages API.
 */
function callBlock(value: unknown, param: string, draft: Draft, findings: Findings): JsonObject | undefined {
  const call = object(value, param, findings);
  if (call === undefined) return undefined;
  dropOthers(call, CALL_KEYS, "messages.tool_calls", findings);
  const id = required(filledText)(call.id, `${param}.id`, findings);
  // Clients exist that leave the type of a function's call out.
  const given = call.type === undefined && call.function !== undefined ? "function" : call.type;
  const kind = required(oneOf(["function", "custom"]))(given, `${param}.type`, findings);
  const called = kind && required(object)(call[kind], `${param}.${kind}`, findings);
  if (id === undefined || called === undefined) return undefined;
  const key = kind === "custom" ? "input" : "arguments";
  dropOthers(called, new Set(["name", key]), `messages.tool_calls.${kind}`, findings);
  const name = required(filledText)(called.name, `${param}.${kind}.name`, findings);
  const said = required(messageText)(called[key], `${param}.${kind}.${key}`, findings);
  if (name === undefined || said === undefined) return undefined;
  const sent = draft.newId(id);
  draft.open.push({ id, sent });
  draft.called.add(name);
  return { type: "tool_use", id: sent, name, input: kind === "custom" ? { [INPUT_ARGUMENT]: said } : inputOf(said) };
}

function addToolMessage(message: JsonObject, index: number, { open, ...draft }: Draft, findings: Findings) {
  const param = `messages[${index}]`;
  dropOthers(message, new Set(["role", "content", "tool_call_id"]), "messages", findings);
  const id = required(filledText)(message.tool_call_id, `${param}.tool_call_id`, findings);
  if (id === undefined) return;
  const found = open.findIndex((call) => call.id === id);
  const [call] = found < 0 ? [] : open.splice(found, 1);
  if (call === undefined) {
    // OpenAI's own text and place, dot and spelling included (dimagi/open-chat-studio#1659).
    const said = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
    return findings.wrong(null, `messages.[${index}].role`, said);
  }
  const content = contentOf(message, param, TOOL_PARTS, findings);
  const result = { type: "tool_result", tool_use_id: call.sent, ...(content.length > 0 && { content: shortest(content) }) };
  say({ open, ...draft }, "user", [result]);
}

/** Both APIs want a result of every call before anything else is said. */
function expectResults(place: string, { open }: Draft, findings: Findings) {
  if (open.length === 0) return;
  const ids = open.map(({ id }) => id).join(", ");
  findings.wrong(
    null,
    place,
    // OpenAI's own text.
    `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${ids.slice(0, IDS_CHARACTERS_MAX)}`,
  );
}

const IDS_CHARACTERS_MAX = 200;

/** The target goes on from a last turn of the assistant's, and refuses one that ends with blanks. */
function trimEnd(last: Draft["turns"][number] | undefined): void {
  const block = last?.content.at(-1);
  if (last?.role !== "assistant" || typeof block?.text !== "string") return;
  last.content.splice(-1, 1, textBlock(block.text.trimEnd()));
}

/** One text alone as a string, which every server behind this API understands. */
export function shortest(content: readonly JsonObject[]): unknown {
  const [first, ...others] = content;
  return others.length === 0 && first?.type === "text" ? first.text : content;
}
