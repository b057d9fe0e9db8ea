import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

/** What an SDK made of an answer, in words that all dialects share. */
export type SdkAnswer = {
  readonly text: string;
  readonly refusal: string | undefined;
  /** `argumentsText` is JSON text where the SDK gives an object. */
  readonly toolCalls: readonly { readonly name: string; readonly argumentsText: string }[];
  /** The dialect's own word. */
  readonly finish: string | undefined;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
};

export type SdkStream = {
  /** What came until the end or the error. */
  readonly answer: SdkAnswer;
  readonly error: unknown;
};

export type SdkRequest = {
  readonly prompt?: string;
  /** The names of the tools that are offered. */
  readonly tools?: readonly string[];
  readonly signal?: AbortSignal;
};

export type SdkClient = {
  readonly whole: (request?: SdkRequest) => Promise<SdkAnswer>;
  readonly streamed: (request?: SdkRequest) => Promise<SdkStream>;
  readonly models: () => Promise<readonly string[]>;
};

export type SdkOptions = {
  readonly origin: string;
  readonly maxRetries?: number;
  /** Until the head of an answer has come; milliseconds. */
  readonly timeout?: number;
};

export type SdkName = "chat" | "responses" | "messages" | "gemini";

/** One client for each dialect, as its provider's official SDK speaks it. */
export const SDK_CLIENTS: Readonly<Record<SdkName, (options: SdkOptions) => SdkClient>> = {
  chat: chatClient,
  responses: responsesClient,
  messages: messagesClient,
  gemini: geminiClient,
};

export const SDK_NAMES = Object.keys(SDK_CLIENTS) as readonly SdkName[];

/** Asked for by name, a tool is called by the built-in provider. */
export const TOOL = "get_weather";
const PARAMETERS = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const;
const PROMPT = "hello";
const OUTPUT_TOKENS_MAX = 1_000;

type Draft = { text: string; refusal: string | undefined; calls: { name: string; argumentsText: string }[] } & {
  finish: string | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
};

/** Lets `read` fill an answer from a stream and keeps what came before an error. */
async function collected(read: (draft: Draft) => Promise<void>): Promise<SdkStream> {
  const draft: Draft = { text: "", refusal: undefined, calls: [], finish: undefined, inputTokens: undefined, outputTokens: undefined };
  let error: unknown;
  try {
    await read(draft);
  } catch (thrown) {
    error = thrown;
  }
  const { calls, ...rest } = draft;
  return { answer: { ...rest, toolCalls: calls }, error };
}

function openaiSdk({ origin, maxRetries = 0, timeout }: SdkOptions): OpenAI {
  return new OpenAI({
    baseURL: `${origin}/v1`,
    apiKey: "sk-test",
    maxRetries,
    logLevel: "off",
    ...(timeout === undefined ? {} : { timeout }),
  });
}

async function openaiModels(sdk: OpenAI): Promise<readonly string[]> {
  return (await sdk.models.list()).data.map((model) => model.id);
}

function chatClient(options: SdkOptions): SdkClient {
  const sdk = openaiSdk(options);
  const body = ({ prompt = PROMPT, tools = [] }: SdkRequest) => ({
    model: "gpt-4o",
    messages: [{ role: "user" as const, content: prompt }],
    ...(tools.length > 0 && {
      tools: tools.map((name) => ({ type: "function" as const, function: { name, parameters: { ...PARAMETERS } } })),
    }),
  });
  return {
    async whole(request = {}) {
      const { choices, usage } = await sdk.chat.completions.create(body(request), { signal: request.signal });
      const choice = choices[0];
      return {
        text: choice?.message.content ?? "",
        refusal: choice?.message.refusal ?? undefined,
        toolCalls: (choice?.message.tool_calls ?? []).flatMap((call) =>
          call.type === "function" ? [{ name: call.function.name, argumentsText: call.function.arguments }] : [],
        ),
        finish: choice?.finish_reason,
        inputTokens: usage?.prompt_tokens,
        outputTokens: usage?.completion_tokens,
      };
    },
    streamed: (request = {}) =>
      collected(async (draft) => {
        const asked = { ...body(request), stream: true as const, stream_options: { include_usage: true } };
        for await (const { choices, usage } of await sdk.chat.completions.create(asked, { signal: request.signal })) {
          draft.text += choices[0]?.delta.content ?? "";
          const refusal = choices[0]?.delta.refusal;
          if (typeof refusal === "string") draft.refusal = (draft.refusal ?? "") + refusal;
          for (const call of choices[0]?.delta.tool_calls ?? []) addCall(draft, call.index, call.function?.name, call.function?.arguments);
          draft.finish = choices[0]?.finish_reason ?? draft.finish;
          draft.inputTokens = usage?.prompt_tokens ?? draft.inputTokens;
          draft.outputTokens = usage?.completion_tokens ?? draft.outputTokens;
        }
      }),
    models: () => openaiModels(sdk),
  };
}

function addCall({ calls }: Draft, index: number, name = "", argumentsText = ""): void {
  const before = calls[index] ?? { name: "", argumentsText: "" };
  calls[index] = { name: before.name + name, argumentsText: before.argumentsText + argumentsText };
}

function responsesClient(options: SdkOptions): SdkClient {
  const sdk = openaiSdk(options);
  const body = ({ prompt = PROMPT, tools = [] }: SdkRequest) => ({
    model: "gpt-5.1",
    input: prompt,
    tools: tools.map((name) => ({ type: "function" as const, name, parameters: { ...PARAMETERS }, strict: false })),
  });
  return {
    async whole(request = {}) {
      return answerOfResponse(await sdk.responses.create(body(request), { signal: request.signal }));
    },
    streamed: (request = {}) =>
      collected(async (draft) => {
        for await (const event of await sdk.responses.create({ ...body(request), stream: true }, { signal: request.signal })) {
          if (event.type === "response.output_text.delta") draft.text += event.delta;
          else if (event.type === "response.refusal.delta") draft.refusal = (draft.refusal ?? "") + event.delta;
          else if (event.type === "response.completed" || event.type === "response.incomplete" || event.type === "response.failed") {
            const { toolCalls, finish, inputTokens, outputTokens } = answerOfResponse(event.response);
            Object.assign(draft, { calls: toolCalls, finish, inputTokens, outputTokens });
          } else if (event.type === "error") throw new Error(`error event: ${event.code}`);
        }
      }),
    models: () => openaiModels(sdk),
  };
}

function answerOfResponse({ output, status, incomplete_details, usage }: OpenAI.Responses.Response): SdkAnswer {
  const parts = output.flatMap((item) => (item.type === "message" ? item.content : []));
  const refusals = parts.flatMap((part) => (part.type === "refusal" ? [part.refusal] : []));
  return {
    text: parts.map((part) => (part.type === "output_text" ? part.text : "")).join(""),
    refusal: refusals.length > 0 ? refusals.join("") : undefined,
    toolCalls: output.flatMap((item) => (item.type === "function_call" ? [{ name: item.name, argumentsText: item.arguments }] : [])),
    finish: incomplete_details?.reason ?? status,
    inputTokens: usage?.input_tokens,
    outputTokens: usage?.output_tokens,
  };
}

function messagesClient({ origin, maxRetries = 0, timeout }: SdkOptions): SdkClient {
  const sdk = new Anthropic({
    baseURL: origin,
    apiKey: "sk-ant-test",
    maxRetries,
    logLevel: "off",
    ...(timeout === undefined ? {} : { timeout }),
  });
  const body = ({ prompt = PROMPT, tools = [] }: SdkRequest) => ({
    model: "claude-opus-4-5",
    max_tokens: OUTPUT_TOKENS_MAX,
    messages: [{ role: "user" as const, content: prompt }],
    ...(tools.length > 0 && {
      tools: tools.map((name) => ({ name, input_schema: { ...PARAMETERS, required: [...PARAMETERS.required] } })),
    }),
  });
  return {
    async whole(request = {}) {
      const { content, stop_reason, stop_details, usage } = await sdk.messages.create(body(request), { signal: request.signal });
      return {
        text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
        refusal: stop_details?.type === "refusal" ? (stop_details.explanation ?? undefined) : undefined,
        toolCalls: content.flatMap((block) =>
          block.type === "tool_use" ? [{ name: block.name, argumentsText: JSON.stringify(block.input) }] : [],
        ),
        finish: stop_reason ?? undefined,
        inputTokens: usage.input_tokens,
        outputTokens: usage.output_tokens,
      };
    },
    streamed: (request = {}) =>
      collected(async (draft) => {
        for await (const event of await sdk.messages.create({ ...body(request), stream: true }, { signal: request.signal })) {
          if (event.type === "message_start") draft.inputTokens = event.message.usage?.input_tokens;
          else if (event.type === "content_block_start" && event.content_block.type === "tool_use")
            addCall(draft, draft.calls.length, event.content_block.name);
          else if (event.type === "content_block_delta" && event.delta.type === "text_delta") draft.text += event.delta.text;
          else if (event.type === "content_block_delta" && event.delta.type === "input_json_delta")
            addCall(draft, draft.calls.length - 1, "", event.delta.partial_json);
          else if (event.type === "message_delta") {
            const { stop_reason, stop_details } = event.delta;
            draft.finish = stop_reason ?? undefined;
            draft.refusal = stop_details?.type === "refusal" ? (stop_details.explanation ?? undefined) : undefined;
            draft.outputTokens = event.usage?.output_tokens;
          }
        }
      }),
    models: async () => (await sdk.models.list()).data.map((model) => model.id),
  };
}

function geminiClient({ origin, maxRetries = 0, timeout }: SdkOptions): SdkClient {
  const sdk = new GoogleGenAI({
    apiKey: "AIzaTest",
    httpOptions: {
      baseUrl: origin,
      ...(timeout === undefined ? {} : { timeout }),
      ...(maxRetries === 0 ? {} : { retryOptions: { attempts: maxRetries + 1 } }),
    },
  });
  const body = ({ prompt = PROMPT, tools = [], signal }: SdkRequest) => ({
    model: "gemini-2.5-pro",
    contents: prompt,
    config: {
      ...(signal === undefined ? {} : { abortSignal: signal }),
      ...(tools.length > 0 && { tools: [{ functionDeclarations: tools.map((name) => ({ name, parametersJsonSchema: PARAMETERS })) }] }),
    },
  });
  return {
    async whole(request = {}) {
      const { candidates, usageMetadata, promptFeedback } = await sdk.models.generateContent(body(request));
      const parts = candidates?.[0]?.content?.parts ?? [];
      return {
        text: parts.map((part) => part.text ?? "").join(""),
        refusal: undefined,
        toolCalls: parts.flatMap(({ functionCall: call }) =>
          call === undefined ? [] : [{ name: call.name ?? "", argumentsText: JSON.stringify(call.args) }],
        ),
        finish: candidates?.[0]?.finishReason ?? promptFeedback?.blockReason,
        inputTokens: usageMetadata?.promptTokenCount,
        outputTokens: usageMetadata?.candidatesTokenCount,
      };
    },
    streamed: (request = {}) =>
      collected(async (draft) => {
        for await (const { candidates, usageMetadata, promptFeedback } of await sdk.models.generateContentStream(body(request))) {
          for (const { text, functionCall: call } of candidates?.[0]?.content?.parts ?? []) {
            draft.text += text ?? "";
            if (call !== undefined) addCall(draft, draft.calls.length, call.name, JSON.stringify(call.args));
          }
          draft.finish = candidates?.[0]?.finishReason ?? promptFeedback?.blockReason ?? draft.finish;
          draft.inputTokens = usageMetadata?.promptTokenCount ?? draft.inputTokens;
          draft.outputTokens = usageMetadata?.candidatesTokenCount ?? draft.outputTokens;
        }
      }),
    models: async () => (await sdk.models.list()).page.map((model) => model.name ?? ""),
  };
}
