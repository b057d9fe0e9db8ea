import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "./findings.ts";
import { type Check, decimal, integer, list, object, text, wrongType } from "./validation.ts";

/** What one parameter of the client becomes. It is given, and not null. `Draft` is what it is written to. */
export type Parameter<Draft> = (value: unknown, name: string, draft: Draft, findings: Findings) => void;

export type Body = Record<string, unknown>;

/** `parameters` is a map, for a client may name one `__proto__`. What is not among them is dropped. */
export function readParameters<Draft>(
  json: JsonObject,
  parameters: ReadonlyMap<string, Parameter<Draft>>,
  draft: Draft,
  findings: Findings,
): void {
  for (const name of Object.keys(json)) {
    const value = json[name];
    if (findings.mistake() !== undefined || value === null || value === undefined) continue;
    const parameter = parameters.get(name);
    if (parameter === undefined) findings.drop(name);
    else parameter(value, name, draft, findings);
  }
}

/** Read elsewhere. */
export const handled: Parameter<unknown> = () => {};

export function kept(check: Check<unknown>): Parameter<{ readonly body: Body }> {
  return (value, name, { body }, findings) => {
    body[name] = check(value, name, findings);
  };
}

/** The target has nothing like it. Where it asks for nothing, nothing is lost. */
export function withoutEquivalent<T>(check: Check<T>, asksForNothing: (value: T) => boolean = () => false): Parameter<unknown> {
  return (value, name, _draft, findings) => {
    const found = check(value, name, findings);
    if (found !== undefined && !asksForNothing(found)) findings.drop(name);
  };
}

/** Leaving these out would give an answer of another kind than the one asked for. */
function refused(why: string): Parameter<unknown> {
  return (_value, name, _draft, findings) => findings.wrong("unsupported_parameter", name, `Unsupported parameter: '${name}'. ${why}`);
}

const USE_TOOLS = "Use 'tools' and 'tool_choice' instead.";
const NO_AUDIO = "The backend of this model answers with text alone.";

/** Of the two names the newer one counts. */
export function maxTokens(key: string): Parameter<{ readonly json: JsonObject; readonly body: Body }> {
  return (value, name, { json, body }, findings) => {
    const found = integer(1)(value, name, findings);
    const isReplaced = name === "max_tokens" && typeof json.max_completion_tokens === "number";
    if (!isReplaced) body[key] = found;
  };
}

export const stopSequences: Check<readonly string[]> = (value, name, findings) => {
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((sequence) => typeof sequence === "string")) return value;
  return wrongType("one of a string or array of strings", value, name, findings);
};

const modalities: Parameter<unknown> = (value, name, _draft, findings) => {
  for (const [index, modality] of (list("strings")(value, name, findings) ?? []).entries()) {
    const found = text(modality, `${name}[${index}]`, findings);
    if (found !== undefined && found !== "text") findings.wrong("unsupported_value", name, `Unsupported value: '${name}'. ${NO_AUDIO}`);
  }
};

export const isNought = (value: number) => value === 0;
export const isEmpty = (value: JsonObject) => Object.keys(value).length === 0;

/** What no target has. */
export const WITHOUT_TARGET: readonly (readonly [string, Parameter<unknown>])[] = [
  ["functions", refused(USE_TOOLS)],
  ["function_call", refused(USE_TOOLS)],
  ["audio", refused(NO_AUDIO)],
  ["modalities", modalities],
  ["n", withoutEquivalent(integer(1), (n) => n === 1)],
  ["seed", withoutEquivalent(integer())],
  ["frequency_penalty", withoutEquivalent(decimal, isNought)],
  ["presence_penalty", withoutEquivalent(decimal, isNought)],
  ["logit_bias", withoutEquivalent(object, isEmpty)],
  ["prediction", withoutEquivalent(object)],
  ["web_search_options", withoutEquivalent(object)],
  ["moderation", withoutEquivalent(object)],
];
