import type { OpenResponse } from "../../core/exchange.ts";
import type { Observed } from "../../core/gateway.ts";
import type { HeaderField } from "../../core/headers.ts";
import { named } from "../../core/visible-name.ts";

/** The answer with who gave it, and with what it took where that is known before its first byte. */
export function withTokens(response: OpenResponse, { caller, usage, answeredModel }: Observed): OpenResponse {
  const model = answeredModel ?? caller.model;
  const fields: HeaderField[] = [["X-LLM-Provider", caller.provider]];
  if (model !== undefined) fields.push(["X-LLM-Model", named(model)]);
  if (usage !== undefined) {
    const { inputTokens, outputTokens } = usage;
    fields.push(["X-LLM-Input-Tokens", String(inputTokens)]);
    fields.push(["X-LLM-Output-Tokens", String(outputTokens)]);
    fields.push(["X-LLM-Total-Tokens", String(inputTokens + outputTokens)]);
  }
  // A target may be such a gateway too.
  const others = response.headers.some(isTold) ? response.headers.filter((field) => !isTold(field)) : response.headers;
  return { ...response, headers: [...others, ...fields] };
}

function isTold([name]: HeaderField): boolean {
  return (name[0] === "X" || name[0] === "x") && TOLD.test(name);
}

const TOLD = /^x-llm-(?:provider|model|(?:input|output|total)-tokens)$/i;
