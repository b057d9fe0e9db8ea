import { describe, expect, test } from "bun:test";
import { calcPrice, findProvider } from "@pydantic/genai-prices";
import fc from "fast-check";
import type { PriceSetting } from "../../../src/config/gateway-settings.ts";
import { PROVIDER_NAMES, type ProviderName } from "../../../src/core/provider.ts";
import type { Usage } from "../../../src/core/usage.ts";
import { PROVIDERS } from "../../../src/providers/index.ts";
import { createPrices } from "../../../src/shell/cost/prices.ts";

const NOW = Date.UTC(2026, 8, 1);
const DAY_MS = 86_400_000;
const NONE = { inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };
const MILLION: Usage = { ...NONE, inputTokens: 1_000_000 };
const TABLES = ["openai", "anthropic", "google", "openrouter"] as const;

async function cost(provider: ProviderName, model: string | undefined, usage: Usage = MILLION, overrides: readonly PriceSetting[] = []) {
  return (await createPrices(overrides)).costUsd({ provider, model, usage, wallMs: NOW });
}

const usages = fc
  .tuple(
    fc.nat({ max: 300_000 }),
    fc.nat({ max: 300_000 }),
    fc.nat({ max: 300_000 }),
    fc.nat({ max: 50_000 }),
    fc.nat({ max: 50_000 }),
    fc.nat({ max: 20_000 }),
  )
  .map(([fresh, read, written, hour, output, reasoning]) => ({
    inputTokens: fresh + read + written + hour,
    cacheReadTokens: read,
    cacheWriteTokens: written + hour,
    outputTokens: output + reasoning,
    reasoningTokens: reasoning,
    ...(hour > 0 && { parts: { cacheWriteHour: hour } }),
  }));

test.each([...TABLES])("every model of %s costs what the table's own calculation says", async (provider) => {
  const prices = await createPrices([]);
  const models = (findProvider({ providerId: provider })?.models ?? []).filter(
    ({ prices: of }) => !Array.isArray(of) && typeof of.input_mtok !== "undefined" && typeof of.output_mtok !== "undefined",
  );
  expect(models.length).toBeGreaterThan(10);
  fc.assert(
    fc.property(fc.constantFrom(...models), usages, (model, usage: Usage) => {
      const expected = calcPrice(
        {
          input_tokens: usage.inputTokens,
          cache_read_tokens: usage.cacheReadTokens,
          cache_write_tokens: usage.cacheWriteTokens,
          cache_write_1h_tokens: usage.parts?.cacheWriteHour ?? 0,
          output_tokens: usage.outputTokens,
          output_reasoning_tokens: usage.reasoningTokens,
        },
        model.id,
        { providerId: provider, timestamp: new Date(NOW) },
      );
      // Some models stand under a name that another's rule takes first.
      if (expected?.model !== model) return;
      expect(prices.costUsd({ provider, model: model.id, usage, wallMs: NOW })).toBeCloseTo(expected.total_price, 9);
    }),
    { numRuns: 500 },
  );
});

describe("the parts of a usage", () => {
  const price = (usage: Partial<Usage>, model = "claude-opus-4-5", provider: ProviderName = "anthropic") =>
    cost(provider, model, { ...NONE, ...usage });

  test("from a cache, into a cache and kept for an hour have prices of their own", async () => {
    expect(await price({ inputTokens: 1_000_000 })).toBeCloseTo(5);
    expect(await price({ inputTokens: 1_000_000, cacheReadTokens: 1_000_000 })).toBeCloseTo(0.5);
    expect(await price({ inputTokens: 1_000_000, cacheWriteTokens: 1_000_000 })).toBeCloseTo(6.25);
    expect(await price({ inputTokens: 1_000_000, cacheWriteTokens: 1_000_000, parts: { cacheWriteHour: 1_000_000 } })).toBeCloseTo(10);
    expect(await price({ outputTokens: 1_000_000 })).toBeCloseTo(25);
  });

  test("reasoning costs what output does, where it has no price of its own", async () => {
    expect(await price({ outputTokens: 1_000_000, reasoningTokens: 900_000 })).toBeCloseTo(25);
    const deep = "perplexity/sonar-deep-research";
    expect(await price({ outputTokens: 1_000_000 }, deep, "openrouter")).toBeCloseTo(8);
    expect(await price({ outputTokens: 1_000_000, reasoningTokens: 1_000_000 }, deep, "openrouter")).toBeCloseTo(3);
  });

  test("sound and pictures do too", async () => {
    const flash = "gemini-2.5-flash";
    expect(await price({ inputTokens: 1_000_000 }, flash, "google")).toBeCloseTo(0.3);
    expect(await price({ inputTokens: 1_000_000, parts: { inputAudio: 1_000_000 } }, flash, "google")).toBeCloseTo(1);
    expect(await price({ outputTokens: 1_000_000, parts: { outputImage: 1_000_000 } }, "gemini-2.5-flash-image", "google")).toBeCloseTo(30);
  });

  test("of a long input all cost more", async () => {
    const pro = "gemini-2.5-pro";
    expect(await price({ inputTokens: 200_000 }, pro, "google")).toBeCloseTo(0.25);
    expect(await price({ inputTokens: 200_001 }, pro, "google")).toBeCloseTo(0.5000025);
    expect(await price({ inputTokens: 200_001, outputTokens: 1_000_000 }, pro, "google")).toBeCloseTo(0.5000025 + 15);
  });
});

describe("unknown is undefined, never nought and never another's price", () => {
  test.each([
    ["openai", "gpt-4o-of-tomorrow"],
    ["openai", "ft:gpt-4o-mini:acme::1"],
    ["openai", "openai:gpt-4o"],
    ["openai", "claude-sonnet-4-5"],
    ["openai", ""],
    ["openai", undefined],
    ["anthropic", "gpt-4o"],
    ["anthropic", "claude-sonnet-99"],
    // The table falls back to Anthropic's own models here.
    ["google", "claude-2"],
    ["openrouter", "gpt-4o"],
    ["tetrate", "gpt-4o"],
    ["databricks", "databricks-claude-sonnet-4"],
    ["databricks", "gpt-4o"],
    ["openai", "__proto__"],
    ["openai", "x".repeat(100_000)],
  ] as const)("%s %s", async (provider, model) => {
    expect(await cost(provider, model)).toBeUndefined();
    // And the second time as the first.
    expect(await cost(provider, model)).toBeUndefined();
  });

  test("a model whose tokens have no price", async () => {
    // Paid by its length.
    expect(await cost("openai", "whisper-1")).toBeUndefined();
    expect(await cost("openai", "text-embedding-3-small")).toBeCloseTo(0.02);
    expect(await cost("openai", "text-embedding-3-small", { ...NONE, outputTokens: 1 })).toBeUndefined();
  });
});

test("what is free costs nothing, which is known", async () => {
  expect(await cost("openrouter", "meta-llama/llama-3.3-70b-instruct:free")).toBe(0);
});

test("the answer's model is the one that is paid for, and a variant of the request's stays one", async () => {
  const prices = await createPrices([]);
  const at = (provider: ProviderName, model: string, answeredModel: string | undefined) =>
    prices.costUsd({ provider, model, answeredModel, usage: MILLION, wallMs: NOW });
  expect(at("openai", "gpt-4o", "gpt-4o-mini-2024-07-18")).toBeCloseTo(0.15);
  expect(at("openai", "gpt-4o", undefined)).toBeCloseTo(2.5);
  expect(at("openai", "gpt-4o", "a-model-of-tomorrow")).toBeUndefined();
  const llama = "meta-llama/llama-3.3-70b-instruct";
  expect(at("openrouter", `${llama}:free`, llama)).toBe(0);
  expect(at("openrouter", llama, llama)).toBeGreaterThan(0);
});

describe("the host of the target", () => {
  const at = async (provider: ProviderName, base: string, model: string) =>
    (await createPrices([])).costUsd({ provider, base, model, usage: MILLION, wallMs: NOW });

  test.each(PROVIDER_NAMES.filter((name) => PROVIDERS[name].host !== undefined && (TABLES as readonly string[]).includes(name)))(
    "of %s is that provider's",
    async (name) => {
      const [model = { id: "" }] = findProvider({ providerId: name })?.models ?? [];
      expect(await at(name, PROVIDERS[name].host ?? "", model.id)).toBe(await cost(name, model.id));
    },
  );

  test("that is another's has the other's prices", async () => {
    const groq = "https://api.groq.com/openai";
    expect(await at("openai", groq, "llama-3.1-8b-instant")).toBeCloseTo(0.05);
    expect(await at("openai", groq, "gpt-4o")).toBeUndefined();
  });

  test("that nobody knows leaves the provider's", async () => {
    expect(await at("openai", "http://gateway.internal:4000", "gpt-4o")).toBeCloseTo(2.5);
    expect(await at("tetrate", "https://api.router.tetrate.ai", "gpt-4o")).toBeUndefined();
  });
});

describe("overrides", () => {
  const OWN: readonly PriceSetting[] = [
    { provider: "databricks", model: "databricks-*", inputPerMillion: 7, outputPerMillion: 11, cacheReadPerMillion: 0.7 },
    { model: "gpt-4o", inputPerMillion: 1, outputPerMillion: 2 },
    { model: "gpt-*", inputPerMillion: 0, outputPerMillion: 0 },
  ];

  test.each([
    ["databricks", "databricks-claude-sonnet-4", MILLION, 7],
    ["databricks", "databricks-x", { ...MILLION, cacheReadTokens: 1_000_000 }, 0.7],
    // Without a price of its own, what goes into a cache is input.
    ["databricks", "databricks-x", { ...MILLION, cacheWriteTokens: 1_000_000 }, 7],
    ["databricks", "databricks-x", { ...NONE, outputTokens: 500_000 }, 5.5],
    ["tetrate", "databricks-x", MILLION, undefined],
    ["openai", "gpt-4o", MILLION, 1],
    ["openai", "GPT-4o", MILLION, 1],
    ["openai", "gpt-4o-mini", MILLION, 0],
    ["anthropic", "claude-opus-4-5", MILLION, 5],
  ] as const)("%s %s %j: %p", async (provider, model, usage, expected) => {
    expect(await cost(provider, model, usage, OWN)).toBe(expected as number);
  });

  test("are looked for by the name that was asked for too", async () => {
    const prices = await createPrices([{ model: "my-deployment", inputPerMillion: 3, outputPerMillion: 3 }]);
    const asked = { provider: "openai", model: "my-deployment", answeredModel: "gpt-4o-2024-08-06", usage: MILLION, wallMs: NOW } as const;
    expect(prices.costUsd(asked)).toBe(3);
  });

  test("hold where no model is named, if they are for all", async () => {
    expect(await cost("openai", undefined, MILLION, [{ model: "*", inputPerMillion: 3, outputPerMillion: 3 }])).toBe(3);
  });
});

test("a price that changes on a day is asked for anew when the day has come", async () => {
  const dated = findProvider({ providerId: "openai" })?.models.find(
    ({ prices }) => Array.isArray(prices) && prices.filter(({ constraint }) => constraint !== undefined).length > 0,
  );
  if (!dated || !Array.isArray(dated.prices)) throw new Error("the table has no model whose price changed");
  const dates = dated.prices.flatMap(({ constraint }) => (constraint?.type === "start_date" ? [Date.parse(constraint.start_date)] : []));
  const prices = await createPrices([]);
  const seen = dates.flatMap((at) =>
    [at - DAY_MS, at].map((wallMs) => {
      const expected = calcPrice({ input_tokens: 1_000_000 }, dated.id, { providerId: "openai", timestamp: new Date(wallMs) });
      expect(prices.costUsd({ provider: "openai", model: dated.id, usage: MILLION, wallMs })).toBeCloseTo(expected?.total_price ?? -1, 9);
      return expected?.total_price;
    }),
  );
  expect(new Set(seen).size).toBeGreaterThan(1);
});

test("thousands of names from the wire neither pile up nor change a price", async () => {
  const prices = await createPrices([]);
  for (let i = 0; i < 5_000; i++) prices.costUsd({ provider: "openai", model: `made-up-${i}`, usage: MILLION, wallMs: NOW });
  expect(prices.costUsd({ provider: "openai", model: "gpt-4o", usage: MILLION, wallMs: NOW })).toBeCloseTo(2.5);
});
