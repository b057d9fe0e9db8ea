import type { ErrorFacts } from "../../core/provider.ts";
import { entry } from "../shared.ts";
import { type CompatibleHost, PLAIN } from "./shared.ts";

const SCHEMA_SOURCE = "vercel/ai packages/xai/src/xai-error.ts (schema); captured text in public reports";
const INVALID = "Client specified an invalid argument";

function xaiError(facts: ErrorFacts, code: string, error: string): unknown {
  return { code, error: facts.message ?? error };
}

/** xAI shows the first and last two characters of a key. */
function shownKey(maskedKey: string): string {
  return `${maskedKey.slice(0, 2)}***${maskedKey.slice(-2)}`;
}

/** xAI: `error` is a string, `code` a sentence. */
export const XAI: CompatibleHost = {
  errors: {
    context_length: [
      entry(
        "xai",
        400,
        "C",
        SCHEMA_SOURCE,
        (facts) =>
          xaiError(
            facts,
            INVALID,
            `This model's maximum prompt length is ${facts.contextTokensMax} but the request contains ${facts.inputTokens} tokens.`,
          ),
        PLAIN,
      ),
      entry(
        "xai_budget",
        400,
        "C",
        "UKGovernmentBEIS/inspect_ai#5208 (text, 2026-09)",
        (facts) =>
          xaiError(
            facts,
            INVALID,
            `Failed to start sampling: [input_too_large] Current message (${facts.inputTokens} tokens) exceeds budget (${facts.contextTokensMax} tokens)`,
          ),
        PLAIN,
      ),
    ],
    rate_limit: [
      entry(
        "xai",
        429,
        "S",
        "cline/cline#4826 (text); wrapper unverified",
        (facts) =>
          xaiError(
            facts,
            "Some resource has been exhausted",
            `Too many tokens for team 00000000-0000-4000-8000-000000000000 and model ${facts.model}. Your team's rate limit is — Tokens per Minute (actual/limit): ${Math.max(65_605, facts.inputTokens)}/16000. You can view your team rate limits at https://console.x.ai.`,
          ),
        PLAIN,
      ),
    ],
    auth: [
      entry(
        "xai",
        400,
        "C",
        SCHEMA_SOURCE,
        (facts) =>
          xaiError(
            facts,
            INVALID,
            `Incorrect API key provided: ${shownKey(facts.maskedKey)}. You can obtain an API key from https://console.x.ai.`,
          ),
        PLAIN,
      ),
    ],
  },
};
