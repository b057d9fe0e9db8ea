/**
 * `make demo`: the built binary in front of the built-in provider, and the official SDKs as its clients. Prints for each
 * case what was injected and what the client saw; exits with 1 if a client saw something else than it should. `serve` as
 * its argument takes the other engine.
 */
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { ENGINES, startTestDaemon, type TestDaemon } from "../e2e/support/daemon.ts";

type Client = {
  readonly name: string;
  readonly provider: string;
  /** Answers with the text, or throws what the SDK throws. */
  readonly whole: () => Promise<string>;
  /** The text as it came and, if the stream broke, how. */
  readonly streamed: () => Promise<{ readonly pieces: number; readonly error: string | undefined }>;
};

const PROMPT = "Tell me a joke";
const MAX_RETRIES = 2;

function openai(origin: string): Client {
  const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "sk-demo", maxRetries: MAX_RETRIES });
  const request = { model: "gpt-4o", messages: [{ role: "user" as const, content: PROMPT }] };
  return {
    name: "OpenAI SDK",
    provider: "openai",
    whole: async () => (await client.chat.completions.create(request)).choices[0]?.message.content ?? "",
    streamed: () =>
      consume(async function* () {
        for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) yield chunk.choices[0]?.delta.content;
      }),
  };
}

function anthropic(origin: string): Client {
  const client = new Anthropic({ baseURL: origin, apiKey: "sk-ant-demo", maxRetries: MAX_RETRIES });
  const request = { model: "claude-opus-4-5", max_tokens: 256, messages: [{ role: "user" as const, content: PROMPT }] };
  return {
    name: "Anthropic SDK",
    provider: "anthropic",
    whole: async () => {
      const [block] = (await client.messages.create(request)).content;
      return block?.type === "text" ? block.text : "";
    },
    streamed: () =>
      consume(async function* () {
        for await (const event of await client.messages.create({ ...request, stream: true })) {
          if (event.type === "content_block_delta" && event.delta.type === "text_delta") yield event.delta.text;
        }
      }),
  };
}

function google(origin: string): Client {
  const client = new GoogleGenAI({ apiKey: "AIzaDemo", httpOptions: { baseUrl: origin, retryOptions: { attempts: MAX_RETRIES + 1 } } });
  const request = { model: "gemini-2.5-pro", contents: PROMPT };
  return {
    name: "Google GenAI SDK",
    provider: "google",
    whole: async () => (await client.models.generateContent(request)).text ?? "",
    streamed: () =>
      consume(async function* () {
        for await (const chunk of await client.models.generateContentStream(request)) yield chunk.text;
      }),
  };
}

async function consume(pieces: () => AsyncGenerator<string | null | undefined>): Promise<{ pieces: number; error: string | undefined }> {
  let count = 0;
  try {
    for await (const piece of pieces()) if (piece) count++;
    return { pieces: count, error: undefined };
  } catch (error) {
    return { pieces: count, error: sentence(error) };
  }
}

function sentence(error: unknown): string {
  const name = error instanceof Error ? error.constructor.name : typeof error;
  const message = error instanceof Error ? error.message : String(error);
  return `${name}: ${message.replace(/\s+/g, " ")}`.slice(0, 110);
}

type Case = {
  readonly title: string;
  readonly command: string;
  /** What the client saw, and whether that is what it should see. */
  readonly see: (client: Client) => Promise<readonly [saw: string, asExpected: boolean]>;
};

const CASES: readonly Case[] = [
  {
    title: "normal answer",
    command: "n",
    see: async (client) => {
      const text = await client.whole();
      return [`"${text.slice(0, 40)}…"`, text.length > 0];
    },
  },
  {
    title: "streamed answer",
    command: "n",
    see: async (client) => {
      const { pieces, error } = await client.streamed();
      return [error ?? `${pieces} pieces of text`, error === undefined && pieces > 1];
    },
  },
  { title: "context error", command: "c", see: (client) => thrown(client, /context|prompt is too long|token count/i) },
  {
    title: "rate limit, then recovery",
    command: "r retry_after=1",
    see: async (client) => {
      const start = performance.now();
      const text = await client.whole();
      const seconds = (performance.now() - start) / 1000;
      return [`an answer after ${seconds.toFixed(1)} s, having waited and asked again`, text.length > 0 && seconds > 0.3];
    },
  },
  { title: "overload, for good", command: "o * ", see: (client) => thrown(client, /overloaded|503|529|high demand/i) },
  {
    title: "stream cut in the middle",
    command: "cut after=4",
    see: async (client) => {
      const { pieces, error } = await client.streamed();
      return [`${pieces} pieces, then ${error ?? "an end as if nothing had happened"}`, error !== undefined];
    },
  },
  {
    title: "error event inside a 200 stream",
    command: "error_event after=4",
    see: async (client) => {
      const { pieces, error } = await client.streamed();
      return [`${pieces} pieces, then ${error ?? "an end as if nothing had happened"}`, error !== undefined];
    },
  },
];

async function thrown(client: Client, expected: RegExp): Promise<readonly [string, boolean]> {
  try {
    return [`an answer: ${await client.whole()}`, false];
  } catch (error) {
    return [sentence(error), expected.test(String(error))];
  }
}

async function show(daemon: TestDaemon): Promise<number> {
  let surprises = 0;
  for (const client of [openai(daemon.origin), anthropic(daemon.origin), google(daemon.origin)]) {
    process.stdout.write(`\n${client.name}\n`);
    for (const { title, command, see } of CASES) {
      await daemon.command(command);
      const [saw, asExpected] = await see(client).catch((error: unknown) => [sentence(error), false] as const);
      if (!asExpected) surprises++;
      process.stdout.write(
        `  ${asExpected ? "ok" : "!!"}  ${title.padEnd(32)} injected: ${(command.trim() === "n" ? "nothing" : command.trim()).padEnd(20)} client saw: ${saw}\n`,
      );
    }
    await daemon.command("n");
  }
  return surprises;
}

const engine = ENGINES.find((name) => name === process.argv[2]) ?? "wire";
const daemon = await startTestDaemon({ engine, args: ["--simulate", "--seed", "1"] });
try {
  const surprises = await show(daemon);
  process.stdout.write(surprises === 0 ? "\nEvery client saw what was injected.\n" : `\n${surprises} not as expected (marked !!)\n`);
  process.exitCode = surprises === 0 ? 0 : 1;
} finally {
  await daemon.stop();
}
