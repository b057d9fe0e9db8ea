import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import { dropOthers, filledText, flag, keptObject, object, oneOf, optional, required, text } from "../chat/validation.ts";
import { isTakenSchema } from "./schemas.ts";

/** What becomes of `response_format`: a part of `output_config`, or words for the model where the target promises nothing. */
export type Format = { readonly format?: JsonObject; readonly instruction?: string };

/** `takesSchemas`: the model has the means to hold to one. What it cannot promise is asked for, and named. */
export function translateFormat(value: unknown, param: string, takesSchemas: boolean, findings: Findings): Format {
  const given = object(value, param, findings);
  const type = given && required(oneOf(["text", "json_object", "json_schema"]))(given.type, `${param}.type`, findings);
  if (given === undefined || type === undefined || type === "text") return {};
  if (type === "json_object") {
    findings.drop(param);
    return { instruction: "Answer with a JSON object alone, without any text or marks around it." };
  }
  const schema = schemaOf(given, `${param}.json_schema`, findings);
  if (schema === undefined) return {};
  if (takesSchemas && isTakenSchema(schema)) return { format: { type, schema } };
  findings.drop(param);
  const words = "Answer with JSON alone, without any text or marks around it, that fits this JSON schema:";
  return { instruction: `${words}\n${JSON.stringify(schema)}` };
}

/** The schema, with what was said of it. Its name says nothing to a model. */
function schemaOf(given: JsonObject, param: string, findings: Findings): JsonObject | undefined {
  const inner = required(object)(given.json_schema, param, findings);
  if (inner === undefined) return undefined;
  dropOthers(inner, new Set(["name", "description", "schema", "strict"]), "response_format.json_schema", findings);
  required(filledText)(inner.name, `${param}.name`, findings);
  optional(flag)(inner.strict, `${param}.strict`, findings);
  const description = optional(text)(inner.description, `${param}.description`, findings);
  const schema = required(keptObject)(inner.schema, `${param}.schema`, findings);
  return schema === undefined || !isObject(schema) || !description || schema.description !== undefined
    ? schema
    : { ...schema, description };
}
