import type { JsonObject } from "../../dialects/shared.ts";
import { createFindings, type Findings } from "../chat/findings.ts";
import {
  type Check,
  decimal,
  dropOthers,
  filledText,
  flag,
  integer,
  keptObject,
  list,
  object,
  oneOf,
  optional,
  required,
  text,
  wrongType,
} from "../chat/validation.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../translation.ts";
import { translateMessages } from "./request-messages.ts";
import { translateToolChoice, translateTools } from "./request-tools.ts";

type Draft = { readonly json: JsonObject; readonly body: Record<string, unknown>; readonly text: Record<string, unknown> };

/** What one parameter of the client becomes. It is given, and not null. */
type Parameter = (value: unknown, name: string, draft: Draft, findings: Findings) => void;

export function translateRequest(json: JsonObject, options: RequestOptions): TranslatedRequest | RequestMistake {
  const findings = createFindings();
  const { input, instructions } = translateMessages(json.messages, options, findings);
  const body: Record<string, unknown> = { input, ...(instructions !== undefined && { instructions }), store: false };
  const draft: Draft = { json, body, text: {} };
  for (const name of Object.keys(json)) {
    const value = json[name];
    if (findings.mistake() !== undefined || value === null || value === undefined) continue;
    const parameter = PARAMETERS.get(name);
    if (parameter === undefined) findings.drop(name);
    else parameter(value, name, draft, findings);
  }
  if (Object.keys(draft.text).length > 0) body.text = draft.text;
  return findings.mistake() ?? { kind: "request", body, dropped: findings.dropped() };
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

const stopSequences: Check<readonly unknown[]> = (value, name, findings) => {
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((sequence) => typeof sequence === "string")) return value;
  return wrongType("one of a string or array of strings", value, name, findings);
};

const modalities: Parameter = (value, name, _draft, findings) => {
  for (const [index, modality] of (list("strings")(value, name, findings) ?? []).entries()) {
    const found = text(modality, `${name}[${index}]`, findings);
    if (found !== undefined && found !== "text") findings.wrong("unsupported_value", name, `Unsupported value: '${name}'. ${NO_AUDIO}`);
  }
};

const maxTokens: Parameter = (value, name, { json, body }, findings) => {
  const found = integer(1)(value, name, findings);
  const isReplaced = name === "max_tokens" && typeof json.max_completion_tokens === "number";
  if (!isReplaced) body.max_output_tokens = found;
};

const logprobs: Parameter = (value, name, { body }, findings) => {
  if (flag(value, name, findings) === true) body.include = ["message.output_text.logprobs"];
};

/** Usage always arrives, so only the other option goes on; without a stream neither means anything. */
const streamOptions: Parameter = (value, name, { json, body }, findings) => {
  const options = object(value, name, findings);
  if (options === undefined) return;
  optional(flag)(options.include_usage, `${name}.include_usage`, findings);
  const include_obfuscation = optional(flag)(options.include_obfuscation, `${name}.include_obfuscation`, findings);
  dropOthers(options, new Set(["include_usage", "include_obfuscation"]), name, findings);
  if (include_obfuscation !== undefined && json.stream === true) body.stream_options = { include_obfuscation };
};

const responseFormat: Parameter = (value, name, draft, findings) => {
  const format = object(value, name, findings);
  const type = format && required(oneOf(["text", "json_object", "json_schema"]))(format.type, `${name}.type`, findings);
  if (type === "json_schema") draft.text.format = schemaFormat(format, `${name}.json_schema`, findings);
  else draft.text.format = { type };
};

function schemaFormat(format: JsonObject | undefined, param: string, findings: Findings): JsonObject | undefined {
  const inner = required(object)(format?.json_schema, param, findings);
  if (inner === undefined) return undefined;
  dropOthers(inner, new Set(["name", "description", "schema", "strict"]), "response_format.json_schema", findings);
  const description = optional(text)(inner.description, `${param}.description`, findings);
  const strict = optional(flag)(inner.strict, `${param}.strict`, findings);
  return {
    type: "json_schema",
    name: required(filledText)(inner.name, `${param}.name`, findings),
    ...(description !== undefined && { description }),
    schema: required(keptObject)(inner.schema, `${param}.schema`, findings),
    ...(strict !== undefined && { strict }),
  };
}

const handled: Parameter = () => {};

/** A map, for a client may name a parameter `__proto__`. */
const PARAMETERS: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ["messages", handled],
  ["model", kept(text)],
  ["stream", kept(flag)],
  ["store", kept(flag)],
  ["temperature", kept(decimal)],
  ["top_p", kept(decimal)],
  ["top_logprobs", kept(integer(0))],
  ["parallel_tool_calls", kept(flag)],
  ["metadata", kept(keptObject)],
  ["user", kept(text)],
  ["service_tier", kept(text)],
  ["prompt_cache_key", kept(text)],
  ["prompt_cache_options", kept(keptObject)],
  ["prompt_cache_retention", kept(text)],
  ["safety_identifier", kept(text)],
  ["max_tokens", maxTokens],
  ["max_completion_tokens", maxTokens],
  ["logprobs", logprobs],
  ["stream_options", streamOptions],
  ["response_format", responseFormat],
  [
    "reasoning_effort",
    (value, name, { body }, findings) => {
      body.reasoning = { effort: text(value, name, findings) };
    },
  ],
  [
    "verbosity",
    (value, name, draft, findings) => {
      draft.text.verbosity = text(value, name, findings);
    },
  ],
  [
    "tools",
    (value, _name, { body }, findings) => {
      body.tools = translateTools(value, findings);
    },
  ],
  [
    "tool_choice",
    (value, _name, { body }, findings) => {
      body.tool_choice = translateToolChoice(value, findings);
    },
  ],
  ["functions", refused(USE_TOOLS)],
  ["function_call", refused(USE_TOOLS)],
  ["audio", refused(NO_AUDIO)],
  ["modalities", modalities],
  ["n", withoutEquivalent(integer(1), (n) => n === 1)],
  ["seed", withoutEquivalent(integer())],
  ["stop", withoutEquivalent(stopSequences, (sequences) => sequences.length === 0)],
  ["frequency_penalty", withoutEquivalent(decimal, (penalty) => penalty === 0)],
  ["presence_penalty", withoutEquivalent(decimal, (penalty) => penalty === 0)],
  ["logit_bias", withoutEquivalent(object, (bias) => Object.keys(bias).length === 0)],
  ["prediction", withoutEquivalent(object)],
  ["web_search_options", withoutEquivalent(object)],
  ["moderation", withoutEquivalent(object)],
]);
