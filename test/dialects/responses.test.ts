import { describe, expect, test } from "bun:test";
import type { Response as ModelResponse, ResponseStreamEvent } from "openai/resources/responses/responses";
import type { Payload } from "../../src/core/dialect.ts";
import { responses } from "../../src/dialects/responses.ts";
import {
  ANSWERS,
  type AnswerName,
  collected,
  ENVELOPE,
  errorFacts,
  rendered,
  rewrittenPayloads,
  streamOf,
  TEXT,
  withClients,
} from "./serve.ts";

const REQUEST = { model: "test-model", input: "Hi" };

function whole(body: string): Promise<ModelResponse> {
  return withClients(body, ({ openai }) => openai.responses.create(REQUEST));
}

function streamed(body: string): Promise<ModelResponse> {
  return withClients(body, ({ openai }) => openai.responses.stream(REQUEST).finalResponse());
}

function events(body: string): Promise<readonly ResponseStreamEvent[]> {
  return withClients(body, async ({ openai }) => collected(await openai.responses.create({ ...REQUEST, stream: true })));
}

function frames(name: AnswerName): readonly Payload[] {
  return responses.frames(ANSWERS[name], ENVELOPE, { usageInStream: true });
}

function summary({ status, incomplete_details, output, output_text }: ModelResponse) {
  return {
    status,
    reason: incomplete_details?.reason,
    text: output_text,
    items: output.map((item) =>
      item.type === "function_call"
        ? [item.name, item.arguments, item.call_id]
        : item.type === "message"
          ? item.content.map((part) => part.type)
          : item.type,
    ),
  };
}

const ARGUMENTS = ANSWERS.call.toolCalls[0].argumentsText;
const JOINED = TEXT.text.join("");

describe("Responses answers through the official client", () => {
  const cases: readonly (readonly [AnswerName, ReturnType<typeof summary>])[] = [
    ["text", { status: "completed", reason: undefined, text: JOINED, items: [["output_text"]] }],
    ["length", { status: "incomplete", reason: "max_output_tokens", text: JOINED, items: [["output_text"]] }],
    ["filtered", { status: "incomplete", reason: "content_filter", text: JOINED, items: [["output_text"]] }],
    ["empty", { status: "completed", reason: undefined, text: "", items: [] }],
    ["refusal", { status: "completed", reason: undefined, text: "", items: [["refusal"]] }],
    ["call", { status: "completed", reason: undefined, text: "", items: [["get_weather", ARGUMENTS, "call_abc1"]] }],
    ["brokenCall", { status: "completed", reason: undefined, text: "", items: [["get_weather", '{"location":"Paris, Fra', "call_abc1"]] }],
    [
      "twoCallsAndText",
      {
        status: "completed",
        reason: undefined,
        text: JOINED,
        items: [["output_text"], ["get_weather", ARGUMENTS, "call_abc1"], ["no_arguments", "{}", "call_abc2"]],
      },
    ],
  ];
  test.each([...cases])("%s: whole and streamed say the same", async (name, expected) => {
    const inWhole = await whole(responses.whole(ANSWERS[name], ENVELOPE));
    const inStream = await streamed(streamOf(responses, ANSWERS[name]));
    expect(summary(inWhole)).toEqual(expected);
    expect(summary(inStream)).toEqual(expected);
    expect(inStream.usage?.output_tokens).toBe(ANSWERS[name].outputTokens);
    expect(inWhole.id).toBe(`resp_${ENVELOPE.id}`);
  });

  test("the full sequence of events, numbered", async () => {
    const all = await events(streamOf(responses, { ...ANSWERS.call, text: ["a"] }));
    expect(all.map(({ type }) => type)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      ...(ARGUMENTS.match(/[\s\S]{1,12}/gu)?.map(() => "response.function_call_arguments.delta" as const) ?? []),
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(all.map(({ sequence_number }) => sequence_number)).toEqual(all.map((_, index) => index));
  });
});

describe("Responses requests", () => {
  test("say model, stream, limits, tools and prompt", () => {
    const facts = responses.facts("/v1/responses", "", {
      model: "gpt-5",
      stream: true,
      max_output_tokens: 77,
      instructions: "x".repeat(20),
      prompt_cache_key: "session-1",
      input: [
        { role: "user", content: [{ type: "input_text", text: "look" }] },
        { type: "function_call", call_id: "call_1", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "call_1", output: "res" },
      ],
      tools: [{ type: "function", name: "f", parameters: {} }, { type: "web_search" }],
    });
    expect(facts).toEqual({
      model: "gpt-5",
      stream: true,
      session: "session-1",
      user: undefined,
      // 20 + 4 + 1 + 2 + 3 characters of the conversation, 1 of the tools.
      inputCharacters: 31,
      inputTokens: Math.ceil(31 / 4),
      outputTokensMax: 77,
      tools: ["f"],
      prompt: "look",
      afterToolResult: true,
      usageInStream: true,
    });
    expect(responses.facts("/v1/responses", "", { input: "plain" })).toMatchObject({
      prompt: "plain",
      inputTokens: 2,
      afterToolResult: false,
    });
  });
});

describe("Responses errors in a stream", () => {
  const first = frames("text")[0]?.data;
  const before = rendered(frames("text").slice(0, 5));

  test.each(responses.streamErrors.map((entry) => [entry.variant, entry] as const))(
    "%s is seen by the official client",
    async (variant, entry) => {
      const text = entry.text(errorFacts({ index: 5, firstData: first }));
      const seen = await streamed(before + text).catch((thrown: Error) => thrown);
      if (text.startsWith("event: error")) expect(seen).toBeInstanceOf(Error);
      else expect(seen).toMatchObject({ status: "failed", id: `resp_${ENVELOPE.id}` });
      if (variant === "rate_limit") expect(text).toContain("Please try again in 11.054s.");
    },
  );

  test("the nested form is the error event, then response.failed, numbered on", () => {
    const text = responses.streamErrors[0].text(errorFacts({ index: 2, message: "M", firstData: first }));
    const [error, failed] = text.trim().split("\n\n");
    expect(error).toBe(
      'event: error\ndata: {"type":"error","sequence_number":2,"error":{"type":"server_error","code":"server_error","message":"M","param":null}}',
    );
    expect(failed).toStartWith(
      `event: response.failed\ndata: {"type":"response.failed","sequence_number":3,"response":{"id":"resp_${ENVELOPE.id}",`,
    );
    expect(JSON.parse(failed?.split("data: ")[1] ?? "").response).toMatchObject({
      status: "failed",
      error: { code: "server_error", message: "M" },
    });
  });

  test("the flat form is that of the specification", () => {
    const flat = responses.streamErrors.find(({ variant }) => variant === "flat");
    expect(flat?.text(errorFacts({ message: "Something went wrong", index: 1 }))).toBe(
      'event: error\ndata: {"type":"error","code":"server_error","message":"Something went wrong","param":null,"sequence_number":1}\n\n',
    );
  });

  test("a stream that has not begun has an id of its own", () => {
    expect(responses.streamErrors[0].text(errorFacts({ index: 0 }))).toMatch(/"id":"resp_[0-9a-f]{48}"/);
  });
});

describe("Responses rewriters", () => {
  test("leave out the usage", async () => {
    const payloads = rewrittenPayloads(frames("text"), responses.withoutUsage());
    expect((await streamed(rendered(payloads))).usage).toBeNull();
    expect((await whole(responses.withoutUsage()(responses.whole(TEXT, ENVELOPE)) ?? "")).usage).toBeNull();
  });

  test.each([0, 1, 3, 6, 8, 100])("end a stream by length after %p tokens", async (tokens) => {
    const original = frames("twoCallsAndText");
    const payloads = rewrittenPayloads(original, responses.endedByLength(tokens));
    const response = await streamed(rendered(payloads));
    expect(response).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
    expect(response.output_text).toBe(TEXT.text.slice(0, tokens).join(""));
    expect(payloads.at(-1)?.event).toBe("response.incomplete");
    const parsed = payloads.map(({ data }) => JSON.parse(data));
    expect(parsed.map((event) => event.sequence_number)).toEqual(parsed.map((_, index) => index));
    // Every event that repeats the text repeats the same.
    const kept = TEXT.text.slice(0, tokens).join("");
    for (const event of parsed) {
      if (event.type === "response.output_text.done") expect(event.text).toBe(kept);
      if (event.type === "response.content_part.done") expect(event.part.text).toBe(kept);
      if (event.type === "response.output_item.done" && event.item.type === "message") {
        expect(event.item.content[0].text).toBe(kept);
        expect(event.item.status).toBe(tokens < 6 ? "incomplete" : "completed");
      }
    }
    const done = parsed.filter((event) => event.type === "response.output_item.done").map((event) => event.item);
    expect(parsed.at(-1).response.output).toEqual(done);
    expect(payloads[0]).toEqual(original[0] as Payload);
  });

  test("end a call in the middle of its arguments", async () => {
    const response = await streamed(rendered(rewrittenPayloads(frames("call"), responses.endedByLength(1))));
    expect(response.output).toMatchObject([{ type: "function_call", arguments: '{"location":', status: "incomplete" }]);
  });

  test("end a whole answer by length", async () => {
    const response = await whole(responses.endedByLength(2)(responses.whole(ANSWERS.twoCallsAndText, ENVELOPE)) ?? "");
    expect(summary(response)).toEqual({ status: "incomplete", reason: "max_output_tokens", text: "Hello, w", items: [["output_text"]] });
  });

  test("a reasoning summary and an annotation are cut with the rest", () => {
    const rewrite = responses.endedByLength(1);
    const run = (event: object) => {
      const out = rewrite(JSON.stringify(event));
      return out === undefined ? undefined : JSON.parse(out);
    };
    run({ type: "response.output_item.added", sequence_number: 0, output_index: 0, item: { type: "reasoning", summary: [] } });
    run({ type: "response.reasoning_summary_text.delta", sequence_number: 1, output_index: 0, summary_index: 0, delta: "one" });
    expect(
      run({ type: "response.reasoning_summary_text.delta", sequence_number: 2, output_index: 0, summary_index: 0, delta: " two" }),
    ).toBeUndefined();
    expect(
      run({ type: "response.reasoning_summary_text.done", sequence_number: 3, output_index: 0, summary_index: 0, text: "one two" }),
    ).toMatchObject({ text: "one", sequence_number: 2 });
    expect(
      run({
        type: "response.output_item.done",
        sequence_number: 4,
        output_index: 0,
        item: { type: "reasoning", summary: [{ type: "summary_text", text: "one two" }] },
      }),
    ).toMatchObject({
      item: { summary: [{ text: "one" }] },
    });
    expect(run({ type: "response.output_item.added", sequence_number: 5, output_index: 1, item: { type: "message" } })).toBeUndefined();
    expect(run({ type: "response.output_text.annotation.added", sequence_number: 6, output_index: 1, annotation: {} })).toBeUndefined();
    expect(
      run({
        type: "response.completed",
        sequence_number: 7,
        response: { status: "completed", output: [{ type: "reasoning", summary: [{ text: "one two" }] }, { type: "message" }] },
      }),
    ).toEqual({
      type: "response.incomplete",
      sequence_number: 4,
      response: {
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        output: [{ type: "reasoning", summary: [{ text: "one" }] }],
      },
    });
  });
});
