import { expect, test } from "bun:test";
import OpenAI from "openai";
import type { Answer, Payload } from "../../../src/core/dialect.ts";
import { responses } from "../../../src/dialects/responses.ts";
import { type JsonObject, parseObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { chatToResponses } from "../../../src/translate/chat-to-responses.ts";
import { ANSWERS, ENVELOPE } from "../../dialects/serve.ts";
import { CREATED, completed, event } from "./helpers.ts";

const FACTS = { usageInStream: true };

/** OpenAI's own client before a backend that gives these; its request is kept in `seen`. */
function clientBefore(backend: { readonly whole: string; readonly frames: readonly Payload[] }, seen: JsonObject[] = []): OpenAI {
  const answer = (request: JsonObject): Response => {
    const context = { request, id: "x1", createdSeconds: 1 };
    const result = chatToResponses.request(request, { systemMessages: "input" });
    if (result.kind === "mistake") {
      const { status, message, param, code } = result;
      return Response.json(chatToResponses.error(status, { message, type: undefined, code, param }), { status });
    }
    seen.push(result.body);
    if (request.stream !== true) {
      const { status, body } = chatToResponses.whole(parseObject(backend.whole) ?? {}, context);
      return Response.json(body, { status });
    }
    const stream = chatToResponses.stream(context);
    const payloads = [...backend.frames.flatMap((payload) => stream.onPayload(payload)), ...stream.onEnd()];
    const bytes = Buffer.concat(payloads.map(({ event: name, data }, index) => SSE.render(name, data, index)));
    return new Response(bytes, { headers: { "content-type": SSE.contentType } });
  };
  const fetchOnce = async (_url: unknown, init?: { body?: unknown }) => answer(parseObject(String(init?.body)) ?? {});
  return new OpenAI({ apiKey: "sk-test", baseURL: "http://backend/v1", maxRetries: 0, fetch: fetchOnce as typeof fetch });
}

const backendOf = (answer: Answer) => ({ whole: responses.whole(answer, ENVELOPE), frames: responses.frames(answer, ENVELOPE, FACTS) });
const QUESTION = { model: "asked", messages: [{ role: "user" as const, content: "Hello" }] };

test.each(Object.entries(ANSWERS).map(([name, answer]) => [name, answer as Answer] as const))(
  "OpenAI's client reads the same from a whole answer and from a stream: %s",
  async (_name, answer) => {
    const client = clientBefore(backendOf(answer));
    const whole = await client.chat.completions.create(QUESTION);
    const stream = client.chat.completions.stream({ ...QUESTION, stream_options: { include_usage: true } });
    const streamed = await stream.finalChatCompletion();
    const [choice] = whole.choices;
    const [streamedChoice] = streamed.choices;
    expect(choice).toMatchObject({ finish_reason: answer.finish });
    expect(streamedChoice?.finish_reason).toBe(answer.finish);
    expect(streamedChoice?.message.content ?? "").toBe(choice?.message.content ?? "");
    expect(streamedChoice?.message.refusal).toBe(choice?.message.refusal ?? null);
    expect(streamedChoice?.message.tool_calls ?? []).toMatchObject(choice?.message.tool_calls ?? []);
    expect(streamed.usage).toEqual(whole.usage);
    expect(choice?.message.tool_calls?.map((call) => (call.type === "function" ? call.function.arguments : ""))).toEqual(
      answer.toolCalls.length === 0 ? undefined : answer.toolCalls.map(({ argumentsText }) => argumentsText),
    );
  },
);

const ENDINGS: readonly (readonly [string, readonly Payload[]])[] = [
  ["fails", [event("response.failed", { response: { error: { code: "server_error", message: "Sorry" } } })]],
  ["is cut", []],
];

test.each(ENDINGS)("OpenAI's client throws where a stream %s", async (_title, ending) => {
  const frames = [CREATED, event("response.output_text.delta", { output_index: 0, delta: "Hi" }), ...ending];
  const stream = await clientBefore({ whole: "", frames }).chat.completions.create({ ...QUESTION, stream: true });
  const read = async () => {
    for await (const chunk of stream) expect(chunk.choices).toHaveLength(1);
  };
  await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
});

test("OpenAI's client sends what the Responses API takes, and is told what is wrong", async () => {
  const seen: JsonObject[] = [];
  const client = clientBefore({ whole: '{"output":[]}', frames: [completed()] }, seen);
  await client.chat.completions.create({ ...QUESTION, max_tokens: 5, response_format: { type: "json_object" } });
  expect(seen).toEqual([
    {
      model: "asked",
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "Hello" }] }],
      store: false,
      max_output_tokens: 5,
      text: { format: { type: "json_object" } },
    },
  ]);
  const wrong = async () => await client.chat.completions.create({ ...QUESTION, max_tokens: 0 });
  await expect(wrong()).rejects.toMatchObject({
    status: 400,
    param: "max_tokens",
    code: "integer_below_min_value",
    type: "invalid_request_error",
  });
});
