import { percentDecoded } from "../core/percent-decoded.ts";
import type { EndpointRequest } from "./endpoints.ts";

export type ModelsRequest = Pick<EndpointRequest, "exchange" | "provider" | "createdSeconds">;

const CONTEXT_TOKENS = 200_000;
const OUTPUT_TOKENS = 65_536;

export function modelList(request: ModelsRequest): unknown {
  const names = request.provider.models;
  const data = names.map((name) => modelOf(request, name));
  switch (formOf(request)) {
    case "openai":
      return { object: "list", data };
    case "anthropic":
      return { data, has_more: false, first_id: names[0], last_id: names.at(-1) };
    case "google":
      return { models: data };
    case "openrouter":
      return { data };
    case "databricks":
      return { endpoints: data };
  }
}

export function oneModel(request: ModelsRequest, segment: string): unknown {
  const name = percentDecoded(segment);
  const form = formOf(request);
  return form === "openrouter" && name.endsWith("/endpoints")
    ? { data: { id: name.slice(0, -"/endpoints".length), endpoints: [] } }
    : modelOf(request, name);
}

type Form = "openai" | "anthropic" | "google" | "openrouter" | "databricks";

/** Some providers serve OpenAI's list as well, under a path of its own. */
function formOf({ exchange, provider }: ModelsRequest): Form {
  if (exchange.path.startsWith("/api/2.0/")) return "databricks";
  if (provider.name === "google") return exchange.path.startsWith("/v1beta/openai/") ? "openai" : "google";
  if (provider.name === "anthropic" || provider.name === "openrouter") return provider.name;
  return "openai";
}

function modelOf(request: ModelsRequest, name: string): unknown {
  const created = request.createdSeconds;
  switch (formOf(request)) {
    case "openai":
      return { id: name, object: "model", created, owned_by: "system" };
    case "anthropic":
      return anthropicModel(name, created);
    case "google":
      return googleModel(name);
    case "openrouter":
      return openrouterModel(name, created);
    case "databricks":
      return {
        name,
        creator: "System.User",
        state: { ready: "READY", config_update: "NOT_UPDATING" },
        task: "llm/v1/chat",
        endpoint_type: "FOUNDATION_MODEL_API",
      };
  }
}

function anthropicModel(id: string, created: number): unknown {
  const created_at = new Date(created * 1000).toISOString().replace(".000Z", "Z");
  return {
    type: "model",
    id,
    display_name: id,
    created_at,
    max_input_tokens: CONTEXT_TOKENS,
    max_tokens: OUTPUT_TOKENS,
    capabilities: null,
  };
}

function googleModel(name: string): unknown {
  const isEmbedding = name.includes("embedding");
  return {
    name: `models/${name}`,
    version: "001",
    displayName: name,
    description: "The built-in provider of faultproxy",
    inputTokenLimit: 1_048_576,
    outputTokenLimit: OUTPUT_TOKENS,
    supportedGenerationMethods: isEmbedding ? ["embedContent"] : ["generateContent", "countTokens"],
    temperature: 1,
    topP: 0.95,
    topK: 64,
    maxTemperature: 2,
  };
}

function openrouterModel(id: string, created: number): unknown {
  return {
    id,
    canonical_slug: id,
    name: id,
    created,
    description: "The built-in provider of faultproxy",
    context_length: CONTEXT_TOKENS,
    architecture: {
      modality: "text->text",
      input_modalities: ["text"],
      output_modalities: ["text"],
      tokenizer: "Other",
      instruct_type: null,
    },
    pricing: { prompt: "0", completion: "0", request: "0", image: "0" },
    top_provider: { context_length: CONTEXT_TOKENS, max_completion_tokens: OUTPUT_TOKENS, is_moderated: false },
    per_request_limits: null,
    supported_parameters: ["max_tokens", "temperature", "tools", "tool_choice"],
  };
}
