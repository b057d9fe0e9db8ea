import type { HeaderList } from "../../core/headers.ts";
import type { ErrorEntry, ErrorFacts } from "../../core/provider.ts";
import { entry, openaiBody } from "../shared.ts";
import type { CompatibleHost } from "./shared.ts";

const PLAIN_GO = { headers: (): HeaderList => [["content-type", "application/json; charset=utf-8"]], retryHint: false } as const;
const BUSY = "server busy, please try again.  maximum pending requests exceeded";
const TOO_LONG = "the input length exceeds the context length";

/** `textSource`: where the text stands in ollama/ollama. */
function compatible(status: number, textSource: string, type: string, text: (facts: ErrorFacts) => string): ErrorEntry {
  const source = `ollama/ollama openai/openai.go:225 (shape), ${textSource} (text)`;
  return entry("ollama_compat", status, "S", source, (facts) => openaiBody(facts, { message: text(facts), type, code: null }), PLAIN_GO);
}

function missing(facts: ErrorFacts): string {
  return `model "${facts.model}" not found, try pulling it first`;
}

/** Ollama: `error` is a string under `/api/`, OpenAI's object under `/v1/` (`ollama_compat`). */
export const OLLAMA: CompatibleHost = {
  errors: {
    context_length: [
      entry("ollama", 400, "F", "ollama/ollama llm/llama_server.go:2443", (facts) => ({ error: facts.message ?? TOO_LONG }), PLAIN_GO),
      compatible(400, "llm/llama_server.go:2443", "invalid_request_error", () => TOO_LONG),
    ],
    server_error: [compatible(500, "docs/api/errors.mdx", "api_error", () => "an error was encountered while running the model")],
    overloaded: [
      entry("ollama", 503, "F", "ollama/ollama server/sched.go:88", (facts) => ({ error: facts.message ?? BUSY }), PLAIN_GO),
      compatible(503, "server/sched.go:88", "api_error", () => BUSY),
    ],
    model_not_found: [
      entry("ollama", 404, "F", "ollama/ollama server/routes.go:3107", (facts) => ({ error: facts.message ?? missing(facts) }), PLAIN_GO),
      compatible(404, "server/routes.go:3107", "not_found_error", missing),
    ],
  },
};
