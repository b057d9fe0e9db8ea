import type { OpenResponse } from "../../core/exchange.ts";
import type { Observed } from "../../core/gateway.ts";
import type { HeaderField } from "../../core/headers.ts";
import { remembered } from "../../core/remembered.ts";
import { named } from "../../core/visible-name.ts";

/** The answer with who gave it, and with what it took where that is known before its first byte. */
export function withTokens(response: OpenResponse, { caller, usage, answeredModel }: Observed): OpenResponse {
  const headers: HeaderField[] = [];
  // A target may be such a gateway too.
  for (const field of response.headers) if (!isTold(field)) headers.push(field);
  headers.push(providerField(caller.provider));
  const model = answeredModel ?? caller.model;
  if (model !== undefined) headers.push(modelField(model));
  if (usage !== undefined) {
    const { inputTokens, outputTokens } = usage;
    headers.push(["X-LLM-Input-Tokens", String(inputTokens)]);
    headers.push(["X-LLM-Output-Tokens", String(outputTokens)]);
    headers.push(["X-LLM-Total-Tokens", String(inputTokens + outputTokens)]);
  }
  const { status, reason, body, tunnel } = response;
  return tunnel === undefined ? { status, reason, headers, body } : { status, reason, headers, body, tunnel };
}

const providerField = remembered((provider): HeaderField => ["X-LLM-Provider", provider]);
const modelField = remembered((model): HeaderField => ["X-LLM-Model", named(model)]);

function isTold([name]: HeaderField): boolean {
  return (name[0] === "X" || name[0] === "x") && TOLD.test(name);
}

const TOLD = /^x-llm-(?:provider|model|(?:input|output|total)-tokens)$/i;
