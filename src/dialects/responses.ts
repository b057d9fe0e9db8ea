import type { Dialect } from "../core/dialect.ts";
import type { RequestFacts } from "../core/exchange.ts";
import { SSE } from "../stream/sse.ts";
import { renderFrames, renderWhole } from "./responses/answer.ts";
import { endedByLength } from "./responses/ended-by-length.ts";
import { responsesStreamErrors } from "./responses/stream-errors.ts";
import { responsesUsage } from "./responses/usage.ts";
import {
  charactersIn,
  countOf,
  factsFromPath,
  isObject,
  type JsonObject,
  objectsOf,
  openaiSession,
  openaiUser,
  parseObject,
  textOf,
  textsOf,
  tokensIn,
  turnText,
} from "./shared.ts";

/** OpenAI Responses. */
export const responses: Dialect = {
  name: "responses",
  // Creating one; what reads, cancels or compacts a response has a longer path.
  matches: (path) => /(?:^|\/)responses\/?$/.test(path),
  facts: (_path, _query, json) => readFacts(json),
  framing: () => SSE,
  isContent: ({ data }) => data?.includes(".delta") === true && bringsOutput(parseObject(data)),
  isTerminal: ({ data }) => data?.includes('"response.') === true && TERMINAL_TYPES.has(parseObject(data)?.type),
  streamErrors: responsesStreamErrors(),
  // Undocumented, but sent in long silences: openai/openai-node#1964. It carries the number of the moment.
  keepalive: { event: "keepalive", data: '{"type":"keepalive","sequence_number":2}' },
  whole: renderWhole,
  frames: renderFrames,
  usage: responsesUsage,
  withoutUsage: () => withoutUsage,
  endedByLength,
};

const TERMINAL_TYPES: ReadonlySet<unknown> = new Set(["response.completed", "response.failed", "response.incomplete"]);

function bringsOutput(event: JsonObject | undefined): boolean {
  return typeof event?.type === "string" && event.type.endsWith(".delta") && textOf(event.delta) !== undefined;
}

function readFacts(json: unknown): RequestFacts {
  if (!isObject(json)) return factsFromPath(undefined, false, true);
  const items = objectsOf(json.input);
  const lastType = items.at(-1)?.type;
  const prompt = typeof json.input === "string" ? json.input : turnText(items.findLast(({ role }) => role === "user")?.content);
  const inputCharacters = charactersIn(json.instructions) + charactersIn(json.input) + charactersIn(json.tools);
  return {
    model: textOf(json.model),
    stream: json.stream === true,
    session: openaiSession(json),
    user: openaiUser(json),
    inputCharacters,
    inputTokens: tokensIn(inputCharacters),
    outputTokensMax: countOf(json.max_output_tokens),
    tools: textsOf(objectsOf(json.tools).map((tool) => tool.name)),
    prompt,
    afterToolResult: typeof lastType === "string" && lastType.endsWith("_output"),
    usageInStream: true,
  };
}

// ---- rewriters ----

/** The service itself sends `usage: null` until a response is complete. */
function withoutUsage(payload: string): string {
  if (!payload.includes('"usage"')) return payload;
  const json = parseObject(payload);
  if (json === undefined) return payload;
  if (isObject(json.usage)) return JSON.stringify({ ...json, usage: null });
  if (isObject(json.response) && isObject(json.response.usage))
    return JSON.stringify({ ...json, response: { ...json.response, usage: null } });
  return payload;
}
