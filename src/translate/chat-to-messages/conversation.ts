import type { JsonObject } from "../../dialects/shared.ts";
import { type Findings, withoutDrops } from "../chat/findings.ts";
import { answeredCall, type Message, readAssistant, readCall, readMessages } from "../chat/messages.ts";
import type { PartTable } from "../chat/parts.ts";
import { dropOthers } from "../chat/validation.ts";
import { INPUT_ARGUMENT } from "../custom-tools.ts";
import { inputOf } from "../tool-input.ts";
import type { RequestOptions } from "../translation.ts";
import { createCallIds } from "./call-ids.ts";
import { ASSISTANT_PARTS, blocksOf, TEXT_PARTS, TOOL_PARTS, textBlock, USER_PARTS } from "./request-parts.ts";

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

export function translateMessages(value: unknown, { systemMessages }: RequestOptions, findings: Findings): Conversation {
  const draft: Draft = { system: [], turns: [], called: new Set(), newId: createCallIds(), open: [] };
  const listeners = {
    system: (message: Message) => addSystemMessage(message, systemMessages === "drop", draft, findings),
    user(message: Message) {
      expectResults(message.place, draft, findings);
      dropOthers(message.json, new Set(["role", "content"]), "messages", findings);
      say(draft, "user", contentOf(message, USER_PARTS, findings));
    },
    assistant: (message: Message) => addAssistantMessage(message, draft, findings),
    tool: (message: Message) => addToolMessage(message, draft, findings),
  };
  readMessages(value, listeners, findings);
  expectResults("messages", draft, findings);
  trimEnd(draft.turns.at(-1));
  return draft;
}

function contentOf({ json, param }: Message, table: PartTable, findings: Findings): readonly JsonObject[] {
  return blocksOf(json.content, `${param}.content`, table, findings);
}

/** Messages of one role in a row are one turn: results and what the user says behind them, for one. */
function say({ turns }: Draft, role: Turn["role"], content: readonly JsonObject[]): void {
  if (content.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === role) last.content.push(...content);
  else turns.push({ role, content: [...content] });
}

/** Wherever it stands in the conversation: the target has one place for it. */
function addSystemMessage(message: Message, isLeftOut: boolean, draft: Draft, findings: Findings) {
  const blocks = contentOf(message, TEXT_PARTS, isLeftOut ? withoutDrops(findings) : findings);
  if (isLeftOut) return;
  dropOthers(message.json, new Set(["role", "content"]), "messages", findings);
  for (const block of blocks) if (typeof block.text === "string") draft.system.push(block.text);
}

const ASSISTANT_KEYS: ReadonlySet<string> = new Set(["role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations"]);

function addAssistantMessage(message: Message, draft: Draft, findings: Findings) {
  expectResults(message.place, draft, findings);
  dropOthers(message.json, ASSISTANT_KEYS, "messages", findings);
  const said = readAssistant(message, findings);
  if (said === undefined) return;
  say(draft, "assistant", [
    ...(said.hasContent ? contentOf(message, ASSISTANT_PARTS, findings) : []),
    ...(said.refusal.trim() === "" ? [] : [textBlock(said.refusal)]),
    ...said.calls.flatMap<JsonObject>((call, index) => callBlock(call, `${message.param}.tool_calls[${index}]`, draft, findings) ?? []),
  ]);
}

/**
 * Arguments that are no JSON object were written by a model, and the client cannot mend them: they stand under a key of
 * their own, as the answer showed them to a client of the Messages API.
 */
function callBlock(value: unknown, param: string, draft: Draft, findings: Findings): JsonObject | undefined {
  const call = readCall(value, param, findings);
  if (call === undefined) return undefined;
  const { id, kind, name, said } = call;
  const sent = draft.newId(id);
  draft.open.push({ id, sent });
  draft.called.add(name);
  return { type: "tool_use", id: sent, name, input: kind === "custom" ? { [INPUT_ARGUMENT]: said } : inputOf(said) };
}

function addToolMessage(message: Message, draft: Draft, findings: Findings) {
  const call = answeredCall(message, (id) => takeOpen(draft, id), findings);
  if (call === undefined) return;
  const content = contentOf(message, TOOL_PARTS, findings);
  say(draft, "user", [{ type: "tool_result", tool_use_id: call.sent, ...(content.length > 0 && { content: shortest(content) }) }]);
}

function takeOpen({ open }: Draft, id: string) {
  const found = open.findIndex((call) => call.id === id);
  return found < 0 ? undefined : open.splice(found, 1)[0];
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
