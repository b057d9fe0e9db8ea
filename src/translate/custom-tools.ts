import { isObject, type JsonObject, textOf } from "../dialects/shared.ts";

/** The one argument of a function that stands for a custom tool, whose input is free text. */
export const INPUT_ARGUMENT = "input";

/** What such a function takes. */
export const INPUT_SCHEMA: JsonObject = {
  type: "object",
  properties: { [INPUT_ARGUMENT]: { type: "string", description: "The whole input of the tool, as plain text." } },
  required: [INPUT_ARGUMENT],
  additionalProperties: false,
};

/** What the model is told of such a function; a function cannot hold to a grammar, so the words say it. */
export function customDescription(description: unknown, grammar: JsonObject | undefined): string | undefined {
  const definition = textOf(grammar?.definition);
  const rule =
    definition === undefined ? undefined : `The input must follow this grammar (${textOf(grammar?.syntax) ?? "text"}):\n${definition}`;
  const texts = [textOf(description), rule].filter((text) => text !== undefined);
  return texts.length === 0 ? undefined : texts.join("\n\n");
}

/** The free text that a model put into the arguments of such a function; the arguments themselves where it did not. */
export function inputInArguments(argumentsText: string): string {
  try {
    const value: unknown = JSON.parse(argumentsText);
    const input = isObject(value) ? value[INPUT_ARGUMENT] : value;
    return typeof input === "string" ? input : argumentsText;
  } catch {
    return argumentsText;
  }
}
