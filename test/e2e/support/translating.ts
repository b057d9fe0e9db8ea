import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { type EngineName, startTestDaemon, type TestDaemon } from "./daemon.ts";

/** The built binary in front of one backend: `settings` are the lines of the file's `[backend]`. */
export async function startTranslating(engine: EngineName, settings: readonly string[], args: readonly string[] = []): Promise<TestDaemon> {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-config-"));
  const file = join(folder, "config.toml");
  writeFileSync(file, ["[backend]", ...settings, ""].join("\n"), { mode: 0o600 });
  const daemon = await startTestDaemon({ engine, args: ["--config", file, "--seed", "1", ...args] });
  // It has been read.
  rmSync(folder, { recursive: true, force: true });
  return daemon;
}

export function openaiAt({ origin }: Pick<TestDaemon, "origin">): OpenAI {
  return new OpenAI({ baseURL: `${origin}/v1`, apiKey: "sk-test", maxRetries: 0, logLevel: "off" });
}

export function anthropicAt({ origin }: Pick<TestDaemon, "origin">): Anthropic {
  return new Anthropic({ baseURL: origin, apiKey: "sk-ant-test", maxRetries: 0, logLevel: "off" });
}

/** What a call threw; fails where it did not. */
export async function thrownBy(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

export const CHAT_PATH = "/v1/chat/completions";

/** Asks without an SDK. */
export async function post(
  { origin }: Pick<TestDaemon, "origin">,
  path: string,
  body: unknown,
  fields: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string; readonly json: () => unknown }> {
  const answer = await fetch(`${origin}${path}`, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/json", authorization: "Bearer sk-test", ...fields },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
}
