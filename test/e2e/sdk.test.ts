import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { SDK_CLIENTS, SDK_NAMES, type SdkAnswer, type SdkName, TOOL } from "./support/sdk-clients.ts";

/** The built-in provider's tokens in an answer. */
const TOKENS = 24;
/** What a client of these tests waits before it gives up. */
const PATIENCE_MS = 250;

describe.each(ENGINES)("official SDKs with the %s engine", (engine) => {
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await startTestDaemon({ engine, args: ["--simulate", "--seed", "1", "--tokens", String(TOKENS)] });
  });
  afterAll(() => daemon.stop());
  beforeEach(() => daemon.command("clear"));

  const client = (name: SdkName, options: { readonly maxRetries?: number; readonly timeout?: number } = {}) =>
    SDK_CLIENTS[name]({ origin: daemon.origin, ...options });

  /** Sets a mode; a mistake in a test's own command must not look like a fault that did not come. */
  async function mode(command: string): Promise<void> {
    expect(await daemon.command(command)).toMatchObject({ status: 200 });
  }

  /** The faults that the last exchanges met, oldest first. */
  async function lastFaults(exchanges: number): Promise<readonly unknown[]> {
    const ended = (await daemon.events()).filter((event) => event.type === "exchange");
    return ended.slice(-exchanges).map((event) => (event.faults as readonly string[]).join("+"));
  }

  describe.each(SDK_NAMES)("without faults, %s", (name) => {
    const finish: Record<SdkName, readonly [text: string, call: string]> = {
      chat: ["stop", "tool_calls"],
      responses: ["completed", "completed"],
      messages: ["end_turn", "tool_use"],
      gemini: ["STOP", "STOP"],
    };

    test("a whole and a streamed answer are the same, with usage", async () => {
      const whole = await client(name).whole();
      const { answer, error } = await client(name).streamed();
      expect(error).toBeUndefined();
      expect(answer).toEqual(whole);
      expect(whole.text.split(" ").length).toBe(TOKENS);
      expect(whole).toMatchObject({ finish: finish[name][0], outputTokens: TOKENS, toolCalls: [] });
      expect(whole.inputTokens).toBeGreaterThan(0);
    });

    test("a tool that the prompt asks for is called, whole and streamed", async () => {
      const request = { prompt: `Please call ${TOOL}.`, tools: ["other_tool", TOOL] };
      const whole = await client(name).whole(request);
      const { answer, error } = await client(name).streamed(request);
      expect(error).toBeUndefined();
      expect(answer).toEqual(whole);
      expect(whole).toMatchObject({ text: "", finish: finish[name][1], toolCalls: [{ name: TOOL }] });
      expect(JSON.parse(whole.toolCalls[0]?.argumentsText ?? "")).toEqual({ city: expect.any(String) });
    });

    test("models are listed", async () => {
      const models = await client(name).models();
      expect(models.length).toBeGreaterThan(2);
      expect(models.every((model) => model !== "")).toBe(true);
    });
  });

  /** By command: what each SDK throws, as class, status and its own word for the error (code, type, or status name). */
  const HTTP_FAULTS: readonly (readonly [command: string, openai: string, anthropic: string, google: string])[] = [
    ["c", "BadRequestError 400 context_length_exceeded", "BadRequestError 400 invalid_request_error", "ApiError 400 INVALID_ARGUMENT"],
    ["r", "RateLimitError 429 rate_limit_exceeded", "RateLimitError 429 rate_limit_error", "ApiError 429 RESOURCE_EXHAUSTED"],
    ["u", "InternalServerError 500 internal_server_error", "OverloadedError 529 overloaded_error", "ApiError 503 UNAVAILABLE"],
    ["o", "InternalServerError 503 server_is_overloaded", "OverloadedError 529 overloaded_error", "ApiError 503 UNAVAILABLE"],
    ["a", "AuthenticationError 401 invalid_api_key", "AuthenticationError 401 authentication_error", "ApiError 400 INVALID_ARGUMENT"],
    ["b", "RateLimitError 429 insufficient_quota", "BadRequestError 400 invalid_request_error", "ApiError 429 RESOURCE_EXHAUSTED"],
    [
      "permission",
      "PermissionDeniedError 403 unsupported_country_region_territory",
      "PermissionDeniedError 403 permission_error",
      "ApiError 403 PERMISSION_DENIED",
    ],
    ["model_not_found", "NotFoundError 404 model_not_found", "NotFoundError 404 not_found_error", "ApiError 404 NOT_FOUND"],
    ["content_filter", "BadRequestError 400 content_policy_violation", "BadRequestError 400 invalid_request_error", "answer SAFETY"],
    ["request_too_large", "APIError 413 request_too_large", "ContentTooLargeError 413 request_too_large", "ApiError 400 INVALID_ARGUMENT"],
    ["timeout", "InternalServerError 504", "GatewayTimeoutError 504 timeout_error", "ApiError 504 DEADLINE_EXCEEDED"],
    ["bad_gateway", "InternalServerError 502", "InternalServerError 502", "ApiError 502 Bad Gateway"],
    [
      "server_error status=507 message=full",
      "InternalServerError 507 internal_server_error",
      "InternalServerError 507 overloaded_error",
      "ApiError 507 UNAVAILABLE",
    ],
    [
      "rate_limit variant=interactions",
      "RateLimitError 429 rate_limit_exceeded",
      "RateLimitError 429 rate_limit_error",
      "ApiError 429 quota_exceeded",
    ],
  ];
  const EVERY_HTTP_CASE = HTTP_FAULTS.flatMap(([command, openai, anthropic, google]) =>
    (
      [
        ["chat", openai],
        ["responses", openai],
        ["messages", anthropic],
        ["gemini", google],
      ] as const
    ).map(([name, seen]) => [command, name, seen] as const),
  );

  test.each(EVERY_HTTP_CASE)("%s: %s sees %s, whole and streamed, and is well again after it", async (command, name, seen) => {
    await mode(command);
    expect(await seenBy(client(name).whole())).toBe(seen);
    expect(await seenBy(client(name).whole())).toStartWith("answer");
    await mode(command);
    const { answer, error } = await client(name).streamed();
    expect(error === undefined ? `answer ${answer.finish}` : told(error)).toBe(seen);
    expect((await client(name).streamed()).error).toBeUndefined();
  });

  describe("counts", () => {
    test.each(SDK_NAMES)("c 1: %s gets the announced error first, and then answers", async (name) => {
      await mode("c 1");
      const contextError = await client(name)
        .whole()
        .catch((error: unknown) => error);
      expect(String(contextError)).toMatch(/maximum context length|exceeds the context window|prompt is too long|input token count/);
      expect(await seenBy(client(name).whole())).toStartWith("answer");
      expect(await lastFaults(2)).toEqual(["context_length", ""]);
    });

    test("r 3: three rate limits, whoever asks, and the mode is none again", async () => {
      await mode("r 3");
      const seen: string[] = [];
      for (const name of [...SDK_NAMES, "chat"] as const) seen.push(await seenBy(client(name).whole()));
      expect(seen.map((text) => text.split(" ")[0])).toEqual(["RateLimitError", "RateLimitError", "RateLimitError", "answer", "answer"]);
      expect((await daemon.command("ls")).body).toMatchObject({ mode: "n" });
    });

    test.each(["c 0", "c 0%", "n"])("%s: none", async (command) => {
      await mode(command);
      expect(await seenBy(client("chat").whole())).toStartWith("answer");
    });
  });

  describe("recovery by the SDK's own retries", () => {
    /** The shortest wait that each provider can ask for; Google's client does not look at what it is told. */
    const SHORTEST_MS: Record<SdkName, number> = { chat: 60, responses: 60, messages: 1_000, gemini: 0 };

    test.each(SDK_NAMES)("a rate limit with a retry hint: %s waits as told and gets its answer", async (name) => {
      await mode("r retry_after=60ms");
      const start = performance.now();
      expect(await seenBy(client(name, { maxRetries: 2 }).whole())).toStartWith("answer");
      expect(performance.now() - start).toBeGreaterThanOrEqual(SHORTEST_MS[name] - 1);
      expect(await lastFaults(2)).toEqual(["rate_limit", ""]);
    });

    test("u 2: two retries are enough", async () => {
      await mode("u 2");
      expect(await seenBy(client("chat", { maxRetries: 2 }).whole())).toStartWith("answer");
      expect(await lastFaults(3)).toEqual(["server_error", "server_error", ""]);
    });

    test("u 2: one retry is not", async () => {
      await mode("u 2");
      expect(await seenBy(client("chat", { maxRetries: 1 }).whole())).toBe("InternalServerError 500 internal_server_error");
      expect(await lastFaults(2)).toEqual(["server_error", "server_error"]);
    });

    test("a context error is not retried", async () => {
      await mode("c 2");
      expect(await seenBy(client("chat", { maxRetries: 2 }).whole())).toStartWith("BadRequestError");
      expect((await daemon.command("ls")).body).toMatchObject({ mode: "context_length 1" });
    });

    test("a reset connection is tried again", async () => {
      await mode("reset");
      expect(await seenBy(client("messages", { maxRetries: 1 }).whole())).toStartWith("answer");
      expect(await lastFaults(2)).toEqual(["reset", ""]);
    });
  });

  describe("an error event inside a 200 stream", () => {
    /** Three frames come before it: in the dialects with an opening of several events, not yet a text. */
    test.each([
      ["chat", "error_event after=3", "APIError server_error", 2],
      ["chat", "error_event after=3 variant=numeric_code", "APIError 400", 2],
      ["chat", "error_event after=3 message=ouch done=off", "APIError server_error", 2],
      ["responses", "error_event after=6tokens", "APIError server_error", 6],
      ["responses", "error_event after=6tokens variant=quota", "APIError insufficient_quota", 6],
      ["responses", "error_event after=6tokens variant=flat", "APIError server_error", 6],
      ["messages", "error_event after=6tokens", "APIError overloaded_error", 6],
      ["messages", "error_event after=6tokens variant=api_error", "APIError api_error", 6],
      // The client cannot read the form that the service really uses after output has begun.
      // The SDK knows a bare error only where it is a chunk of its own when it is read.
      ["gemini", "error_event after=3", /^(Error Incomplete JSON segment at the end|ApiError 503 UNAVAILABLE)$/, 3],
      ["gemini", "error_event after=3 variant=data", "ApiError 503 UNAVAILABLE", 3],
    ] as const)("%s, %s: %s after %d words", async (name, command, seen, words) => {
      await mode(command);
      const { answer, error } = await client(name).streamed();
      expect(told(error)).toEqual(typeof seen === "string" ? seen : expect.stringMatching(seen));
      expect(answer.text.split(" ").filter((word) => word !== "").length).toBe(words);
      expect(answer.finish).toBeUndefined();
    });

    test.each([
      ["chat", "APIError server_error"],
      ["responses", "APIError server_error"],
      ["messages", "APIError overloaded_error"],
      ["gemini", "ApiError 503 UNAVAILABLE"],
    ] as const)("%s, as the first event: %s", async (name, seen) => {
      await mode("error_event");
      const { answer, error } = await client(name).streamed();
      expect(told(error)).toBe(seen);
      expect(answer.text).toBe("");
    });

    test("responses, ended by response.failed alone: no exception, but a failed response", async () => {
      await mode("error_event after=6tokens variant=rate_limit");
      const { answer, error } = await client("responses").streamed();
      expect(error).toBeUndefined();
      expect(answer.finish).toBe("failed");
    });

    test.each(SDK_NAMES)("%s: a whole answer does not use up the fault", async (name) => {
      await mode("error_event 1");
      expect(await seenBy(client(name).whole())).toStartWith("answer");
      expect((await client(name).streamed()).error).toBeDefined();
    });
  });

  describe.each(SDK_NAMES)("connections and streams, %s", (name) => {
    test("a cut stream is a connection error after what came before it", async () => {
      const whole = await client(name).whole();
      await mode("cut after=4tokens");
      const { answer, error } = await client(name).streamed();
      expect(error).toMatchObject({ code: "ECONNRESET" });
      expect(answer.text.split(" ").length).toBe(4);
      expect(whole.text).toStartWith(answer.text);
      expect(answer.finish).toBeUndefined();
    });

    test("a stream that ends properly in the middle looks like a short answer", async () => {
      await mode("cut after=4tokens by=end");
      const { answer, error } = await client(name).streamed();
      expect(error).toBeUndefined();
      expect(answer.text.split(" ").length).toBe(4);
      expect(answer.finish).toBeUndefined();
    });

    test("a reset before any byte is a connection error", async () => {
      await mode("reset 2");
      const whole = await client(name)
        .whole()
        .catch((thrown: unknown) => thrown);
      const { error } = await client(name).streamed();
      for (const seen of [whole, error]) expect(String(name === "gemini" ? seen : classOf(seen))).toMatch(/APIConnectionError|ECONNRESET/);
    });

    test("hanging lasts until the client's own timeout", async () => {
      await mode("hang");
      const start = performance.now();
      const error = await client(name, { timeout: PATIENCE_MS })
        .whole()
        .catch((thrown: unknown) => thrown);
      expect(performance.now() - start).toBeGreaterThanOrEqual(PATIENCE_MS - 1);
      expect(name === "gemini" ? (error as Error).name : classOf(error)).toMatch(/^(APIConnectionTimeoutError|AbortError)$/);
    });

    test("a stall in the stream lasts until the client gives up", async () => {
      await mode("stall after=4tokens");
      const start = performance.now();
      const { answer } = await client(name).streamed({ signal: AbortSignal.timeout(PATIENCE_MS) });
      expect(performance.now() - start).toBeGreaterThanOrEqual(PATIENCE_MS - 1);
      expect(answer.text.split(" ").length).toBe(4);
      expect(
        await daemon.event((event) => event.type === "exchange" && (event.faults as readonly string[]).includes("stall")),
      ).toMatchObject({ error: null });
    });

    test("a stall with an end is only a pause", async () => {
      await mode(`stall after=4tokens for=${PATIENCE_MS}ms`);
      const start = performance.now();
      const { answer, error } = await client(name).streamed();
      expect(performance.now() - start).toBeGreaterThanOrEqual(PATIENCE_MS - 1);
      expect(error).toBeUndefined();
      expect(answer.text.split(" ").length).toBe(TOKENS);
    });

    test("a stream of odd pieces, keepalives and pauses is read all the same", async () => {
      const { answer: usual } = await client(name).streamed();
      for (const command of [
        "split_frames",
        "keepalive_flood count=500 among=5",
        "slow_tokens ttft=20ms between=2ms jitter=2ms",
        "slow rate=100kb",
      ]) {
        await mode(command);
        expect(await client(name).streamed()).toEqual({ answer: usual, error: undefined });
      }
    });

    test("a frame that comes twice is read twice", async () => {
      const { answer: usual } = await client(name).streamed();
      const [word = ""] = usual.text.split(" ");
      await mode("duplicate_frame");
      expect((await client(name).streamed()).answer.text).toBe(word + usual.text);
    });

    test.each(["malformed_frame", "bad_json"])("%s: the parser's error", async (command) => {
      await mode(command);
      expect((await client(name).streamed()).error).toBeInstanceOf(SyntaxError);
    });

    test("bad_json in a whole answer: the parser's error", async () => {
      await mode("bad_json");
      expect(
        await client(name)
          .whole()
          .catch((thrown: unknown) => thrown),
      ).toBeInstanceOf(SyntaxError);
    });
  });

  describe("answers that are well formed and wrong", () => {
    const OFFERED = { prompt: `call ${TOOL}`, tools: [TOOL] };
    const REFUSAL = "I'm sorry, but I can't help with that request.";
    type Expected = Partial<Record<keyof SdkAnswer, unknown>>;
    /** By fault: what the SDK gives for a whole answer, and what else for a streamed one where they differ. */
    const ANSWER_FAULTS: readonly (readonly [command: string, name: SdkName, whole: Expected, streamed?: Expected])[] = [
      ["finish_length", "chat", { finish: "length" }],
      ["finish_length", "responses", { finish: "max_output_tokens" }],
      ["finish_length", "messages", { finish: "max_tokens" }],
      ["finish_length", "gemini", { finish: "MAX_TOKENS" }],
      ["refusal", "chat", { text: "", refusal: REFUSAL, finish: "stop" }],
      ["refusal", "responses", { text: "", refusal: REFUSAL, finish: "completed" }],
      ["refusal", "messages", { text: "", refusal: REFUSAL, finish: "refusal" }],
      ["refusal", "gemini", { text: REFUSAL, finish: "STOP" }],
      ["refusal message=no", "chat", { text: "", refusal: "no" }],
      ["empty", "chat", { text: "", toolCalls: [], finish: "stop" }],
      ["empty", "responses", { text: "", toolCalls: [], finish: "completed" }],
      ["empty", "messages", { text: "", toolCalls: [], finish: "end_turn" }],
      ["empty", "gemini", { text: "", toolCalls: [], finish: "STOP" }],
      ["bad_tool_json", "chat", { toolCalls: [{ name: TOOL, argumentsText: '{"location":"Paris, Fra' }], finish: "tool_calls" }],
      ["bad_tool_json", "responses", { toolCalls: [{ name: TOOL, argumentsText: '{"location":"Paris, Fra' }], finish: "completed" }],
      // A whole message holds an object, so what is broken can only be missing.
      [
        "bad_tool_json",
        "messages",
        { toolCalls: [{ name: TOOL, argumentsText: "{}" }], finish: "tool_use" },
        { toolCalls: [{ name: TOOL, argumentsText: '{"location":"Paris, Fra' }], finish: "tool_use" },
      ],
      ["bad_tool_json", "gemini", { toolCalls: [], finish: "MALFORMED_FUNCTION_CALL" }],
      ["unknown_tool", "chat", { toolCalls: [{ name: "nonexistent_tool", argumentsText: expect.any(String) }], finish: "tool_calls" }],
      ["unknown_tool", "responses", { toolCalls: [{ name: "nonexistent_tool", argumentsText: expect.any(String) }], finish: "completed" }],
      ["unknown_tool", "messages", { toolCalls: [{ name: "nonexistent_tool", argumentsText: expect.any(String) }], finish: "tool_use" }],
      ["unknown_tool", "gemini", { toolCalls: [{ name: "nonexistent_tool", argumentsText: expect.any(String) }], finish: "STOP" }],
    ];

    test.each(ANSWER_FAULTS)("%s: %s", async (command, name, whole, streamed = whole) => {
      const asked = command.includes("tool") ? OFFERED : {};
      await mode(`${command} 2`);
      expect(await client(name).whole(asked)).toMatchObject(whole);
      const { answer, error } = await client(name).streamed(asked);
      expect(error).toBeUndefined();
      expect(answer).toMatchObject(streamed);
    });

    test.each(SDK_NAMES)("finish_length after=3: %s gets the beginning of the answer", async (name) => {
      const usual = await client(name).whole();
      await mode("finish_length 2 after=3");
      const whole = await client(name).whole();
      const { answer } = await client(name).streamed();
      expect(answer.text.split(" ").length).toBe(3);
      for (const { text } of [whole, answer]) {
        expect(usual.text).toStartWith(text);
        expect(text.length).toBeLessThan(usual.text.length);
      }
    });

    test.each(SDK_NAMES)("usage_missing: %s gets the answer and no numbers", async (name) => {
      const usual = await client(name).whole();
      await mode("usage_missing 2");
      for (const seen of [await client(name).whole(), (await client(name).streamed()).answer]) {
        expect(seen).toEqual({ ...usual, inputTokens: undefined, outputTokens: undefined });
      }
    });
  });
});

/** What came of a call, in a line. */
async function seenBy(call: Promise<SdkAnswer>): Promise<string> {
  return call.then(({ finish }) => `answer ${finish}`, told);
}

/** An error of any of the SDKs as class, status and the provider's own word for it. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { status, code, type } = error as { status?: unknown; code?: unknown; type?: unknown };
  const words = [classOf(error), status, code ?? type ?? googleStatus(error.message) ?? (status === undefined ? error.message : undefined)];
  return words.filter((word) => word !== undefined && word !== null && word !== "").join(" ");
}

/** Some classes of the SDKs leave `name` as it is. */
function classOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : typeof error;
}

/** Google's client puts the body of the error into its text. */
function googleStatus(message: string): string | undefined {
  try {
    const { error } = JSON.parse(message.slice(message.indexOf("{"))) as { error?: { status?: string; code?: unknown } };
    return error?.status ?? (typeof error?.code === "string" ? error.code : undefined);
  } catch {
    return undefined;
  }
}
