import type { ErrorFacts } from "../../core/provider.ts";
import { base62Id, entry, oncePerError } from "../shared.ts";
import { type CompatibleHost, OVERFLOW_SOURCE, PLAIN } from "./shared.ts";

const requestId = oncePerError((random) => base62Id(random, 32));

function mistralError(facts: ErrorFacts, message: string, type: string, code: string | null): unknown {
  return { object: "error", message: facts.message ?? message, type, param: null, code };
}

/** Mistral: no `error` member, the object itself is the error. */
export const MISTRAL: CompatibleHost = {
  errors: {
    context_length: [
      entry(
        "mistral",
        400,
        "S",
        OVERFLOW_SOURCE,
        (facts) =>
          mistralError(
            facts,
            `Prompt contains ${facts.inputTokens} tokens and 0 draft tokens, too large for model with ${facts.contextTokensMax} maximum context length`,
            "invalid_request_error",
            null,
          ),
        PLAIN,
      ),
    ],
    rate_limit: [
      entry(
        "mistral",
        429,
        "C",
        "cline/cline#9085, raycast/extensions#31107",
        (facts) => mistralError(facts, "Rate limit exceeded", "rate_limited", "1300"),
        PLAIN,
      ),
      entry(
        "mistral_raw_status",
        429,
        "C",
        "cline/cline#9085, raycast/extensions#31107 (with raw_status_code, from 2026-09)",
        (facts) => ({ ...(mistralError(facts, "Rate limit exceeded", "rate_limited", "1300") as object), raw_status_code: facts.status }),
        PLAIN,
      ),
      entry(
        "mistral_gateway",
        429,
        "C",
        "pydantic/pydantic-ai#1885",
        (facts) => ({ message: facts.message ?? "Requests rate limit exceeded" }),
        PLAIN,
      ),
    ],
    overloaded: [
      entry(
        "mistral",
        429,
        "C",
        "continuedev/continue#6185",
        (facts) => mistralError(facts, "Service tier capacity exceeded for this model.", "invalid_request_error", null),
        PLAIN,
      ),
      entry(
        "mistral_3505",
        429,
        "C",
        "continuedev/continue#6185 and later reports (type and code)",
        (facts) => mistralError(facts, "Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded", "3505"),
        PLAIN,
      ),
    ],
    auth: [
      entry("mistral", 401, "U", "no public capture", (facts) => ({ detail: facts.message ?? "Unauthorized" }), PLAIN),
      entry(
        "mistral_gateway",
        401,
        "U",
        "no public capture",
        (facts) => ({ message: facts.message ?? "Unauthorized", request_id: requestId(facts) }),
        PLAIN,
      ),
    ],
    model_not_found: [
      entry(
        "mistral",
        400,
        "C",
        "public reports of Mistral's code 1500",
        (facts) => mistralError(facts, `Invalid model: ${facts.model}`, "invalid_model", "1500"),
        PLAIN,
      ),
    ],
  },
};
