import type { JsonObject } from "../../dialects/shared.ts";
import type { Notes } from "./notes.ts";
import { BOOLEAN, DICTIONARY, dropOthers, INTEGER, LIST, NUMBER, optional, required, requiredJson, STRING, tagOf } from "./values.ts";

/** What is neither conversation nor tools. Keys that would say nothing are left out. */
export function readSettings(notes: Notes, json: JsonObject, model: string): JsonObject {
  const temperature = optional(notes, json.temperature, "temperature", NUMBER);
  const top_p = optional(notes, json.top_p, "top_p", NUMBER);
  const stream = optional(notes, json.stream, "stream", BOOLEAN);
  return {
    ...readLimit(notes, json.max_tokens, model),
    ...readStops(notes, json.stop_sequences),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...readEffort(notes, json),
    ...readFormat(notes, json),
    ...readUser(notes, json.metadata),
    ...(stream !== undefined && { stream }),
    // Every answer of the Messages API tells its usage; a stream of Chat Completions only when asked.
    ...(stream === true && { stream_options: { include_usage: true } }),
  };
}

/**
 * OpenAI's models that think refuse `max_tokens` ("use 'max_completion_tokens' instead"); it takes the other name from
 * all its models. Elsewhere it is the reverse: Mistral answers `max_completion_tokens` with 422, DeepSeek and Ollama
 * pass over it without a word and write on without a limit (earendil-works/pi#8018, ollama/ollama#7125), llama.cpp
 * did until 2026 (ggml-org/llama.cpp#19831), while vLLM and all these know `max_tokens`. So the new name goes to the
 * models that need it, and the old one, whose refusal would at least be heard, to all others.
 */
const WANTS_NEW_NAME = /(?:^|\/)(?:o[1-9]|gpt-[5-9])/;

function readLimit(notes: Notes, value: unknown, model: string): JsonObject {
  const limit = required(notes, value, "max_tokens", INTEGER);
  // Nought would fill the service's cache of prompts and generate nothing, which has no form here.
  if (limit !== undefined && limit < 1) notes.wrong("max_tokens", "Input should be greater than or equal to 1");
  return WANTS_NEW_NAME.test(model) ? { max_completion_tokens: limit } : { max_tokens: limit };
}

/** OpenAI takes no more (openai types, `stop`: "Up to 4 sequences"). */
const STOPS_MAX = 4;

function readStops(notes: Notes, value: unknown): JsonObject {
  const stops = (optional(notes, value, "stop_sequences", LIST) ?? []).map((stop, index) =>
    required(notes, stop, `stop_sequences.${index}`, STRING),
  );
  if (stops.length > STOPS_MAX) notes.drop("stop_sequences");
  return stops.length === 0 ? {} : { stop: stops.slice(0, STOPS_MAX) };
}

const EFFORTS = ["low", "medium", "high", "xhigh", "max"] as const;

/**
 * How long to think. Effort is the closer word, so it goes first. A budget is a number of tokens, which Chat Completions
 * cannot say; the effort that comes nearest stands for it, and the number is named as lost. Where the model decides
 * (`adaptive`), or thinking is off, the target's own default holds: "none" is refused by most models.
 */
function readEffort(notes: Notes, json: JsonObject): JsonObject {
  const fromThinking = readThinking(notes, json.thinking);
  const config = optional(notes, json.output_config, "output_config", DICTIONARY) ?? {};
  dropOthers(notes, config, ["effort", "format"], "output_config.");
  const given = optional(notes, config.effort, "output_config.effort", STRING);
  if (given === undefined) return fromThinking === undefined ? {} : { reasoning_effort: fromThinking };
  const effort = EFFORTS.find((known) => known === given);
  if (effort === undefined) {
    notes.wrong("output_config.effort", `Input should be ${EFFORTS.map((known) => `'${known}'`).join(", ")}`);
    return {};
  }
  if (effort !== "xhigh" && effort !== "max") return { reasoning_effort: effort };
  // OpenAI's newest models alone know more than "high".
  notes.drop("output_config.effort");
  return { reasoning_effort: "high" };
}

const LOW_BUDGET_TOKENS_MAX = 4_096;
const MEDIUM_BUDGET_TOKENS_MAX = 16_384;

function readThinking(notes: Notes, value: unknown): "low" | "medium" | "high" | undefined {
  const thinking = optional(notes, value, "thinking", DICTIONARY);
  const tag = thinking === undefined ? undefined : tagOf(notes, thinking, "thinking", ["adaptive", "between_tools", "disabled", "enabled"]);
  if (thinking === undefined || tag === undefined) return undefined;
  dropOthers(notes, thinking, ["budget_tokens"], "thinking.");
  if (tag === "between_tools") notes.drop("thinking");
  if (tag !== "enabled") return undefined;
  // Claude Code can leave the budget out; that is no more than "adaptive" says.
  const budget = optional(notes, thinking.budget_tokens, "thinking.enabled.budget_tokens", INTEGER);
  if (budget === undefined) return undefined;
  notes.drop("thinking.budget_tokens");
  if (budget <= LOW_BUDGET_TOKENS_MAX) return "low";
  return budget <= MEDIUM_BUDGET_TOKENS_MAX ? "medium" : "high";
}

/** `output_config.format`, which was called `output_format` at first. */
function readFormat(notes: Notes, json: JsonObject): JsonObject {
  const config = optional(notes, json.output_config, "output_config", DICTIONARY);
  const [value, place] = config?.format ? [config.format, "output_config.format"] : [json.output_format, "output_format"];
  const format = optional(notes, value, place, DICTIONARY);
  if (format === undefined || tagOf(notes, format, place, ["json_schema"]) === undefined) return {};
  dropOthers(notes, format, ["schema"], `${place}.`);
  const schema = requiredJson(notes, format.schema, `${place}.schema`);
  // The service promises to keep to the schema; so does Chat Completions with `strict`, which wants a name too.
  return { response_format: { type: "json_schema", json_schema: { name: "answer", schema, strict: true } } };
}

/** What OpenAI takes; OpenRouter and Zhipu take 128. Claude Code sends more: its user, account and session in one. */
const USER_CHARACTERS_MAX = 64;

function readUser(notes: Notes, value: unknown): JsonObject {
  const metadata = optional(notes, value, "metadata", DICTIONARY) ?? {};
  dropOthers(notes, metadata, ["user_id"], "metadata.");
  const user = optional(notes, metadata.user_id, "metadata.user_id", STRING);
  if (user === undefined || user === "") return {};
  if (user.length <= USER_CHARACTERS_MAX) return { user };
  notes.drop("metadata.user_id");
  return {};
}
