import type { JsonObject } from "../../dialects/shared.ts";
import { createFindings, type Findings } from "../chat/findings.ts";
import {
  type Body,
  type Parameter as ChatParameter,
  handled,
  isEmpty,
  isNought,
  kept,
  maxTokens,
  readParameters,
  stopSequences,
  WITHOUT_TARGET,
  withoutEquivalent,
} from "../chat/parameters.ts";
import { decimal, dropOthers, flag, integer, keptObject, object, oneOf, optional, text } from "../chat/validation.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../translation.ts";
import { type Conversation, shortest, translateMessages } from "./conversation.ts";
import { type Abilities, abilitiesOf } from "./models.ts";
import { translateTools } from "./request-tools.ts";
import { translateFormat } from "./response-format.ts";

type Draft = {
  readonly json: JsonObject;
  readonly abilities: Abilities;
  readonly body: Body;
  /** Becomes `output_config`. */
  readonly output: Body;
  /** For the system prompt, behind the client's own. */
  readonly instructions: string[];
};

type Parameter = ChatParameter<Draft>;

export function translateRequest(json: JsonObject, options: RequestOptions): TranslatedRequest | RequestMistake {
  const findings = createFindings();
  const abilities = abilitiesOf(typeof json.model === "string" ? json.model : "");
  const conversation = translateMessages(json.messages, options, findings);
  const draft: Draft = { json, abilities, body: {}, output: {}, instructions: [] };
  readParameters(json, PARAMETERS, draft, findings);
  const { model, max_tokens = abilities.limitTokens, ...rest } = draft.body;
  const body = {
    ...(model !== undefined && { model }),
    max_tokens,
    ...spoken(conversation, draft.instructions, findings),
    ...translateTools(json, conversation.called, findings),
    ...rest,
    ...(Object.keys(draft.output).length > 0 && { output_config: draft.output }),
  };
  return findings.mistake() ?? { kind: "request", body, dropped: findings.dropped() };
}

/** A conversation needs a turn: where there are instructions alone, they are what the user says. */
function spoken({ system, turns }: Conversation, instructions: readonly string[], findings: Findings): JsonObject {
  const prompt = [...system, ...instructions].join("\n\n");
  if (turns.length > 0) {
    return {
      ...(prompt !== "" && { system: prompt }),
      messages: turns.map(({ role, content }) => ({ role, content: shortest(content) })),
    };
  }
  if (system.length === 0) {
    findings.wrong(
      "invalid_value",
      "messages",
      "Invalid 'messages': none of them says anything, and the backend of this model refuses blank ones.",
    );
  }
  return { messages: [{ role: "user", content: prompt }] };
}

// ---- what becomes of a parameter ----

/** The target's scale ends at 1, where OpenAI's ends at 2; a temperature of 1 is its default, as it is OpenAI's. */
const temperature: Parameter = (value, name, { abilities, body }, findings) => {
  const found = decimal(value, name, findings);
  if (found === undefined) return;
  if (abilities.sampling === "none") {
    if (found !== 1) findings.drop(name);
    return;
  }
  if (found > 1) findings.drop(name);
  body.temperature = Math.min(found, 1);
};

const topP: Parameter = (value, name, { json, abilities: { sampling }, body }, findings) => {
  const found = decimal(value, name, findings);
  if (found === undefined) return;
  const isTaken = sampling === "both" || (sampling === "one" && typeof json.temperature !== "number");
  if (isTaken) body.top_p = found;
  else if (found !== 1) findings.drop(name);
};

/** Sequences of blanks alone are refused by the target. */
const stop: Parameter = (value, name, { body }, findings) => {
  const all = stopSequences(value, name, findings) ?? [];
  const sequences = all.filter((sequence) => sequence.trim() !== "");
  if (sequences.length < all.length) findings.drop(name);
  if (sequences.length > 0) body.stop_sequences = sequences;
};

/** Usage always arrives; the other option says something of OpenAI's service. */
const streamOptions: Parameter = (value, name, _draft, findings) => {
  const options = object(value, name, findings);
  if (options === undefined) return;
  optional(flag)(options.include_usage, `${name}.include_usage`, findings);
  if (optional(flag)(options.include_obfuscation, `${name}.include_obfuscation`, findings)) findings.drop(`${name}.include_obfuscation`);
  dropOthers(options, new Set(["include_usage", "include_obfuscation"]), name, findings);
};

/**
 * How much trouble the model takes. Thinking itself is not turned on: the target wants its signed thinking back with the
 * results of tools, and Chat Completions has no place for it.
 */
const effort: Parameter = (value, name, { abilities: { efforts }, output }, findings) => {
  const found = text(value, name, findings);
  if (found === undefined) return;
  const known = EFFORTS.get(found);
  if (efforts === undefined || known === undefined) return findings.drop(name);
  const isTaken = known === found && (efforts.includes(known) || !ABOVE_HIGH.has(known));
  if (!isTaken) findings.drop(name);
  output.effort = ABOVE_HIGH.has(known) && !efforts.includes(known) ? "high" : known;
};

const EFFORTS: ReadonlyMap<string, string> = new Map([
  ["minimal", "low"],
  ["low", "low"],
  ["medium", "medium"],
  ["high", "high"],
  ["xhigh", "xhigh"],
  ["max", "max"],
]);
const ABOVE_HIGH: ReadonlySet<string> = new Set(["xhigh", "max"]);

const responseFormat: Parameter = (value, name, { abilities, output, instructions }, findings) => {
  const { format, instruction } = translateFormat(value, name, abilities.schemas, findings);
  if (format !== undefined) output.format = format;
  if (instruction !== undefined) instructions.push(instruction);
};

/** The one who asks, which the newer name tells where both are given. */
const user: Parameter = (value, name, { json, body }, findings) => {
  const found = text(value, name, findings);
  const isReplaced = name === "user" && typeof json.safety_identifier === "string" && json.safety_identifier !== "";
  if (found === undefined || found === "" || isReplaced) return;
  if (isTakenUser(found)) body.metadata = { user_id: found };
  else findings.drop(name);
};

const USER_CHARACTERS_MAX = 256;

/** Addresses and telephone numbers are refused: an id is to say nothing of a person (BerriAI/litellm#10106). */
function isTakenUser(id: string): boolean {
  return id.length <= USER_CHARACTERS_MAX && !/\S@\S+\.\S/.test(id) && !/^\+[\d\s().-]{7,20}$/.test(id);
}

/** OpenAI's usual service is the target's without its dearer capacity; its choice is the target's choice. */
const serviceTier: Parameter = (value, name, { body }, findings) => {
  const found = text(value, name, findings);
  if (found === "default") body.service_tier = "standard_only";
  else if (found !== undefined && found !== "auto") findings.drop(name);
};

const isOff = (value: boolean) => !value;

const PARAMETERS: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ...WITHOUT_TARGET,
  ["messages", handled],
  ["tools", handled],
  ["tool_choice", handled],
  ["parallel_tool_calls", handled],
  ["model", kept(text)],
  ["stream", kept(flag)],
  ["temperature", temperature],
  ["top_p", topP],
  ["max_tokens", maxTokens("max_tokens")],
  ["max_completion_tokens", maxTokens("max_tokens")],
  ["stop", stop],
  ["stream_options", streamOptions],
  ["reasoning_effort", effort],
  ["response_format", responseFormat],
  ["user", user],
  ["safety_identifier", user],
  ["service_tier", serviceTier],
  ["store", withoutEquivalent(flag, isOff)],
  ["logprobs", withoutEquivalent(flag, isOff)],
  ["top_logprobs", withoutEquivalent(integer(0), isNought)],
  ["metadata", withoutEquivalent(keptObject, isEmpty)],
  ["verbosity", withoutEquivalent(oneOf(["low", "medium", "high"]), (verbosity) => verbosity === "medium")],
  ["prompt_cache_key", withoutEquivalent(text)],
  ["prompt_cache_options", withoutEquivalent(object)],
  ["prompt_cache_retention", withoutEquivalent(text)],
]);
