import type { HeaderList } from "../../core/headers.ts";
import { entry } from "../shared.ts";
import { type CompatibleHost, overflow } from "./shared.ts";

/** A body of no bytes, as Cerebras sends. */
const NO_BODY = { headers: (): HeaderList => [], retryHint: false } as const;

/** Hosts of which little more than the answer to an overflow is known. */
export const OTHERS: CompatibleHost = {
  errors: {
    context_length: [
      overflow("copilot", (facts) => `prompt token count of ${facts.inputTokens} exceeds the limit of ${facts.contextTokensMax}`),
      overflow("lm_studio", () => "tokens to keep from the initial prompt is greater than the context length"),
      overflow("kimi", (facts) => `Your request exceeded model token limit: ${facts.contextTokensMax} (requested: ${facts.inputTokens})`),
      overflow("minimax", () => "invalid params, context window exceeds limit"),
      entry("cerebras", 400, "F", "badlogic/pi-mono packages/ai/src/utils/overflow.ts (status and empty body)", () => "", NO_BODY),
    ],
    request_too_large: [
      entry("cerebras", 413, "F", "badlogic/pi-mono packages/ai/src/utils/overflow.ts (status and empty body)", () => "", NO_BODY),
    ],
  },
};
