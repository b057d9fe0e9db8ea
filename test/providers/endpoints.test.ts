import { describe, expect, test } from "bun:test";
import type { EndpointKind } from "../../src/core/exchange.ts";
import { PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { PROVIDERS } from "../../src/providers/index.ts";

const PATHS: Readonly<Record<ProviderName, Readonly<Record<EndpointKind, readonly string[]>>>> = {
  openai: {
    inference: [
      "/v1/chat/completions",
      "/v1/responses",
      "/v1/responses/compact",
      "/v1/embeddings",
      "/v1/images/generations",
      "/v1/audio/transcriptions",
      "/v1/moderations",
      "/chat/completions",
      "/api/chat",
      "/deployments/gpt-4o/chat/completions",
    ],
    metadata: [
      "/v1/models",
      "/v1/models/gpt-4o",
      "/models",
      "/v1/files",
      "/v1/batches/b1/cancel",
      "/v1/responses/input_tokens",
      "/v1/responses/resp_1/cancel",
      "/api/tags",
    ],
    auth: ["/oauth/token", "/.well-known/openid-configuration"],
  },
  anthropic: {
    inference: ["/v1/messages", "/v1/complete"],
    metadata: [
      "/v1/messages/count_tokens",
      "/v1/messages/batches",
      "/v1/messages/batches/b1/results",
      "/v1/models",
      "/v1/files",
      "/api/event_logging/batch",
    ],
    auth: ["/v1/oauth/token", "/api/oauth/profile"],
  },
  google: {
    inference: [
      "/v1beta/models/gemini-2.5-pro:generateContent",
      "/v1/models/gemini-2.5-pro:streamGenerateContent",
      "/v1beta/models/text-embedding-004:embedContent",
      "/v1beta/models/text-embedding-004:batchEmbedContents",
      "/v1beta/models/imagen-4:predict",
      "/v1beta/openai/chat/completions",
      "/v1beta/interactions",
    ],
    metadata: [
      "/v1beta/models",
      "/v1beta/models/gemini-2.5-pro",
      "/v1beta/models/gemini-2.5-pro:countTokens",
      "/v1beta/models/gemini-2.5-pro:batchGenerateContent",
      "/v1beta/openai/models",
      "/v1beta/files/f1",
      "/upload/v1beta/files",
      "/v1beta/cachedContents",
    ],
    auth: ["/oauth2/v4/token", "/token"],
  },
  openrouter: {
    inference: ["/api/v1/chat/completions", "/api/v1/responses", "/api/v1/messages", "/api/v1/embeddings"],
    metadata: [
      "/api/v1/models",
      "/api/v1/models/openai/gpt-4o/endpoints",
      "/api/v1/credits",
      "/api/v1/key",
      "/api/v1/generation",
      "/api/v1/messages/count_tokens",
    ],
    auth: ["/api/v1/auth/keys"],
  },
  tetrate: {
    inference: ["/v1/chat/completions", "/v1/embeddings"],
    metadata: ["/v1/models", "/v1/models/gpt-5"],
    auth: ["/oauth/token"],
  },
  databricks: {
    inference: [
      "/serving-endpoints/databricks-claude-sonnet-4/invocations",
      "/serving-endpoints/token/invocations",
      "/serving-endpoints/chat/completions",
      "/serving-endpoints/responses",
      "/serving-endpoints/embeddings",
      "/ai-gateway/openai/v1/responses",
      "/ai-gateway/anthropic/v1/messages",
      "/ai-gateway/mlflow/v1/chat/completions",
    ],
    metadata: ["/api/2.0/serving-endpoints", "/api/2.1/unity-catalog/model-services", "/api/ai-gateway/v2/endpoints"],
    auth: ["/oidc/.well-known/oauth-authorization-server", "/oidc/v1/token", "/.well-known/databricks-config", "/api/2.0/token/create"],
  },
};

describe.each(PROVIDER_NAMES)("%s", (name) => {
  const { inference, metadata, auth } = PATHS[name];
  test.each(inference)("a POST to %s is inference", (path) => {
    expect(PROVIDERS[name].kindOf(path)).toBeUndefined();
  });
  test.each(metadata)("%s is metadata", (path) => {
    expect(PROVIDERS[name].kindOf(path)).toBe("metadata");
  });
  test.each(auth)("%s is authentication", (path) => {
    expect(PROVIDERS[name].kindOf(path)).toBe("auth");
  });
});

const ORIGIN = "http://127.0.0.1:8888";

/** RFC 3986 section 5.3, as Goose's versions before late 2025 did it: nothing is added to the host's path. */
function join(host: string, path: string): string {
  return new URL(path, host).pathname;
}

test("the hosts that clients are given survive joining by RFC 3986", () => {
  const variables = Object.fromEntries(PROVIDER_NAMES.flatMap((name) => PROVIDERS[name].clientVariables(ORIGIN)));
  expect(join(variables.TETRATE_HOST ?? "", "v1/chat/completions")).toBe("/tetrate/v1/chat/completions");
  expect(join(variables.OPENROUTER_HOST ?? "", "api/v1/chat/completions")).toBe("/api/v1/chat/completions");
  expect(join(variables.DATABRICKS_HOST ?? "", "oidc/.well-known/oauth-authorization-server")).toBe(
    "/oidc/.well-known/oauth-authorization-server",
  );
  expect(variables).toMatchObject({
    OPENAI_HOST: ORIGIN,
    OPENAI_BASE_URL: `${ORIGIN}/v1`,
    OPENAI_API_BASE: `${ORIGIN}/v1`,
    ANTHROPIC_HOST: ORIGIN,
    ANTHROPIC_BASE_URL: ORIGIN,
    GOOGLE_HOST: ORIGIN,
    GOOGLE_GEMINI_BASE_URL: ORIGIN,
    GEMINI_BASE_URL: ORIGIN,
  });
});

test("each path, header and key speaks of one provider", () => {
  const samples: Readonly<Record<string, ProviderName>> = {
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/v1beta/models/gemini-2.5-pro:generateContent": "google",
    "/v1/models/gemini-2.5-pro:streamGenerateContent": "google",
    "/api/v1/chat/completions": "openrouter",
    "/serving-endpoints/x/invocations": "databricks",
    "/oidc/v1/token": "databricks",
    "/.well-known/databricks-config": "databricks",
    "/api/2.0/serving-endpoints": "databricks",
  };
  for (const [path, expected] of Object.entries(samples)) {
    expect(PROVIDER_NAMES.filter((name) => PROVIDERS[name].recognition.paths.some((pattern) => pattern.test(path)))).toEqual([expected]);
  }
  for (const path of ["/v1/chat/completions", "/v1/responses", "/v1/models", "/v1/embeddings"]) {
    expect(PROVIDER_NAMES.filter((name) => PROVIDERS[name].recognition.paths.some((pattern) => pattern.test(path)))).toEqual([]);
  }
  for (const field of ["prefixes", "headers", "query", "keyPrefixes"] as const) {
    const all = PROVIDER_NAMES.flatMap((name) => PROVIDERS[name].recognition[field]);
    expect(new Set(all).size).toBe(all.length);
  }
});

test("only Databricks has no host of its own", () => {
  for (const name of PROVIDER_NAMES) {
    expect(PROVIDERS[name].hostVariable).toBe(`${name.toUpperCase()}_REAL_HOST`);
    if (name === "databricks") expect(PROVIDERS[name].host).toBeUndefined();
    else expect(PROVIDERS[name].host).toMatch(/^https:\/\/[a-z.]+$/);
  }
});
