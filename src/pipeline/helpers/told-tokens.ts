import type { OpenResponse } from "../../core/exchange.ts";
import type { Observed } from "../../core/gateway.ts";
import type { HeaderField, HeaderList } from "../../core/headers.ts";
import { remembered } from "../../core/remembered.ts";
import { named } from "../../core/visible-name.ts";

/** The answer with who gave it, and with what it took where that is known before its first byte. */
export function withTokens(response: OpenResponse, observed: Observed): OpenResponse {
  const { status, reason, body, tunnel } = response;
  const headers = [...othersOf(response.headers), ...fieldsOf(observed)];
  return tunnel === undefined ? { status, reason, headers, body } : { status, reason, headers, body, tunnel };
}

/** A target may be such a gateway too. */
function othersOf(headers: HeaderList): HeaderList {
  for (const field of headers) if (isTold(field)) return headers.filter((each) => !isTold(each));
  return headers;
}

function fieldsOf({ caller, usage, answeredModel, answeredBy = caller }: Observed): HeaderList {
  const fields: HeaderField[] = [providerField(answeredBy.provider)];
  const model = answeredModel ?? answeredBy.model;
  if (model !== undefined) fields.push(modelField(model));
  if (usage === undefined) return fields;
  const { inputTokens, outputTokens } = usage;
  fields.push(["X-LLM-Input-Tokens", String(inputTokens)]);
  fields.push(["X-LLM-Output-Tokens", String(outputTokens)]);
  fields.push(["X-LLM-Total-Tokens", String(inputTokens + outputTokens)]);
  return fields;
}

const providerField = remembered((provider): HeaderField => ["X-LLM-Provider", provider]);
const modelField = remembered((model): HeaderField => ["X-LLM-Model", named(model)]);

function isTold([name]: HeaderField): boolean {
  return (name[0] === "X" || name[0] === "x") && TOLD.test(name);
}

const TOLD = /^x-llm-(?:provider|model|(?:input|output|total)-tokens)$/i;
