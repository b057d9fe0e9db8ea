import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { Answer, DialectName } from "../../src/core/dialect.ts";
import type { Action, BeforeFault, BodyFault, Fault, FaultContext, Parameters, ParameterValue } from "../../src/core/fault.ts";
import type { Frame, Framing } from "../../src/core/frame.ts";
import { headerValue } from "../../src/core/headers.ts";
import { HTTP_FAULT_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { randomStream } from "../../src/core/random.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { FAULTS, faultByName } from "../../src/faults/index.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { parseParameter } from "../../src/rules/values.ts";
import { WHOLE } from "../../src/stream/whole.ts";

/** What each provider speaks, and where. */
const SPEAKS: readonly (readonly [ProviderName, DialectName, streamed: string, whole: string])[] = [
  ["openai", "chat", "/v1/chat/completions", "/v1/chat/completions"],
  ["openai", "responses", "/v1/responses", "/v1/responses"],
  ["anthropic", "messages", "/v1/messages", "/v1/messages"],
  ["google", "gemini", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "/v1beta/models/gemini-2.5-pro:generateContent"],
  ["google", "gemini", "/v1beta/models/gemini-2.5-pro:streamGenerateContent", "/v1beta/models/gemini-2.5-pro:generateContent"],
  ["openrouter", "chat", "/api/v1/chat/completions", "/api/v1/chat/completions"],
  ["tetrate", "chat", "/v1/chat/completions", "/v1/chat/completions"],
  [
    "databricks",
    "chat",
    "/serving-endpoints/databricks-gpt-oss-120b/invocations",
    "/serving-endpoints/databricks-gpt-oss-120b/invocations",
  ],
];

const CASES = SPEAKS.map(([provider, dialect, streamed, whole]) => ({
  title: `${provider} ${dialect} ${streamed.includes("?") ? streamed.slice(streamed.indexOf("?")) : ""}`.trim(),
  provider: PROVIDERS[provider],
  dialect: DIALECTS[dialect],
  streamed,
  whole,
}));
type Case = (typeof CASES)[number];

const ANSWER: Answer = {
  text: ["Two", " words", " and", " some", " more", ": né", " 語", " 😀", "."],
  refusal: undefined,
  toolCalls: [],
  finish: "stop",
  inputTokens: 12,
  outputTokens: 9,
};
const ENVELOPE = { id: "abcdefghijkl012345678901", model: "some-model-1", createdSeconds: 1_770_000_000 };
/** Keys of a fault as a user would type them. */
type Typed = Readonly<Record<string, string>>;

const FRAME_POSITIONS: [how: string, typed: Typed][] = [
  ["by default", {}],
  ["at once", { after: "0" }],
  ["after three frames", { after: "3" }],
];

const KEY = "sk-secret-secret-secret-secret";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function contextOf(of: Case, stream: boolean, parameters: Parameters): FaultContext {
  const target = stream ? of.streamed : of.whole;
  const path = target.split("?")[0] ?? target;
  return {
    exchange: {
      id: 1,
      method: "POST",
      target,
      headers: [["authorization", `Bearer ${KEY}`]],
      body: { lengthBytes: 0, whole: async () => new Uint8Array(), forward: async () => null },
      listenerProvider: undefined,
      clientGone: new AbortController().signal,
      interim: undefined,
      canUpgrade: false,
      authority: undefined,
      via: "tcp",
      receivedMonotonicMs: 0,
      provider: of.provider.name,
      dialect: of.dialect.name,
      kind: "inference",
      upstreamTarget: target,
      path,
      query: target.split("?")[1] ?? "",
    },
    provider: of.provider,
    dialect: of.dialect,
    facts: {
      model: "some-model-1",
      stream,
      session: undefined,
      user: undefined,
      inputCharacters: 48,
      inputTokens: 12,
      outputTokensMax: undefined,
      tools: ["search_the_web"],
      prompt: "Say some words",
      afterToolResult: false,
      usageInStream: true,
    },
    errorContext: {
      model: "some-model-1",
      path,
      framing: stream ? framingFor(of, stream).name : "whole",
      dialect: of.dialect.name,
      inputTokens: 130_000,
      outputTokensMax: 4_096,
      contextTokensMax: 128_000,
      retryAfterSeconds: 2,
      maskedKey: "sk-secr***cret",
      wallMs: 1_770_000_000_000,
      random: randomStream(1, "text"),
    },
    parameters,
    attempt: 1,
    random: randomStream(1, "draws"),
  };
}

/** The keys as a user would type them, over the defaults. */
function parametersOf(fault: Fault, typed: Typed): Parameters {
  const parameters: Record<string, ParameterValue> = {};
  for (const [key, spec] of Object.entries(fault.parameters)) {
    const text = typed[key] ?? spec.default;
    if (text === undefined) continue;
    const parsed = parseParameter(key, spec, text);
    if (!parsed.ok) throw new Error(`${fault.name} ${key}=${text}: expected ${parsed.expected}`);
    parameters[key] = parsed.value;
  }
  return parameters;
}

function faultNamed(name: string): Fault {
  const fault = faultByName(name);
  if (fault === undefined) throw new Error(`no fault ${name}`);
  return fault;
}

function answerFor(of: Case, name: string, stream: boolean, typed: Typed = {}) {
  const fault = faultNamed(name);
  if (fault.acts !== "before") throw new Error(`${name} does not act before`);
  const [action] = fault.plan(contextOf(of, stream, parametersOf(fault, typed)));
  if (action?.kind !== "respond") throw new Error(`${name} does not answer`);
  return { status: action.status, headers: action.headers, text: decoder.decode(action.body) };
}

function framingFor(of: Case, stream: boolean): Framing {
  if (!stream) return WHOLE;
  const [path = "", query = ""] = of.streamed.split("?");
  return of.dialect.framing(path, query);
}

/** The answer as the target would send it. */
function liveAnswer(
  of: Case,
  stream: boolean,
): { readonly framing: Framing; readonly bytes: Uint8Array; readonly frames: readonly Frame[] } {
  const framing = framingFor(of, stream);
  const bytes = stream
    ? Buffer.concat([
        ...of.dialect.frames(ANSWER, ENVELOPE, { usageInStream: true }).map(({ event, data }, index) => framing.render(event, data, index)),
        encoder.encode(framing.trailer),
      ])
    : encoder.encode(of.dialect.whole(ANSWER, ENVELOPE));
  return { framing, bytes: new Uint8Array(bytes), frames: split(framing, bytes) };
}

function split(framing: Framing, bytes: Uint8Array): readonly Frame[] {
  const splitter = framing.splitter();
  return [...splitter.push(bytes), ...splitter.end()];
}

/** Runs a body fault over the live answer. */
function over(of: Case, name: string, typed: Typed = {}, stream = true) {
  const fault = faultNamed(name) as BodyFault;
  const { framing, bytes, frames } = liveAnswer(of, stream);
  const source: readonly Frame[] = fault.over === "chunks" ? [{ bytes, event: undefined, data: undefined }] : frames;
  const running = fault.start(contextOf(of, stream, parametersOf(fault, typed)), framing);
  const actions: Action[] = [];
  for (const [elapsedMs, frame] of source.entries()) {
    if (!actions.some(endsBody)) actions.push(...running.onFrame(frame, elapsedMs));
  }
  if (!actions.some(endsBody)) actions.push(...running.onEnd());
  expect(actions.findIndex(endsBody)).toBe(actions.length - 1);
  const output = new Uint8Array(Buffer.concat(actions.flatMap((action) => (action.kind === "write" ? [action.bytes] : []))));
  return {
    framing,
    input: bytes,
    output,
    text: decoder.decode(output),
    frames: split(framing, output),
    inputFrames: frames,
    ends: actions.at(-1)?.kind,
  };
}

function endsBody({ kind }: Action): boolean {
  return kind === "end" || kind === "reset" || kind === "close" || kind === "hang";
}

function dataOf(frames: readonly Frame[]): readonly string[] {
  return frames.flatMap(({ data }) => (data === undefined ? [] : [data]));
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const isJsonOrTerminator = (data: string) => data === "[DONE]" || parses(data);

/** How each dialect spells the endings; section and verse are in the dialects' own files. */
const WORDS: Readonly<Record<DialectName, Record<"finish_length" | "refusal" | "empty" | "bad_tool_json" | "unknown_tool", string>>> = {
  chat: {
    finish_length: '"finish_reason":"length"',
    refusal: '"refusal":"',
    empty: '"finish_reason":"stop"',
    bad_tool_json: '"finish_reason":"tool_calls"',
    unknown_tool: '"finish_reason":"tool_calls"',
  },
  responses: {
    finish_length: '"reason":"max_output_tokens"',
    refusal: '"type":"refusal"',
    empty: '"output":[]',
    bad_tool_json: '"type":"function_call"',
    unknown_tool: '"type":"function_call"',
  },
  messages: {
    finish_length: '"stop_reason":"max_tokens"',
    refusal: '"stop_reason":"refusal"',
    empty: '"stop_reason":"end_turn"',
    bad_tool_json: '"stop_reason":"tool_use"',
    unknown_tool: '"stop_reason":"tool_use"',
  },
  gemini: {
    finish_length: "MAX_TOKENS",
    refusal: "STOP",
    empty: "STOP",
    bad_tool_json: "MALFORMED_FUNCTION_CALL",
    unknown_tool: "functionCall",
  },
};

/** Every element of the stream is JSON, and so is an array as a whole. */
function expectWellFormed({
  framing,
  text,
  frames,
}: {
  readonly framing: Framing;
  readonly text: string;
  readonly frames: readonly Frame[];
}) {
  if (framing.name !== "sse") JSON.parse(text);
  expect(dataOf(frames).filter((data) => !isJsonOrTerminator(data))).toEqual([]);
}

describe.each(CASES.map((of) => [of.title, of] as const))("%s", (_title, of) => {
  describe.each(HTTP_FAULT_NAMES.map((name) => [name]))("%s", (name) => {
    test.each(of.provider.errors[name].flatMap(({ variant }) => [[variant, true] as const, [variant, false] as const]))(
      "as %s, stream %p: a status, headers and a body that can be sent",
      (variant, stream) => {
        const { status, headers, text } = answerFor(of, name, stream, { variant });
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(600);
        expect(text).not.toMatch(/\bundefined\b|\bNaN\b|\[object /);
        expect(text).not.toContain(KEY);
        expect(headers.filter(([header, value]) => !/^[\w-]+$/.test(header) || /[\r\n]|undefined|NaN/.test(value))).toEqual([]);
        const type = headerValue(headers, "content-type") ?? "";
        // Some hosts send no body at all; only then is there no type.
        expect(type).toMatch(text === "" ? /^$/ : /^[a-z]+\/[a-z-]+/);
        const id = headerValue(headers, "request-id");
        if (id !== undefined && text.includes('"request_id"')) expect(text).toContain(id);
        if (type.startsWith("application/json")) JSON.parse(text);
      },
    );

    test("a message and a status of one's own", () => {
      const { status, text } = answerFor(of, name, true, { message: "All is lost", status: "418" });
      expect(status).toBe(418);
      if (/"(message|error)":/.test(text)) expect(text).toContain("All is lost");
    });
  });

  describe("stream faults", () => {
    test.each<[string, Typed]>([
      ["by default", {}],
      ["at once", { after: "0" }],
      ["after two frames", { after: "2" }],
      ["after a token", { after: "1token" }],
      ["after 100 bytes", { after: "100bytes" }],
      ["ended properly", { by: "end" }],
      ["ended by FIN", { by: "fin" }],
    ])("cut %s is a beginning without its terminal event", (_how, typed) => {
      const { input, output, frames, ends } = over(of, "cut", typed);
      expect(Buffer.compare(output, input.subarray(0, output.length))).toBe(0);
      expect(frames.filter(of.dialect.isTerminal)).toEqual([]);
      expect(ends).toBe(typed.by === "end" ? "end" : typed.by === "fin" ? "close" : "reset");
      if (typed.after === "100bytes") expect(output.length).toBe(100);
      if (typed.after === undefined) expect(frames.some(of.dialect.isContent)).toBe(true);
    });

    test("stall stops without an end, or loses nothing", () => {
      expect(over(of, "stall").ends).toBe("hang");
      expect(over(of, "stall").frames.filter(of.dialect.isTerminal)).toEqual([]);
      const resumed = over(of, "stall", { for: "1s" });
      expect([Buffer.compare(resumed.output, resumed.input), resumed.ends]).toEqual([0, "end"]);
    });

    test("no_done has all but the terminal events", () => {
      const { frames, inputFrames, ends, ...rest } = over(of, "no_done");
      const kept = dataOf(inputFrames.filter((frame) => !of.dialect.isTerminal(frame)));
      expect([dataOf(frames), ends]).toEqual([kept, "end"]);
      expect(kept.length).toBeLessThan(dataOf(inputFrames).length);
      expectWellFormed({ frames, ...rest });
    });

    test.each(FRAME_POSITIONS)("malformed_frame %s has exactly one frame that does not parse", (_how, typed) => {
      const { frames, inputFrames, ends } = over(of, "malformed_frame", typed);
      const before = dataOf(inputFrames);
      const after = dataOf(frames);
      expect([after.length, ends]).toEqual([before.length, "end"]);
      expect(after.filter((data) => !isJsonOrTerminator(data))).toHaveLength(1);
      expect(after.filter((data, index) => data !== before[index])).toHaveLength(1);
    });

    test.each(FRAME_POSITIONS)("duplicate_frame %s has one frame twice", (_how, typed) => {
      const result = over(of, "duplicate_frame", typed);
      const before = dataOf(result.inputFrames);
      const after = dataOf(result.frames);
      const twice = after.findIndex((data, index) => data !== before[index]);
      expect(after.toSpliced(twice, 1)).toEqual([...before]);
      expect(after[twice]).toBe(after[twice - 1]);
      expectWellFormed(result);
    });

    test.each<[string, Typed]>([
      ["split_frames", {}],
      ["slow_tokens", { ttft: "1s", between: "10ms", jitter: "5ms" }],
      ["slow", { rate: "1000" }],
    ])("%s loses no byte", (name, typed) => {
      const { input, output, ends } = over(of, name, typed);
      expect([Buffer.compare(output, input), ends]).toEqual([0, "end"]);
    });

    test("keepalive_flood has all frames, and many that mean nothing", () => {
      const result = over(of, "keepalive_flood", { count: "50", among: "2" });
      const { keepalive } = of.dialect;
      const ping = typeof keepalive === "object" ? keepalive.data : undefined;
      const inputPings = dataOf(result.inputFrames).filter((data) => data === ping).length;
      expect(dataOf(result.frames).filter((data) => data !== ping)).toEqual(dataOf(result.inputFrames).filter((data) => data !== ping));
      expect(result.output.length).toBeGreaterThanOrEqual(result.input.length + 50);
      if (ping !== undefined) expect(dataOf(result.frames).filter((data) => data === ping).length).toBeGreaterThanOrEqual(50 + inputPings);
      expectWellFormed(result);
    });

    const variants = (of.provider.streamErrors[of.dialect.name] ?? of.dialect.streamErrors).map(({ variant }) => variant);
    test.each(variants.flatMap((variant) => [[variant, "0"] as const, [variant, "2"] as const]))(
      "error_event as %s after %s frames is an error in place of the rest",
      (variant, after) => {
        const { framing, text, input, frames, inputFrames, ends } = over(of, "error_event", { variant, after, message: "All is lost" });
        expect(ends).toBe("end");
        expect(text).toContain("All is lost");
        expect(text).not.toMatch(/\bundefined\b|\bNaN\b|\[object /);
        const before = inputFrames.slice(0, Number(after)).reduce((bytes, frame) => bytes + frame.bytes.length, 0);
        expect(text.slice(0, before)).toBe(decoder.decode(input.subarray(0, before)));
        expect(frames.filter((frame) => of.dialect.isContent(frame) && !frame.data?.includes("error")).length).toBeLessThanOrEqual(
          Number(after),
        );
        if (framing.name === "json-array") expect(JSON.parse(text)).toHaveLength(Number(after) + 1);
      },
    );

    test("error_event with and without the terminator", () => {
      const terminator = dataOf(over(of, "slow_tokens").inputFrames).at(-1) ?? "";
      const kind = terminator === "[DONE]" ? terminator : (typeOf(terminator) ?? "finishReason");
      expect(over(of, "error_event", { done: "on" }).text).toContain(kind);
      expect(over(of, "error_event", { done: "off" }).text).not.toContain("[DONE]");
    });
  });

  describe.each([true, false])("answer faults, stream %p", (stream) => {
    const words = WORDS[of.dialect.name];

    test.each(["refusal", "empty", "bad_tool_json", "unknown_tool"] as const)(
      "%s is a well-formed answer with the right ending",
      (name) => {
        const { status, headers, text } = answerFor(of, name, stream);
        const framing = framingFor(of, stream);
        expect(status).toBe(200);
        const type = headerValue(headers, "content-type");
        expect(type).toBe(stream ? framing.contentType : "application/json");
        const frames = split(framing, encoder.encode(text));
        expectWellFormed({ framing, text, frames });
        expect(text).toContain(words[name]);
        if (stream) expect(frames.some(of.dialect.isTerminal)).toBe(true);
        if (name === "empty") expect(frames.filter(of.dialect.isContent)).toEqual([]);
        if (name === "unknown_tool") expect(text).toContain("nonexistent_tool");
        if (name === "bad_tool_json" && of.dialect.name !== "gemini") expect(text).toContain("search_the_web");
      },
    );

    test("finish_length stops early and says so", () => {
      const result = over(of, "finish_length", { after: "2" }, stream);
      expectWellFormed(result);
      expect(result.text).toContain(words.finish_length);
      expect(result.text).not.toContain("more");
      expect(result.text).toContain("Two");
      expect(result.ends).toBe("end");
      if (stream) {
        expect(result.frames.some(of.dialect.isTerminal)).toBe(true);
        for (const { event, data } of result.frames) if (event !== undefined) expect(typeOf(data ?? "")).toBe(event);
      }
    });

    test("usage_missing has all but the usage", () => {
      const result = over(of, "usage_missing", {}, stream);
      expectWellFormed(result);
      expect(liveTokens(result.text)).toBe(false);
      expect(liveTokens(decoder.decode(result.input))).toBe(true);
      expect(result.frames.filter(of.dialect.isContent).map(({ data }) => data?.length ?? 0).length).toBe(
        result.inputFrames.filter(of.dialect.isContent).length,
      );
      if (stream) expect(result.frames.some(of.dialect.isTerminal)).toBe(true);
    });
  });

  test.each([true, false])("bad_json does not parse (stream %p)", (stream) => {
    const { status, text } = answerFor(of, "bad_json", stream);
    const framing = framingFor(of, stream);
    expect(status).toBe(200);
    if (framing.name === "sse") expect(dataOf(split(framing, encoder.encode(text))).filter((data) => !parses(data))).toHaveLength(1);
    else expect(parses(text)).toBe(false);
  });

  test.each([true, false])("garbage is the provider's answer, broken in one place (stream %p)", (stream) => {
    const { contentType } = stream ? framingFor(of, true) : { contentType: "application/json" };
    const broken = (kind: string) => {
      const fault = faultNamed("garbage") as BeforeFault;
      const actions = fault.plan(contextOf(of, stream, parametersOf(fault, { kind })));
      expect(actions.map((action) => action.kind)).toEqual(["write", "close"]);
      const text = actions.map((action) => (action.kind === "write" ? decoder.decode(action.bytes) : "")).join("");
      const border = text.indexOf("\r\n\r\n");
      const [statusLine = "", ...lines] = text.slice(0, border).split("\r\n");
      expect(text).not.toContain(KEY);
      expect(lines.filter((line) => !/^[\w-]+: [^\r\n]+$/.test(line) || /undefined|NaN/.test(line))).toEqual([]);
      expect(lines).toContain(`content-type: ${contentType}`);
      return { statusLine, lines, body: text.slice(border + 4) };
    };
    const { statusLine, lines, body } = broken("status_line");
    expect(statusLine).toBe("HTTP/1.1 2OO OK");
    expect(lines).toContain(`content-length: ${encoder.encode(body).length}`);
    const framing = framingFor(of, stream);
    expectWellFormed({ framing, text: body, frames: split(framing, encoder.encode(body)) });
    expect(broken("chunk_size").statusLine).toBe("HTTP/1.1 200 OK");
    expect(broken("chunk_size").body).toBe(`zz\r\n${broken("status_line").body}\r\n0\r\n\r\n`);
  });

  test.each([true, false])("wrong_content_type is a right answer that is labelled as a page (stream %p)", (stream) => {
    const { status, headers, text } = answerFor(of, "wrong_content_type", stream);
    const framing = framingFor(of, stream);
    expect([status, headers.filter(([header]) => header.toLowerCase() === "content-type")]).toEqual([
      200,
      [["content-type", "text/html; charset=utf-8"]],
    ]);
    expectWellFormed({ framing, text, frames: split(framing, encoder.encode(text)) });
  });
});

function typeOf(data: string): string | undefined {
  const value: unknown = parses(data) ? JSON.parse(data) : undefined;
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" ? value.type : undefined;
}

/** Does the text say how many tokens the answer used? */
function liveTokens(text: string): boolean {
  return /"(output_tokens|completion_tokens|candidatesTokenCount|total_tokens|totalTokenCount)"\s*:\s*\d/.test(text);
}

test("OpenAI's context error speaks of what the API of the request calls it", () => {
  const forms = CASES.filter(({ provider }) => provider.name === "openai").map((of) => [
    of.dialect.name,
    JSON.parse(answerFor(of, "context_length", false).text).error.param,
  ]);
  expect(forms).toEqual([
    ["chat", "messages"],
    ["responses", "input"],
  ]);
});

describe("every file is in its folder's index", () => {
  /** What the files of each folder export, told from their helpers by a member that only it has. */
  test.each<[string, string, readonly { readonly name: string }[]]>([
    ["faults", "terminal", FAULTS],
    ["providers", "recognition", Object.values(PROVIDERS)],
    ["dialects", "isTerminal", Object.values(DIALECTS)],
  ])("src/%s", async (folder, member, listed) => {
    const path = new URL(`../../src/${folder}/`, import.meta.url).pathname;
    const files = readdirSync(path).filter((file) => file.endsWith(".ts") && file !== "index.ts");
    const exported: [file: string, value: unknown][] = [];
    for (const file of files) {
      for (const value of Object.values(await import(path + file))) {
        if (typeof value === "object" && value !== null && member in value) exported.push([file, value]);
      }
    }
    expect(exported.filter(([, value]) => !(listed as readonly unknown[]).includes(value))).toEqual([]);
    expect(exported.map(([file]) => file).toSorted()).toEqual(listed.map(({ name }) => `${name.replaceAll("_", "-")}.ts`).toSorted());
  });
});
