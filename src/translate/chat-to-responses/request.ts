import type { JsonObject } from "../../dialects/shared.ts";
import { createFindings, type Findings } from "../chat/findings.ts";
import {
  type Body,
  type Parameter as ChatParameter,
  handled,
  kept,
  maxTokens,
  readParameters,
  stopSequences,
  WITHOUT_TARGET,
  withoutEquivalent,
} from "../chat/parameters.ts";
import { readToolChoice } from "../chat/tools.ts";
import { decimal, dropOthers, filledText, flag, integer, keptObject, object, oneOf, optional, required, text } from "../chat/validation.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../translation.ts";
import { translateMessages } from "./request-messages.ts";
import { translateTools } from "./request-tools.ts";

type Draft = { readonly json: JsonObject; readonly body: Body; readonly text: Body };

type Parameter = ChatParameter<Draft>;

export function translateRequest(json: JsonObject, options: RequestOptions): TranslatedRequest | RequestMistake {
  const findings = createFindings();
  const { input, instructions } = translateMessages(json.messages, options, findings);
  const body: Body = { input, ...(instructions !== undefined && { instructions }), store: false };
  const draft: Draft = { json, body, text: {} };
  readParameters(json, PARAMETERS, draft, findings);
  if (Object.keys(draft.text).length > 0) body.text = draft.text;
  return findings.mistake() ?? { kind: "request", body, dropped: findings.dropped() };
}

// ---- what becomes of a parameter ----

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

const PARAMETERS: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ...WITHOUT_TARGET,
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
  ["max_tokens", maxTokens("max_output_tokens")],
  ["max_completion_tokens", maxTokens("max_output_tokens")],
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
    (value, name, { body }, findings) => {
      body.tool_choice = readToolChoice(value, name, findings);
    },
  ],
  ["stop", withoutEquivalent(stopSequences, (sequences) => sequences.length === 0)],
]);
