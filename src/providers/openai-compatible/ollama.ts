import type { HeaderList } from "../../core/headers.ts";
import type { ErrorFacts } from "../../core/provider.ts";
import { entry, openaiBody } from "../shared.ts";
import type { CompatibleHost } from "./shared.ts";

const PLAIN_GO = { headers: (): HeaderList => [["content-type", "application/json; charset=utf-8"]], retryHint: false } as const;
const BUSY = "server busy, please try again.  maximum pending requests exceeded";
const TOO_LONG = "the input length exceeds the context length";
const COMPATIBLE_SOURCE = "ollama/ollama openai/openai.go:225 (shape)";

function compatible(facts: ErrorFacts, message: string, type: string): unknown {
  return openaiBody(facts, { message, type, code: null });
}

function missing(facts: ErrorFacts): string {
  return `model "${facts.model}" not found, try pulling it first`;
}

/** Ollama: `error` is a string under `/api/`, OpenAI's object under `/v1/` (`ollama_compat`). */
export const OLLAMA: CompatibleHost = {
  errors: {
    context_length: [
      entry("ollama", 400, "F", "ollama/ollama llm/llama_server.go:2443", (facts) => ({ error: facts.message ?? TOO_LONG }), PLAIN_GO),
      entry(
        "ollama_compat",
        400,
        "S",
        `${COMPATIBLE_SOURCE}, llm/llama_server.go:2443 (text)`,
        (facts) => compatible(facts, TOO_LONG, "invalid_request_error"),
        PLAIN_GO,
      ),
    ],
    server_error: [
      entry(
        "ollama_compat",
        500,
        "S",
        `${COMPATIBLE_SOURCE}, docs/api/errors.mdx (text)`,
        (facts) => compatible(facts, "an error was encountered while running the model", "api_error"),
        PLAIN_GO,
      ),
    ],
    overloaded: [
      entry("ollama", 503, "F", "ollama/ollama server/sched.go:88", (facts) => ({ error: facts.message ?? BUSY }), PLAIN_GO),
      entry(
        "ollama_compat",
        503,
        "S",
        `${COMPATIBLE_SOURCE}, server/sched.go:88 (text)`,
        (facts) => compatible(facts, BUSY, "api_error"),
        PLAIN_GO,
      ),
    ],
    model_not_found: [
      entry("ollama", 404, "F", "ollama/ollama server/routes.go:3107", (facts) => ({ error: facts.message ?? missing(facts) }), PLAIN_GO),
      entry(
        "ollama_compat",
        404,
        "S",
        `${COMPATIBLE_SOURCE}, server/routes.go:3107 (text)`,
        (facts) => compatible(facts, missing(facts), "not_found_error"),
        PLAIN_GO,
      ),
    ],
  },
};
