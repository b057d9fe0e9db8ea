import { expect, test } from "bun:test";
import { type EstimationSettings, estimateInputTokens } from "../../src/policy/estimate.ts";

const settings: EstimationSettings = {
  maxSampleBytes: 20_000,
  charsPerToken: 4,
  providerCharsPerToken: { openai: 5, anthropic: 3 },
  bytesPerToken: 4,
};

test.each([
  ["the provider's own ratio", "openai", 100, 300, 20],
  ["another provider's", "anthropic", 100, 300, 34],
  ["one without its own", "google", 100, 300, 25],
  ["a part of a token is a token", "openai", 1, 300, 1],
  ["no text: images alone are not estimated", "openai", 0, 19_000, 0],
  ["text that is not known", "openai", undefined, 301, 76],
  ["the largest body that is judged by its text", "openai", 100, 20_000, 20],
  ["a larger one", "openai", 100, 20_001, 5_001],
  ["nothing at all", "openai", undefined, 0, 0],
] as const)("%s", (_, provider, characters, bodyBytes, tokens) => {
  expect(estimateInputTokens({ provider, characters, bodyBytes }, settings)).toBe(tokens);
});
