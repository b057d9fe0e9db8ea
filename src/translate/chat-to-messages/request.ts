import type { JsonObject } from "../../dialects/shared.ts";
import { createFindings, type Findings } from "../chat/findings.ts";
import {
  type Check,
  decimal,
  dropOthers,
  flag,
  integer,
  keptObject,
  list,
  object,
  oneOf,
  optional,
  text,
  wrongType,
} from "../chat/validation.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../translation.ts";
import { type Conversation, shortest, translateMessages } from "./conversation.ts";
import { type Abilities, abilitiesOf } from "./models.ts";
import { translateTools } from "./request-tools.ts";
import { translateFormat } from "./response-format.ts";

type Draft = {
  readonly json: JsonObject;
  readonly abilities: Abilities;
  readonly body: Record<string, unknown>;
  /** Becomes `output_config`. */
  readonly output: Record<string, unknown>;
  /** For the system prompt, behind the client's own. */
  readonly instructions: string[];
};

/** What one parameter of the client becomes. It is given, and not null. */
type Parameter = (value: unknown, name: string, draft: Draft, findings: Findings) => void;

export function translateRequest(json: JsonObject, options: RequestOptions): TranslatedRequest | RequestMistake {
  const findings = createFindings();
  const abilities = abilitiesOf(typeof json.model === "string" ? json.model : "");
  const conversation = translateMessages(json.messages, options, findings);
  const draft: Draft = { json, abilities, body: {}, output: {}, instructions: [] };
  for (const name of Object.keys(json)) {
    const value = json[name];
    if (findings.mistake() !== undefined || value === null || value === undefined) continue;
    const parameter = PARAMETERS.get(name);
    if (parameter === undefined) findings.drop(name);
    else parameter(value, name, draft, findings);
  }
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

function kept(check: Check<unknown>): Parameter {
  return (value, name, { body }, findings) => {
    body[name] = check(value, name, findings);
  };
}

/** The target has nothing like it. Where it asks for nothing, nothing is lost. */
function withoutEquivalent<T>(check: Check<T>, asksForNothing: (value: T) => boolean = () => false): Parameter {
  return (value, name, _draft, findings) => {
    const found = check(value, name, findings);
    if (found !== undefined && !asksForNothing(found)) findings.drop(name);
  };
}

/** Leaving these out would give an answer of another kind than the one asked for. */
function refused(why: string): Parameter {
  return (_value, name, _draft, findings) => findings.wrong("unsupported_parameter", name, `Unsupported parameter: '${name}'. ${why}`);
}

const USE_TOOLS = "Use 'tools' and 'tool_choice' instead.";
const NO_AUDIO = "The backend of this model answers with text alone.";

const maxTokens: Parameter = (value, name, { json, body }, findings) => {
  const found = integer(1)(value, name, findings);
  const isReplaced = name === "max_tokens" && typeof json.max_completion_tokens === "number";
  if (!isReplaced) body.max_tokens = found;
};

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
  const all = typeof value === "string" ? [value] : value;
  if (!Array.isArray(all) || !all.every((sequence) => typeof sequence === "string")) {
    return wrongType("one of a string or array of strings", value, name, findings);
  }
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

const modalities: Parameter = (value, name, _draft, findings) => {
  for (const [index, modality] of (list("strings")(value, name, findings) ?? []).entries()) {
    const found = text(modality, `${name}[${index}]`, findings);
    if (found !== undefined && found !== "text") findings.wrong("unsupported_value", name, `Unsupported value: '${name}'. ${NO_AUDIO}`);
  }
};

/** Read with the conversation, or with the tools. */
const handled: Parameter = () => {};
const isOff = (value: boolean) => !value;
const isNought = (value: number) => value === 0;
const isEmpty = (value: JsonObject) => Object.keys(value).length === 0;

/** A map, for a client may name a parameter `__proto__`. */
const PARAMETERS: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ["messages", handled],
  ["tools", handled],
  ["tool_choice", handled],
  ["parallel_tool_calls", handled],
  ["model", kept(text)],
  ["stream", kept(flag)],
  ["temperature", temperature],
  ["top_p", topP],
  ["max_tokens", maxTokens],
  ["max_completion_tokens", maxTokens],
  ["stop", stop],
  ["stream_options", streamOptions],
  ["reasoning_effort", effort],
  ["response_format", responseFormat],
  ["user", user],
  ["safety_identifier", user],
  ["service_tier", serviceTier],
  ["functions", refused(USE_TOOLS)],
  ["function_call", refused(USE_TOOLS)],
  ["audio", refused(NO_AUDIO)],
  ["modalities", modalities],
  ["store", withoutEquivalent(flag, isOff)],
  ["logprobs", withoutEquivalent(flag, isOff)],
  ["top_logprobs", withoutEquivalent(integer(0), isNought)],
  ["n", withoutEquivalent(integer(1), (n) => n === 1)],
  ["seed", withoutEquivalent(integer())],
  ["frequency_penalty", withoutEquivalent(decimal, isNought)],
  ["presence_penalty", withoutEquivalent(decimal, isNought)],
  ["logit_bias", withoutEquivalent(object, isEmpty)],
  ["metadata", withoutEquivalent(keptObject, isEmpty)],
  ["verbosity", withoutEquivalent(oneOf(["low", "medium", "high"]), (verbosity) => verbosity === "medium")],
  ["prediction", withoutEquivalent(object)],
  ["web_search_options", withoutEquivalent(object)],
  ["moderation", withoutEquivalent(object)],
  ["prompt_cache_key", withoutEquivalent(text)],
  ["prompt_cache_options", withoutEquivalent(object)],
  ["prompt_cache_retention", withoutEquivalent(text)],
]);
