import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { DialectName } from "../../src/core/dialect.ts";
import type { Usage } from "../../src/core/usage.ts";
import { answeredModel, DIALECTS, mayHoldUsage, usageOfUnknown } from "../../src/dialects/index.ts";
import { type JsonObject, parseObject } from "../../src/dialects/shared.ts";
import { ANSWERS, type AnswerName, ENVELOPE } from "./serve.ts";

const ALL = Object.values(DIALECTS);
const FIXTURES = join(import.meta.dir, "../fixtures");

type Read = (json: JsonObject, before: Usage | undefined) => Usage | undefined;

/** What a stream of these payloads tells, each parsed only where that can be worth it. */
function folded(read: Read, payloads: readonly string[]): { readonly usage: Usage | undefined; readonly model: string | undefined } {
  let usage: Usage | undefined;
  let model: string | undefined;
  for (const payload of payloads) {
    if (!mayHoldUsage(payload)) continue;
    const json = parseObject(payload) ?? {};
    usage = read(json, usage);
    model = answeredModel(json) ?? model;
  }
  return { usage, model };
}

/** Input, from a cache, into a cache, output, reasoning. */
type Counts = readonly [number, number, number, number, number];

function counts(usage: Usage | undefined): Counts | undefined {
  return usage && [usage.inputTokens, usage.cacheReadTokens, usage.cacheWriteTokens, usage.outputTokens, usage.reasoningTokens];
}

describe.each(ALL.flatMap((dialect) => Object.keys(ANSWERS).map((name) => [dialect.name, name as AnswerName, dialect] as const)))(
  "%s, answer %s",
  (_dialectName, answerName, dialect) => {
    const answer = ANSWERS[answerName];
    const expected: Counts = [answer.inputTokens, 0, 0, answer.outputTokens, 0];

    test("tells its usage and its model, whole and streamed", () => {
      const whole = parseObject(dialect.whole(answer, ENVELOPE)) ?? {};
      expect(counts(dialect.usage(whole, undefined))).toEqual(expected);
      expect(answeredModel(whole)).toBe(ENVELOPE.model);
      const frames = dialect.frames(answer, ENVELOPE, { usageInStream: true }).map(({ data }) => data);
      expect(counts(folded(dialect.usage, frames).usage)).toEqual(expected);
      expect(folded(dialect.usage, frames).model).toBe(ENVELOPE.model);
    });

    test("tells none where it was left out", () => {
      const rewrite = dialect.withoutUsage();
      const frames = dialect.frames(answer, ENVELOPE, { usageInStream: true }).flatMap(({ data }) => rewrite(data) ?? []);
      expect(folded(dialect.usage, frames).usage).toBeUndefined();
      expect(dialect.usage(parseObject(dialect.withoutUsage()(dialect.whole(answer, ENVELOPE))) ?? {}, undefined)).toBeUndefined();
    });
  },
);

test.each([
  ["chat", "chat/text", [19, 4, 0, 10, 0]],
  ["responses", "responses/text", [36, 12, 0, 87, 64]],
  ["responses", "responses/parallel-calls", [121, 0, 0, 143, 64]],
] as const)("%s: the recorded %s tells the same, whole and streamed", (name, file, expected) => {
  const { usage } = DIALECTS[name];
  const whole = readFileSync(join(FIXTURES, `${file}.json`), "utf8");
  const stream = readFileSync(join(FIXTURES, `${file}.sse`), "utf8");
  const payloads = stream.split(/\r?\n/).flatMap((line) => (line.startsWith("data: ") ? [line.slice(6)] : []));
  expect(counts(folded(usage, [whole]).usage)).toEqual(expected);
  expect(counts(folded(usage, payloads).usage)).toEqual(expected);
  expect(folded(usage, payloads).model).toBe(folded(usage, [whole]).model ?? "none");
});

type Row = readonly [what: string, dialect: DialectName, payloads: readonly unknown[], expected: Counts | undefined, model?: string];

const CHUNK = { object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: "a" } }], usage: null };

const rows: readonly Row[] = [
  [
    "OpenAI: parts of the prompt and of the completion",
    "chat",
    [
      {
        model: "gpt-5.6",
        usage: {
          prompt_tokens: 2600,
          completion_tokens: 300,
          total_tokens: 2900,
          prompt_tokens_details: { cached_tokens: 2000, cache_write_tokens: 400, audio_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 192, audio_tokens: 0 },
        },
      },
    ],
    [2600, 2000, 400, 300, 192],
    "gpt-5.6",
  ],
  [
    "OpenAI: only the last chunk tells",
    "chat",
    [CHUNK, { ...CHUNK, choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } }],
    [9, 0, 0, 3, 0],
  ],
  [
    "vLLM: every chunk tells the counts so far",
    "chat",
    [1, 2, 3].map((completion_tokens) => ({
      ...CHUNK,
      usage: { prompt_tokens: 9, completion_tokens, total_tokens: 9 + completion_tokens },
    })),
    [9, 0, 0, 3, 0],
  ],
  [
    "OpenRouter: cache writes, cost",
    "chat",
    [
      {
        ...CHUNK,
        model: "anthropic/claude-sonnet-4.5",
        usage: {
          completion_tokens: 2,
          completion_tokens_details: { reasoning_tokens: 0, image_tokens: 0 },
          cost: 0.95,
          cost_details: { upstream_inference_cost: 19 },
          prompt_tokens: 194,
          prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 100, audio_tokens: 0 },
          total_tokens: 196,
        },
      },
    ],
    [194, 0, 100, 2, 0],
    "anthropic/claude-sonnet-4.5",
  ],
  [
    "DeepSeek: hits and misses",
    "chat",
    [
      {
        usage: {
          prompt_tokens: 20,
          completion_tokens: 7,
          total_tokens: 27,
          prompt_cache_hit_tokens: 12,
          prompt_cache_miss_tokens: 8,
          completion_tokens_details: { reasoning_tokens: 5 },
        },
      },
    ],
    [20, 12, 0, 7, 5],
  ],
  [
    "hits and misses alone",
    "chat",
    [{ usage: { prompt_cache_hit_tokens: 6500, prompt_cache_miss_tokens: 100, completion_tokens: 50 } }],
    [6600, 6500, 0, 50, 0],
  ],
  [
    "Databricks: Anthropic's names beside a prompt that includes them",
    "chat",
    [
      {
        usage: {
          prompt_tokens: 9613,
          completion_tokens: 4,
          total_tokens: 9617,
          cache_read_input_tokens: 9600,
          cache_creation_input_tokens: 0,
        },
      },
    ],
    [9613, 9600, 0, 4, 0],
  ],
  [
    "a server that counts them beside the prompt",
    "chat",
    [
      {
        usage: {
          prompt_tokens: 13,
          completion_tokens: 4,
          total_tokens: 9617,
          cache_read_input_tokens: 9000,
          cache_creation_input_tokens: 600,
        },
      },
    ],
    [9613, 9000, 600, 4, 0],
  ],
  [
    "Groq: in its own place alone",
    "chat",
    [
      { ...CHUNK, x_groq: { id: "req_01" } },
      {
        ...CHUNK,
        usage: undefined,
        model: "gemma2-9b-it",
        x_groq: {
          id: "req_01",
          usage: { queue_time: 0.06, prompt_tokens: 18, prompt_time: 0.0002, completion_tokens: 439, total_tokens: 457, total_time: 0.8 },
        },
      },
    ],
    [18, 0, 0, 439, 0],
    "gemma2-9b-it",
  ],
  [
    "xAI: reasoning beside the completion",
    "chat",
    [
      {
        usage: {
          prompt_tokens: 32,
          completion_tokens: 9,
          total_tokens: 135,
          prompt_tokens_details: { text_tokens: 32, audio_tokens: 0, image_tokens: 0, cached_tokens: 6 },
          completion_tokens_details: { reasoning_tokens: 94, audio_tokens: 0 },
          num_sources_used: 0,
        },
      },
    ],
    [32, 6, 0, 103, 94],
  ],
  [
    "Google's OpenAI form: thoughts in the total alone",
    "chat",
    [{ usage: { prompt_tokens: 8, completion_tokens: 10, total_tokens: 400 } }],
    [8, 0, 0, 392, 382],
  ],
  ["no completion", "chat", [{ usage: { prompt_tokens: 8, total_tokens: 8 } }], [8, 0, 0, 0, 0]],
  ["an error", "chat", [{ error: { message: "no" } }], undefined],

  [
    "null until the response has ended",
    "responses",
    [
      { type: "response.created", response: { model: "gpt-5", usage: null } },
      {
        type: "response.completed",
        response: {
          model: "gpt-5-2025-08-07",
          usage: {
            input_tokens: 328,
            input_tokens_details: { cached_tokens: 128, cache_write_tokens: 64 },
            output_tokens: 52,
            output_tokens_details: { reasoning_tokens: 32 },
            total_tokens: 380,
          },
        },
      },
    ],
    [328, 128, 64, 52, 32],
    "gpt-5-2025-08-07",
  ],
  [
    "an incomplete response has been paid too",
    "responses",
    [{ type: "response.incomplete", response: { usage: { input_tokens: 20, output_tokens: 4, total_tokens: 24 } } }],
    [20, 0, 0, 4, 0],
  ],

  [
    "Anthropic counts caches beside the input",
    "messages",
    [
      {
        type: "message",
        model: "claude-sonnet-4-5-20250929",
        usage: {
          input_tokens: 21,
          cache_creation_input_tokens: 188,
          cache_read_input_tokens: 1800,
          cache_creation: { ephemeral_5m_input_tokens: 188, ephemeral_1h_input_tokens: 0 },
          output_tokens: 393,
          output_tokens_details: { thinking_tokens: 100 },
          service_tier: "standard",
        },
      },
    ],
    [2009, 1800, 188, 393, 100],
    "claude-sonnet-4-5-20250929",
  ],
  [
    "a stream: the input at the start, the output at the end",
    "messages",
    [
      {
        type: "message_start",
        message: {
          model: "claude-opus-4-1",
          usage: { input_tokens: 25, cache_creation_input_tokens: 10, cache_read_input_tokens: 100, output_tokens: 1 },
        },
      },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 15 } },
    ],
    [135, 100, 10, 15, 0],
    "claude-opus-4-1",
  ],
  [
    "a stream whose client left before its end",
    "messages",
    [{ type: "message_start", message: { usage: { input_tokens: 25, output_tokens: 1 } } }],
    [25, 0, 0, 1, 0],
  ],
  [
    "the counts at the end are of the whole message: a search made the input larger",
    "messages",
    [
      { type: "message_start", message: { usage: { input_tokens: 2679, cache_read_input_tokens: 0, output_tokens: 3 } } },
      {
        type: "message_delta",
        usage: {
          input_tokens: 10682,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
          output_tokens: 510,
          server_tool_use: { web_search_requests: 1 },
        },
      },
    ],
    [10682, 0, 0, 510, 0],
  ],
  [
    "the end repeats the input alone",
    "messages",
    [
      { type: "message_start", message: { usage: { input_tokens: 25, cache_read_input_tokens: 100, output_tokens: 1 } } },
      { type: "message_delta", usage: { input_tokens: 25, output_tokens: 15 } },
    ],
    [125, 100, 0, 15, 0],
  ],
  [
    "noughts at the end take nothing away",
    "messages",
    [
      { type: "message_start", message: { usage: { input_tokens: 25, cache_read_input_tokens: 100, output_tokens: 1 } } },
      { type: "message_delta", usage: { input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 15 } },
    ],
    [125, 100, 0, 15, 0],
  ],
  [
    "noughts at the start, all at the end",
    "messages",
    [
      { type: "message_start", message: { usage: { input_tokens: 0, output_tokens: 0 } } },
      { type: "message_delta", usage: { input_tokens: 7, cache_read_input_tokens: 5, output_tokens: 15 } },
    ],
    [12, 5, 0, 15, 0],
  ],
  ["an end without a beginning", "messages", [{ type: "message_delta", usage: { output_tokens: 15 } }], undefined],

  [
    "thoughts are output, what tools gave is input",
    "gemini",
    [
      {
        modelVersion: "gemini-2.5-pro",
        usageMetadata: {
          promptTokenCount: 74,
          cachedContentTokenCount: 32,
          candidatesTokenCount: 103,
          thoughtsTokenCount: 293,
          toolUsePromptTokenCount: 155,
          totalTokenCount: 625,
        },
      },
    ],
    [229, 32, 0, 396, 293],
    "gemini-2.5-pro",
  ],
  [
    "every chunk tells the counts so far",
    "gemini",
    [
      { modelVersion: "gemini-2.5-flash", usageMetadata: { promptTokenCount: 8, totalTokenCount: 8 } },
      { usageMetadata: { promptTokenCount: 8, thoughtsTokenCount: 40, totalTokenCount: 48 } },
      { usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 12, thoughtsTokenCount: 40, totalTokenCount: 60 } },
      { usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 30, totalTokenCount: 78 } },
    ],
    [8, 0, 0, 70, 40],
    "gemini-2.5-flash",
  ],
  [
    "a blocked prompt has no output",
    "gemini",
    [{ promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 8, totalTokenCount: 8 } }],
    [8, 0, 0, 0, 0],
  ],
];

// Where an argument is missing, the runner would give one of its own.
test.each(rows.map(([what, dialect, payloads, expected, model]) => [what, dialect, payloads, expected, model] as const))(
  "%s (%s)",
  (_what, dialect, payloads, expected, model) => {
    const told = folded(
      DIALECTS[dialect].usage,
      payloads.map((payload) => JSON.stringify(payload)),
    );
    expect(counts(told.usage)).toEqual(expected as Counts);
    expect(told.model).toBe(model as string);
  },
);

test("parts with prices of their own are told apart", () => {
  const speech = {
    usage: {
      prompt_tokens: 119,
      completion_tokens: 84,
      prompt_tokens_details: { cached_tokens: 0, text_tokens: 19, audio_tokens: 100 },
      completion_tokens_details: { text_tokens: 14, audio_tokens: 70 },
    },
  };
  expect(DIALECTS.chat.usage(speech, undefined)?.parts).toEqual({ inputAudio: 100, outputAudio: 70 });
  const picture = {
    usageMetadata: {
      promptTokenCount: 268,
      candidatesTokenCount: 1290,
      promptTokensDetails: [
        { modality: "TEXT", tokenCount: 10 },
        { modality: "IMAGE", tokenCount: 258 },
      ],
      candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 1290 }],
    },
  };
  expect(DIALECTS.gemini.usage(picture, undefined)?.parts).toEqual({ inputImage: 258, outputImage: 1290 });
  const hour = {
    usage: { input_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: 2, ephemeral_1h_input_tokens: 30 }, output_tokens: 1 },
  };
  expect(DIALECTS.messages.usage(hour, undefined)).toMatchObject({ cacheWriteTokens: 32, parts: { cacheWriteHour: 30 } });
  expect(DIALECTS.messages.usage({ type: "message_delta", usage: { output_tokens: 9 } }, DIALECTS.messages.usage(hour, undefined))).toEqual(
    {
      ...(DIALECTS.messages.usage(hour, undefined) as Usage),
      outputTokens: 9,
    },
  );
});

test.each([
  ["embeddings", { model: "text-embedding-3-small", usage: { prompt_tokens: 8, total_tokens: 8 } }, [8, 0, 0, 0, 0]],
  ["completions of old", { usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 } }, [5, 0, 0, 7, 0]],
  [
    "an image",
    { usage: { input_tokens: 50, input_tokens_details: { text_tokens: 10, image_tokens: 40 }, output_tokens: 4160, total_tokens: 4210 } },
    [50, 0, 0, 4160, 0],
  ],
  ["a transcript", { text: "hi", usage: { type: "tokens", input_tokens: 14, output_tokens: 45, total_tokens: 59 } }, [14, 0, 0, 45, 0]],
  ["a transcript paid by its length", { text: "hi", usage: { type: "duration", seconds: 3 } }, undefined],
  ["Messages by another path", { usage: { input_tokens: 3, cache_read_input_tokens: 10, output_tokens: 1 } }, [13, 10, 0, 1, 0]],
  ["Gemini by another path", { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1 } }, [3, 0, 0, 1, 0]],
  ["a list", { object: "list", data: [] }, undefined],
] as const)("an answer of no dialect: %s", (_what, json, expected) => {
  expect(counts(usageOfUnknown(json, undefined))).toEqual(expected as Counts | undefined as Counts);
});

const NONSENSE: readonly unknown[] = [-1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, "12", true, [], {}, Number.NaN];
const SOUND: Usage = { inputTokens: 5, cacheReadTokens: 1, cacheWriteTokens: 1, outputTokens: 3, reasoningTokens: 1 };

test.each(NONSENSE.map((value) => [JSON.stringify(value), value] as const))("%s is no number of tokens", (_text, value) => {
  const bad: readonly (readonly [Read, JsonObject])[] = [
    [DIALECTS.chat.usage, { usage: { prompt_tokens: value, completion_tokens: 1 } }],
    [DIALECTS.chat.usage, { usage: { prompt_tokens: 1, completion_tokens: value } }],
    [DIALECTS.responses.usage, { usage: { input_tokens: value, output_tokens: 1 } }],
    [DIALECTS.responses.usage, { response: { usage: { input_tokens: 1, output_tokens: value } } }],
    [DIALECTS.messages.usage, { usage: { input_tokens: value, output_tokens: 1 } }],
    [DIALECTS.messages.usage, { message: { usage: { input_tokens: 1, output_tokens: value } } }],
    [DIALECTS.gemini.usage, { usageMetadata: { promptTokenCount: value, candidatesTokenCount: 1 } }],
    [DIALECTS.gemini.usage, { usageMetadata: { promptTokenCount: 1, candidatesTokenCount: value } }],
    [usageOfUnknown, { usage: { prompt_tokens: value } }],
    [usageOfUnknown, { usage: { input_tokens: value } }],
  ];
  for (const [read, json] of bad) {
    expect(read(json, undefined)).toBeUndefined();
    expect(read(json, SOUND)).toBe(SOUND);
  }
  const details = { usage: { prompt_tokens: 4, completion_tokens: 2, prompt_tokens_details: { cached_tokens: value } } };
  expect(counts(DIALECTS.chat.usage(details, undefined))).toEqual([4, 0, 0, 2, 0]);
});

test("a part is never more than the whole", () => {
  const usage = {
    prompt_tokens: 4,
    completion_tokens: 2,
    total_tokens: 6,
    prompt_tokens_details: { cached_tokens: 9, cache_write_tokens: 9, audio_tokens: 9 },
    completion_tokens_details: { audio_tokens: 9 },
  };
  expect(DIALECTS.chat.usage({ usage }, undefined)).toEqual({
    inputTokens: 4,
    cacheReadTokens: 4,
    cacheWriteTokens: 0,
    outputTokens: 2,
    reasoningTokens: 0,
    parts: { inputAudio: 4, outputAudio: 2 },
  });
});

const KEYS = [
  "usage",
  "usageMetadata",
  "response",
  "message",
  "x_groq",
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
  "prompt_tokens_details",
  "completion_tokens_details",
  "input_tokens",
  "output_tokens",
  "input_tokens_details",
  "output_tokens_details",
  "cached_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
  "cache_creation",
  "ephemeral_1h_input_tokens",
  "reasoning_tokens",
  "thinking_tokens",
  "audio_tokens",
  "promptTokenCount",
  "candidatesTokenCount",
  "thoughtsTokenCount",
  "toolUsePromptTokenCount",
  "cachedContentTokenCount",
  "model",
  "modelVersion",
];

test("whatever a server sends, nothing throws and every usage is sound", () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.oneof(fc.nat({ max: 5000 }), fc.constantFrom(...NONSENSE, null), fc.string({ maxLength: 4 })),
      fc.dictionary(fc.constantFrom(...KEYS), tie("tree"), { maxKeys: 9 }),
      fc.array(tie("tree"), { maxLength: 2 }),
    ),
  }));
  const object = fc.dictionary(fc.constantFrom(...KEYS), tree, { maxKeys: 6 });
  fc.assert(
    fc.property(fc.array(object, { minLength: 1, maxLength: 3 }), (payloads) => {
      for (const read of [...ALL.map((dialect) => dialect.usage), usageOfUnknown]) {
        let usage: Usage | undefined;
        for (const payload of payloads) {
          const next = read(payload, usage);
          // What no parse is worth changes nothing.
          if (!mayHoldUsage(JSON.stringify(payload))) expect(next).toBe(usage as Usage);
          usage = next;
        }
        if (usage === undefined) continue;
        const { parts = {}, ...main } = usage;
        for (const count of [...Object.values(main), ...Object.values(parts)])
          expect(Number.isSafeInteger(count) && count >= 0 && count < 1e13).toBe(true);
        expect(usage.cacheReadTokens + usage.cacheWriteTokens).toBeLessThanOrEqual(usage.inputTokens);
        expect(usage.reasoningTokens).toBeLessThanOrEqual(usage.outputTokens);
        expect(parts.cacheWriteHour ?? 0).toBeLessThanOrEqual(usage.cacheWriteTokens);
      }
      for (const payload of payloads) answeredModel(payload);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['{"usage":{"prompt_tokens":1}}', true],
  ['{\n  "usage" : {\n', true],
  ['{"usageMetadata": {', true],
  ['{"choices":[],"usage":null}', false],
  ['{"usage_breakdown":null}', false],
  ['{"delta":{"content":"\\"usage\\":{}"}}', false],
  ["[DONE]", false],
  ["", false],
])("is %s worth parsing? %p", (text, expected) => {
  expect(mayHoldUsage(text)).toBe(expected);
});
