import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import type { ProviderName } from "../../../src/core/provider.ts";
import type { SdkName } from "./sdk-clients.ts";

/** An error of any of the SDKs as class, status and the provider's own word for it. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { status, code, type } = error as { status?: unknown; code?: unknown; type?: unknown };
  const words = [classOf(error), status, code ?? type ?? googleWord(error.message) ?? (status === undefined ? error.message : undefined)];
  return words.filter((word) => word !== undefined && word !== null && word !== "").join(" ");
}

/** Some classes of the SDKs leave `name` as it is. */
function classOf(error: Error): string {
  return error.constructor.name;
}

/** Google's client puts the body of the error into its text. */
function googleWord(message: string): string | undefined {
  try {
    const { error } = JSON.parse(message.slice(message.indexOf("{"))) as { error?: { status?: string; code?: unknown } };
    return error?.status ?? (typeof error?.code === "string" ? error.code : undefined);
  } catch {
    return undefined;
  }
}

/** Where the clients of each provider find its API. */
const PREFIXES: Readonly<Record<ProviderName, string>> = {
  openai: "/openai/v1",
  anthropic: "/anthropic",
  google: "/gemini",
  openrouter: "/openrouter/api/v1",
  tetrate: "/tetrate/v1",
  databricks: "/databricks/serving-endpoints",
};

/** Asks for a model, whole or streamed, and gives what the SDK made of it: an error, or why the answer ended. */
export type AskSdk = (model: string, streamed: boolean) => Promise<string>;

type Ending = string | null | undefined;

function askWith(whole: (model: string) => Promise<Ending>, streamed: (model: string) => Promise<Ending>): AskSdk {
  return async (model, isStream) => {
    try {
      const ending = await (isStream ? streamed(model) : whole(model));
      return ending === undefined || ending === null ? "an answer without its end" : `answer, ${ending}`;
    } catch (error) {
      // What is thrown for a broken connection is the runtime's own.
      return (error as { code?: unknown }).code === "ECONNRESET" ? "connection reset" : told(error);
    }
  };
}

/** The last that any of them says. */
async function lastOf<Chunk>(chunks: AsyncIterable<Chunk>, endingOf: (chunk: Chunk) => Ending): Promise<Ending> {
  let ending: Ending;
  for await (const chunk of chunks) ending = endingOf(chunk) ?? ending;
  return ending;
}

/** Official clients, their own retries off. Of what they give, members are missing that their types promise: errors came in answers' place. */
export function sdkOf(origin: string, provider: ProviderName, dialect: SdkName): AskSdk {
  const base = origin + PREFIXES[provider];
  const openai = () => new OpenAI({ baseURL: base, apiKey: "sk-test", maxRetries: 0, logLevel: "off" });
  const messages = [{ role: "user" as const, content: "hello" }];
  switch (dialect) {
    case "chat": {
      const { completions } = openai().chat;
      type Choices = { readonly choices?: readonly { readonly finish_reason?: string | null }[] };
      const ending = ({ choices }: Choices) => choices?.[0]?.finish_reason;
      return askWith(
        async (model) => ending(await completions.create({ model, messages })),
        async (model) => lastOf(await completions.create({ model, messages, stream: true }), ending),
      );
    }
    case "responses": {
      const { responses } = openai();
      return askWith(
        async (model) => (await responses.create({ model, input: "hello" })).status,
        async (model) =>
          lastOf(await responses.create({ model, input: "hello", stream: true }), (event) => {
            if (event.type === "error") throw new Error(`error event: ${event.code}`);
            return "response" in event && event.type !== "response.created" && event.type !== "response.in_progress"
              ? event.response.status
              : undefined;
          }),
      );
    }
    case "messages": {
      const sdk = new Anthropic({ baseURL: base, apiKey: "sk-ant-test", maxRetries: 0, logLevel: "off" }).messages;
      const body = (model: string) => ({ model, messages, max_tokens: 100 });
      return askWith(
        async (model) => (await sdk.create(body(model))).stop_reason,
        async (model) =>
          lastOf(await sdk.create({ ...body(model), stream: true }), (event) =>
            event.type === "message_delta" ? event.delta.stop_reason : undefined,
          ),
      );
    }
    case "gemini": {
      const { models } = new GoogleGenAI({ apiKey: "AIzaTest", httpOptions: { baseUrl: base } });
      type Answer = {
        readonly candidates?: readonly { readonly finishReason?: string }[];
        readonly promptFeedback?: { readonly blockReason?: string };
      };
      const ending = ({ candidates, promptFeedback }: Answer) => candidates?.[0]?.finishReason ?? promptFeedback?.blockReason;
      return askWith(
        async (model) => ending(await models.generateContent({ model, contents: "hello" })),
        async (model) => lastOf(await models.generateContentStream({ model, contents: "hello" }), ending),
      );
    }
  }
}
