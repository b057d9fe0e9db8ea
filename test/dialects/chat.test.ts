import { describe, expect, test } from "bun:test";
import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";
import { chat } from "../../src/dialects/chat.ts";
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

const REQUEST = { model: "test-model", messages: [{ role: "user" as const, content: "Hi" }] };

function whole(answer: AnswerName | ChatCompletion): Promise<ChatCompletion> {
  const body = typeof answer === "string" ? chat.whole(ANSWERS[answer], ENVELOPE) : JSON.stringify(answer);
  return withClients(body, ({ openai }) => openai.chat.completions.create(REQUEST));
}

function streamed(body: string): Promise<ChatCompletion> {
  return withClients(body, ({ openai }) => openai.chat.completions.stream(REQUEST).finalChatCompletion());
}

function chunks(body: string): Promise<readonly ChatCompletionChunk[]> {
  return withClients(body, async ({ openai }) => collected(await openai.chat.completions.create({ ...REQUEST, stream: true })));
}

describe("Chat Completions answers through the official client", () => {
  const cases: readonly (readonly [
    AnswerName,
    { content: string | null; refusal?: string; finish: string; calls?: readonly [string, string][] },
  ])[] = [
    ["text", { content: TEXT.text.join(""), finish: "stop" }],
    ["length", { content: TEXT.text.join(""), finish: "length" }],
    ["filtered", { content: TEXT.text.join(""), finish: "content_filter" }],
    ["empty", { content: "", finish: "stop" }],
    ["refusal", { content: null, refusal: ANSWERS.refusal.refusal, finish: "stop" }],
    ["call", { content: null, finish: "tool_calls", calls: [["get_weather", ANSWERS.call.toolCalls[0].argumentsText]] }],
    ["brokenCall", { content: null, finish: "tool_calls", calls: [["get_weather", '{"location":"Paris, Fra']] }],
    [
      "twoCallsAndText",
      {
        content: TEXT.text.join(""),
        finish: "tool_calls",
        calls: [
          ["get_weather", ANSWERS.call.toolCalls[0].argumentsText],
          ["no_arguments", "{}"],
        ],
      },
    ],
  ];
  test.each([...cases])("%s: whole and streamed say the same", async (name, { content, refusal, finish, calls }) => {
    for (const completion of [await whole(name), await streamed(streamOf(chat, ANSWERS[name]))]) {
      const { message, finish_reason } = completion.choices[0] ?? { message: undefined, finish_reason: undefined };
      expect(finish_reason).toBe(finish as "stop");
      expect(message?.content ?? null).toBe(content);
      expect(message?.refusal ?? null).toBe(refusal ?? null);
      const made = (message?.tool_calls ?? []).flatMap((call) =>
        call.type === "function" ? [[call.function.name, call.function.arguments]] : [],
      );
      expect(made).toEqual((calls ?? []).map((call) => [...call]));
      expect(completion.id).toBe(`chatcmpl-${ENVELOPE.id}`);
      expect(completion.usage?.total_tokens).toBe(ANSWERS[name].inputTokens + ANSWERS[name].outputTokens);
    }
  });

  test("usage comes in a chunk of its own, and only when asked for", async () => {
    const asked = await chunks(streamOf(chat, TEXT, true));
    expect(asked.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 6 } });
    expect(asked.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    const unasked = await chunks(streamOf(chat, TEXT, false));
    expect(unasked.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  test("streams end with [DONE]", () => {
    expect(streamOf(chat, TEXT).endsWith("\n\ndata: [DONE]\n\n")).toBe(true);
  });
});

describe("Chat Completions requests", () => {
  const paths: readonly (readonly [string, boolean])[] = [
    ["/v1/chat/completions", true],
    ["/api/v1/chat/completions", true],
    ["/chat/completions", true],
    ["/openai/deployments/gpt-4o/chat/completions", true],
    ["/serving-endpoints/databricks-claude/invocations", true],
    ["/serving-endpoints/chat/completions", true],
    ["/v1beta/openai/chat/completions", true],
    ["/v1/chat/completions/chatcmpl-1", false],
    ["/v1/completions", false],
    ["/v1/responses", false],
    ["/serving-endpoints", false],
  ];
  test.each([...paths])("%s: %p", (path, expected) => {
    expect(chat.matches(path)).toBe(expected);
  });

  test("say model, stream, limits, tools and prompt", () => {
    const facts = chat.facts("/v1/chat/completions", "", {
      model: "gpt-4o",
      stream: true,
      stream_options: { include_usage: true },
      max_completion_tokens: 77,
      max_tokens: 5,
      messages: [
        { role: "system", content: "x".repeat(40) },
        {
          role: "user",
          content: [
            { type: "text", text: "first" },
            { type: "image_url", image_url: { url: "data:…" } },
            { type: "text", text: "second" },
          ],
        },
        { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }] },
        { role: "tool", tool_call_id: "call_1", content: "result" },
      ],
      tools: [
        { type: "function", function: { name: "f" } },
        { type: "custom", custom: { name: "g" } },
      ],
    });
    expect(facts).toEqual({
      model: "gpt-4o",
      stream: true,
      session: undefined,
      user: undefined,
      // 40 + 5 + 6 + 6 characters of text, 1 + 2 of the call, 2 of tool names.
      inputCharacters: 62,
      inputTokens: Math.ceil(62 / 4),
      outputTokensMax: 77,
      tools: ["f", "g"],
      prompt: "first\nsecond",
      afterToolResult: true,
      usageInStream: true,
    });
  });

  const sessions: readonly (readonly [unknown, string | undefined])[] = [
    [{ prompt_cache_key: "k", user: "u" }, "k"],
    [{ user: "u" }, "u"],
    [{ metadata: { session_id: "m" }, user: "u" }, "m"],
    [{ conversation: "conv_1" }, "conv_1"],
    [{ conversation: { id: "conv_2" } }, "conv_2"],
    [{ user: "" }, undefined],
    [{}, undefined],
  ];
  const users: readonly (readonly [unknown, string | undefined])[] = [
    [{ user: "u" }, "u"],
    [{ safety_identifier: "s", user: "u" }, "s"],
    [{ safety_identifier: null, user: "u" }, "u"],
    [{ user: "" }, undefined],
    [{ user: 7 }, undefined],
    [{ metadata: { user_id: "m" } }, undefined],
    [{}, undefined],
  ];
  test.each([...users])("user of %j", (json, expected) => {
    expect(chat.facts("/v1/chat/completions", "", json).user).toBe(expected as string);
    expect(responses.facts("/v1/responses", "", json).user).toBe(expected as string);
  });

  test.each([...sessions])("session of %j", (json, expected) => {
    expect(chat.facts("/v1/chat/completions", "", json).session).toBe(expected);
  });

  test("model from the path where the body has none", () => {
    expect(chat.facts("/serving-endpoints/my%20model/invocations", "", { messages: [] }).model).toBe("my model");
    expect(chat.facts("/openai/deployments/gpt-4o/chat/completions", "", {}).model).toBe("gpt-4o");
    expect(chat.facts("/serving-endpoints/%E0%A4%A/invocations", "", undefined).model).toBe("%E0%A4%A");
  });
});

describe("Chat Completions frames", () => {
  test("tokens are those that bring output; [DONE] is terminal", () => {
    const frames = chat
      .frames(ANSWERS.twoCallsAndText, ENVELOPE, { usageInStream: true })
      .map((payload) => ({ bytes: new Uint8Array(), ...payload }));
    const argumentFrames = frames.filter(({ data }) => /"function":\{"arguments"/.test(data));
    expect(frames.filter(chat.isContent)).toHaveLength(TEXT.text.length + argumentFrames.length);
    expect(frames.map(chat.isTerminal)).toEqual(frames.map((_, index) => index === frames.length - 1));
  });

  test.each(["[DONE]", "", "null", "{", '{"choices":1}', '{"choices":[{"delta":{"role":"assistant","content":""}}]}', '{"error":{}}'])(
    "%s is no content",
    (data) => {
      expect(chat.isContent({ bytes: new Uint8Array(), event: undefined, data })).toBe(false);
    },
  );

  test("reasoning counts as output", () => {
    const data = '{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}';
    expect(chat.isContent({ bytes: new Uint8Array(), event: undefined, data })).toBe(true);
  });
});

describe("Chat Completions errors in a stream", () => {
  test("are seen by the official client after the output so far", async () => {
    const before = rendered(chat.frames(TEXT, ENVELOPE, { usageInStream: false }).slice(0, 3));
    for (const entry of chat.streamErrors) {
      const body = before + entry.text(errorFacts()) + (entry.done ? "data: [DONE]\n\n" : "");
      await expect(chunks(body)).rejects.toThrow();
    }
  });

  test("are byte for byte what was seen", () => {
    expect(chat.streamErrors[0].text(errorFacts())).toBe(
      'data: {"error":{"message":"The server had an error processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if you keep seeing this error.","type":"server_error","param":null,"code":null}}\n\n',
    );
    expect(chat.streamErrors[0].done).toBe(true);
    expect(chat.streamErrors.find(({ variant }) => variant === "numeric_code")?.text(errorFacts())).toBe(
      'data: {"error":{"message":"bad request","type":"provider_error","param":null,"code":400}}\n\n',
    );
  });

  test("take another text", () => {
    for (const entry of chat.streamErrors) expect(entry.text(errorFacts({ message: 'a "text"' }))).toContain('"message":"a \\"text\\""');
  });
});

describe("Chat Completions rewriters", () => {
  test("leave out the usage, whole and streamed", async () => {
    const payloads = chat.frames(TEXT, ENVELOPE, { usageInStream: true });
    const rest = rewrittenPayloads(payloads, chat.withoutUsage());
    expect(rest).toEqual(payloads.filter(({ data }) => !data.includes('"choices":[]')));
    const completion = JSON.parse(chat.withoutUsage()(chat.whole(TEXT, ENVELOPE)) ?? "");
    expect(completion.usage).toBeUndefined();
    expect((await whole(completion)).choices[0]?.message.content).toBe(TEXT.text.join(""));
  });

  test.each([0, 1, 3, 6, 100])("end a stream by length after %p tokens", async (tokens) => {
    const payloads = chat.frames(TEXT, ENVELOPE, { usageInStream: true });
    const rewrite = chat.endedByLength(tokens);
    const cut = payloads.flatMap(({ event, data }) => {
      const changed = rewrite(data);
      return changed === undefined ? [] : [{ event, data: changed }];
    });
    const completion = await streamed(rendered(cut));
    expect(completion.choices[0]?.finish_reason).toBe("length");
    expect(completion.choices[0]?.message.content ?? "").toBe(TEXT.text.slice(0, tokens).join(""));
    expect(cut.at(-1)?.data).toBe("[DONE]");
    // What is not concerned is the same text.
    expect(cut[0]).toEqual(payloads[0] as (typeof cut)[0]);
  });

  test("end a call in the middle of its arguments", async () => {
    const rewrite = chat.endedByLength(2);
    const cut = chat.frames(ANSWERS.twoCallsAndText, ENVELOPE, { usageInStream: false }).flatMap(({ event, data }) => {
      const changed = rewrite(data);
      return changed === undefined ? [] : [{ event, data: changed }];
    });
    const message = (await streamed(rendered(cut))).choices[0]?.message;
    expect(message?.content).toBe("Hello,");
    expect(message?.tool_calls ?? []).toHaveLength(0);
    const within = chat.endedByLength(1);
    const calls = chat.frames(ANSWERS.call, ENVELOPE, { usageInStream: false }).flatMap(({ event, data }) => {
      const changed = within(data);
      return changed === undefined ? [] : [{ event, data: changed }];
    });
    const call = (await streamed(rendered(calls))).choices[0]?.message.tool_calls?.[0];
    expect(call?.type === "function" && call.function.arguments).toBe('{"location":');
  });

  test("end a whole answer by length", async () => {
    const completion = await whole(JSON.parse(chat.endedByLength(2)(chat.whole(TEXT, ENVELOPE)) ?? ""));
    expect(completion.choices[0]?.finish_reason).toBe("length");
    expect(completion.choices[0]?.message.content).toBe("Hello, w");
    const none = JSON.parse(chat.endedByLength(0)(chat.whole(ANSWERS.call, ENVELOPE)) ?? "");
    expect(none.choices[0].message.tool_calls).toBeUndefined();
  });

  test("a half character never comes out", () => {
    const text = chat.endedByLength(1)(chat.whole({ ...TEXT, text: ["abc😀"] }, ENVELOPE)) ?? "";
    expect(JSON.parse(text).choices[0].message.content).toBe("abc");
  });

  test.each([
    "[DONE]",
    "not json",
    "[]",
    '{"choices":[]}',
    '{"error":{"message":"x"}}',
    '{"usage":null,"choices":[{"index":0,"delta":{}}]}',
  ])("leave %s as it is", (payload) => {
    expect(chat.endedByLength(0)(payload)).toBe(payload);
    expect(chat.withoutUsage()(payload)).toBe(payload);
  });
});
