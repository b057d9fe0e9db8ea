/** Simple arguments for a tool, from the schema that the request gives for it. */

type Schema = { readonly [key: string]: unknown };

/** Schemas may refer to themselves. */
const DEPTH_MAX = 8;

/** JSON text with a value for every required property; `{}` where the schema is not found. */
export function exampleArguments(json: unknown, name: string): string {
  const schema = isSchema(json) ? schemaIn(json.tools ?? json.functions, name, 0) : undefined;
  return JSON.stringify(schema === undefined ? {} : exampleObject(schema, 0));
}

/** A value of a schema; an empty object where the schema says nothing. */
export function exampleOf(schema: Schema): unknown {
  return exampleValue(schema, 0) ?? {};
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The dialects nest a tool's name and schema differently, but always keep the two side by side. */
function schemaIn(value: unknown, name: string, depth: number): Schema | undefined {
  if (depth > DEPTH_MAX || typeof value !== "object" || value === null) return undefined;
  if (isSchema(value) && value.name === name) {
    return [value.parameters, value.input_schema, value.parametersJsonSchema, value.parameters_json_schema].find(isSchema);
  }
  for (const member of Object.values(value)) {
    const found = schemaIn(member, name, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function exampleObject({ properties, required }: Schema, depth: number): Schema {
  if (!isSchema(properties) || !Array.isArray(required)) return {};
  const names = required.filter((key): key is string => typeof key === "string");
  return Object.fromEntries(names.map((key) => [key, exampleValue(properties[key], depth + 1)]));
}

function exampleValue(schema: unknown, depth: number): unknown {
  if (!isSchema(schema) || depth > DEPTH_MAX) return null;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  const choices = [schema.anyOf, schema.oneOf].find(Array.isArray);
  if (choices !== undefined) return exampleValue(choices[0], depth + 1);
  // Google writes types in capitals; JSON Schema allows a list of them.
  const type = String(Array.isArray(schema.type) ? schema.type[0] : schema.type).toLowerCase();
  switch (type) {
    case "string":
      return "example";
    case "integer":
    case "number":
      return typeof schema.minimum === "number" ? schema.minimum : 1;
    case "boolean":
      return true;
    case "array":
      return typeof schema.minItems === "number" && schema.minItems > 0 ? [exampleValue(schema.items, depth + 1)] : [];
    case "object":
      return exampleObject(schema, depth);
    default:
      return null;
  }
}
