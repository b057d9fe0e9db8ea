import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DIALECTS } from "../../src/dialects/index.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { SSE } from "../../src/stream/sse.ts";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import { type Outcome, outcomeOf } from "./support/outcome.ts";
import { QUICK_KEYS } from "./support/quick-faults.ts";
import { CHAT_PATH, openaiAt, startTranslating } from "./support/translating.ts";

/** What a client waits before it gives up, where nothing will come and where something will. */
const PATIENCE_MS = 150;
const MORE_PATIENCE_MS = 10_000;
const TOKENS = 12;
const TOOLS = [
  { type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
];

/** The same for whole answers and streams, on both sides. */
const all = (seen: string) => [seen, seen, seen, seen] as const;
const http = (status: number) => all(`error ${status}`);

/**
 * By fault: what a client of Chat Completions sees of a whole answer and of a stream, with the fault on the target's side, which
 * speaks Responses, and on its own. `beginning` is a stream without an end; `whole` an answer that says why it ended.
 */
const SEEN: Readonly<Record<string, readonly [upWhole: string, upStream: string, clientWhole: string, clientStream: string]>> = {
  context_length: http(400),
  rate_limit: http(429),
  server_error: http(500),
  overloaded: http(503),
  auth: http(401),
  permission: http(403),
  quota: http(429),
  model_not_found: http(404),
  content_filter: http(400),
  request_too_large: http(413),
  timeout: ["error 504", "error 504", "page 504", "page 504"],
  force_degraded: http(503),
  force_transient_recover: http(500),
  bad_gateway: ["error 502", "error 502", "page 502", "page 502"],
  latency: all("usual"),
  hang: all("silence"),
  reset: ["error 502", "error 502", "no answer", "no answer"],
  slow: all("usual"),
  bad_json: ["error 502", "error in stream", "broken JSON", "broken JSON"],
  // An answer of its own. The label of a whole one says nothing that its bytes do not say.
  wrong_content_type: ["whole: stop", "error 502", "whole: stop as text/html", "whole: stop as text/html"],
  close: ["error 502", "error 502", "no answer", "no answer"],
  hang_after_headers: ["silence", "beginning, silence", "beginning, silence", "beginning, silence"],
  truncate_body: ["error 502", "error in stream, cut", "beginning, cut", "beginning, cut"],
  wrong_length: ["silence", "usual", "usual, silence", "usual, silence"],
  duplicate_head: ["error 502", "error in stream, cut", "broken JSON", "beginning, cut"],
  slow_head: all("usual"),
  half_close: all("usual"),
  late_reset: all("usual"),
  garbage: ["error 502", "error 502", "no answer", "no answer"],
  cut: ["usual", "error in stream, cut", "usual", "beginning, cut"],
  stall: ["usual", "beginning, silence", "usual", "beginning, silence"],
  error_event: ["usual", "error in stream", "usual", "error in stream"],
  no_done: ["usual", "error in stream", "usual", "without [DONE]"],
  malformed_frame: ["usual", "error in stream", "usual", "broken JSON"],
  duplicate_frame: ["usual", "whole: stop", "usual", "whole: stop"],
  split_frames: all("usual"),
  keepalive_flood: all("usual"),
  slow_tokens: all("usual"),
  finish_length: all("whole: length"),
  refusal: all("whole: stop"),
  empty: all("whole: stop"),
  bad_tool_json: all("whole: tool_calls"),
  unknown_tool: all("whole: tool_calls"),
  usage_missing: all("usual"),
};

const MESSAGES = [{ role: "user" as const, content: "hello" }];
const request = (stream: boolean, offersTools = false) => ({
  model: "gpt-4o",
  messages: offersTools ? [{ role: "user", content: "call get_weather" }] : MESSAGES,
  stream,
  ...(stream && { stream_options: { include_usage: true } }),
  ...(offersTools && { tools: TOOLS }),
});

type Message = { readonly content?: string | null };
type Choice = { readonly delta?: Message; readonly message?: Message; readonly finish_reason?: string | null };

/** An outcome in a word or two; `usual` is the text of an answer that meets no fault. */
function seenIn(outcome: Outcome, usual: string): string {
  const { status, contentType, text, end } = outcome;
  if (status === undefined) return end === "silence" ? "silence" : "no answer";
  const how = end === "proper" ? "" : `, ${end}`;
  if (status !== 200)
    return contentType === "text/html" ? `page ${status}` : `${isError(parsed(text)) ? "error" : "no error"} ${status}${how}`;
  if (text === "") return `beginning${how}`;
  const as = contentType === "text/html" ? " as text/html" : "";
  return (/^(?:data|:)/.test(text) ? inStream(text, usual) : inWhole(text, usual, end)) + as + how;
}

function inWhole(text: string, usual: string, end: Outcome["end"]): string {
  const json = parsed(text) as { choices?: readonly Choice[]; object?: string } | undefined;
  if (json === undefined) return end === "cut" ? "beginning" : "broken JSON";
  const [choice] = json.choices ?? [];
  if (json.object !== "chat.completion" || choice?.message === undefined) return `no answer of Chat Completions: ${text}`;
  return choice.message.content === usual && choice.finish_reason === "stop" ? "usual" : `whole: ${choice.finish_reason}`;
}

function inStream(text: string, usual: string): string {
  const splitter = SSE.splitter();
  const payloads = splitter.push(Buffer.from(text)).flatMap(({ data }) => data ?? []);
  let content = "";
  let finish: string | undefined;
  for (const data of payloads) {
    if (data === "[DONE]") continue;
    const json = parsed(data) as { choices?: readonly Choice[]; object?: string } | undefined;
    if (json === undefined) return "broken JSON";
    if (isError(json)) return finish === undefined ? "error in stream" : "error behind an end";
    if (json.object !== "chat.completion.chunk") return `no chunk: ${data}`;
    content += json.choices?.[0]?.delta?.content ?? "";
    finish = json.choices?.[0]?.finish_reason ?? finish;
  }
  if (finish === undefined) return "beginning";
  if (payloads.at(-1) !== "[DONE]") return "without [DONE]";
  return content === usual && finish === "stop" ? "usual" : `whole: ${finish}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** OpenAI's shape. */
function isError(json: unknown): boolean {
  const error = (json as { error?: Record<string, unknown> } | undefined)?.error;
  return typeof error?.message === "string" && error.message !== "" && "type" in error && "code" in error;
}

describe.each(ENGINES)("faults on both sides of a translation, with the %s engine", (engine) => {
  let daemon: TestDaemon;
  let usual: string;
  beforeAll(async () => {
    daemon = await startTranslating(engine, ['endpoint = "simulated"', 'dialect = "responses"'], ["--tokens", String(TOKENS)]);
    const { text } = await outcomeOf(daemon, CHAT_PATH, request(false), 5_000);
    usual = (JSON.parse(text) as { choices: readonly [{ message: { content: string } }] }).choices[0].message.content;
    expect(usual.split(" ").length).toBe(TOKENS);
  });
  afterAll(() => daemon.stop());

  const asked = async (command: string, stream: boolean, patienceMs = MORE_PATIENCE_MS) => {
    expect(await daemon.command(command)).toMatchObject({ status: 200 });
    return outcomeOf(daemon, CHAT_PATH, request(stream, command.includes("tool")), patienceMs);
  };

  // The other engine refuses what needs raw sockets.
  const faults = FAULTS.filter(({ name, needsRawSockets }) => engine === "wire" || needsRawSockets === undefined || name === "cut");
  test.each(faults.map(({ name }) => name))("%s", async (name) => {
    const expected = SEEN[name] ?? [];
    const seen: string[] = [];
    for (const expectation of expected) {
      const stream = seen.length % 2 === 1;
      const command = `${name} ${QUICK_KEYS[name] ?? ""} side=${seen.length < 2 ? "upstream" : "client"}`;
      seen.push(seenIn(await asked(command, stream, expectation.includes("silence") ? PATIENCE_MS : MORE_PATIENCE_MS), usual));
    }
    expect(seen).toEqual([...expected]);
    expect(seen.length).toBe(4);
    await daemon.command("clear");
  });

  const variants = DIALECTS.responses.streamErrors.map(({ variant }) => variant);
  test.each(variants)("error_event variant=%s on the target's side reaches the SDK as an error of Chat Completions", async (variant) => {
    await daemon.command(`error_event side=upstream after=5tokens variant=${variant} message=ouch`);
    let text = "";
    let error: unknown;
    try {
      for await (const { choices } of await openaiAt(daemon).chat.completions.create({
        model: "gpt-4o",
        messages: MESSAGES,
        stream: true,
      })) {
        text += choices[0]?.delta.content ?? "";
        expect(choices[0]?.finish_reason ?? null).toBeNull();
      }
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ message: "ouch", code: expect.any(String), type: expect.any(String) });
    expect(usual).toStartWith(text);
    expect(text.split(" ").length).toBe(5);
  });

  test("error_event on the client's side has a form of Chat Completions", async () => {
    const { text } = await asked("error_event side=client after=5tokens variant=numeric_code", true);
    expect(text).toMatch(/data: \{"error":\{[^\n]*"code":400/);
  });

  test("faults on both sides work one after the other", async () => {
    await daemon.command("add finish_length 1 side=upstream after=6 id=up");
    const { text } = await asked("slow_tokens side=client ttft=1ms between=1ms", true);
    expect(seenIn({ status: 200, contentType: "", text, end: "proper" }, usual)).toBe("whole: length");
    await daemon.command("clear");
  });

  test("the events speak of the client's dialect", async () => {
    await asked("error_event side=upstream", true);
    const event = (await daemon.events()).findLast(({ type }) => type === "exchange");
    expect(event).toMatchObject({ dialect: "chat", path: CHAT_PATH, faults: ["error_event"], skipped: [], error: null });
  });
});
