import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { RequestMistake } from "../translation.ts";
import { inputMistakes } from "./check-input.ts";
import { choiceMistakes, toolMistakes } from "./check-tools.ts";
import {
  depthMistakes,
  lengthMistakes,
  type Mistakes,
  missing,
  mistake,
  nameMistakes,
  optionalMistakes,
  type TypeName,
  wrongType,
  wrongValue,
} from "./mistakes.ts";
import type { OfferedTools } from "./tools.ts";

/** What is wrong with the request, as the Responses service would say it; undefined: it can be translated. */
export function mistakeIn(request: JsonObject, offered: OfferedTools): RequestMistake | undefined {
  const found = requestMistakes(request, offered).next();
  return found.done ? undefined : found.value;
}

const TYPES: readonly (readonly [param: string, type: TypeName])[] = [
  ["background", "boolean"],
  ["include", "array"],
  ["instructions", "string"],
  ["max_output_tokens", "integer"],
  ["metadata", "object"],
  ["model", "string"],
  ["parallel_tool_calls", "boolean"],
  ["prompt_cache_key", "string"],
  ["prompt_cache_retention", "string"],
  ["reasoning", "object"],
  ["safety_identifier", "string"],
  ["service_tier", "string"],
  ["store", "boolean"],
  ["stream", "boolean"],
  ["temperature", "number"],
  ["text", "object"],
  ["top_logprobs", "integer"],
  ["top_p", "number"],
  ["truncation", "string"],
  ["user", "string"],
];

const NESTED = ["metadata", "reasoning", "text", "tool_choice", "tools"];

function* requestMistakes(request: JsonObject, offered: OfferedTools): Mistakes {
  for (const [param, type] of TYPES) yield* optionalMistakes(request[param], type, param);
  for (const param of NESTED) yield* depthMistakes(request[param], param);
  yield* minimumMistakes(request.max_output_tokens, 1, "max_output_tokens");
  yield* minimumMistakes(request.top_logprobs, 0, "top_logprobs");
  yield* stateMistakes(request);
  yield* lengthMistakes(String(request.instructions ?? ""), "instructions");
  yield* inputMistakes(request.input);
  yield* toolMistakes(request.tools, "tools");
  yield* choiceMistakes(request.tool_choice, offered);
  if (isObject(request.reasoning)) yield* optionalMistakes(request.reasoning.effort, "string", "reasoning.effort");
  if (isObject(request.text)) yield* outputMistakes(request.text);
}

function* minimumMistakes(value: unknown, minimum: number, param: string): Mistakes {
  if (typeof value !== "number" || value >= minimum) return;
  const message = `Invalid '${param}': integer below minimum value. Expected a value >= ${minimum}, but got ${value} instead.`;
  yield mistake(param, "integer_below_min_value", message);
}

/** What the service holds beside the request, and the target does not: without it the model would be asked something else. */
const STATE = ["previous_response_id", "conversation", "prompt"];

function* stateMistakes(request: JsonObject): Mistakes {
  for (const param of STATE) {
    if (request[param] === undefined || request[param] === null) continue;
    const message = `'${param}' is not supported: the target speaks Chat Completions and keeps nothing between requests. Send the whole conversation as 'input'.`;
    yield mistake(param, "unsupported_parameter", message);
  }
  if (request.background === true) {
    const message = "'background' is not supported: the target speaks Chat Completions and answers only while the client waits.";
    yield mistake("background", "unsupported_parameter", message);
  }
}

const FORMATS = ["text", "json_object", "json_schema"];

function* outputMistakes({ format, verbosity }: JsonObject): Mistakes {
  yield* optionalMistakes(verbosity, "string", "text.verbosity");
  if (format === undefined || format === null) return;
  if (!isObject(format)) return yield wrongType("text.format", "an object", format);
  yield* nameMistakes(format, "type", "text.format");
  if (!FORMATS.includes(String(format.type))) yield wrongValue("text.format.type", String(format.type), FORMATS);
  if (format.type !== "json_schema") return;
  yield* nameMistakes(format, "name", "text.format");
  if (format.schema === undefined) yield missing("text.format.schema");
  if (!isObject(format.schema)) yield wrongType("text.format.schema", "an object", format.schema);
  yield* optionalMistakes(format.strict, "boolean", "text.format.strict");
  yield* optionalMistakes(format.description, "string", "text.format.description");
}
