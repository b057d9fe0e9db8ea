import type { EngineName, TestDaemon } from "./daemon.ts";
import { type GatewayTables, startGateway } from "./gateway-daemon.ts";
import { type Reply, startScript } from "./gateway-upstream.ts";

export const CHAT = "/v1/chat/completions";
export const BODY = chatBody({});

export function chatBody({ model = "gpt-4o", stream = false }: { readonly model?: string; readonly stream?: boolean }): string {
  return JSON.stringify({ model, messages: [{ role: "user", content: "hello" }], ...(stream ? { stream } : {}) });
}

/** A daemon in front of a scripted target for OpenAI's requests. */
export async function inFront(tables: GatewayTables, script: readonly Reply[], engine: EngineName = "wire") {
  const upstream = await startScript(...script);
  const { openai = {}, ...providers } = tables.providers ?? {};
  const daemon = await startGateway(engine, { ...tables, providers: { ...providers, openai: { upstream: upstream.url, ...openai } } });
  return {
    upstream,
    daemon,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      upstream.stop();
    },
  };
}

export type Pair = Awaited<ReturnType<typeof inFront>>;

type Posted = {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly signal?: AbortSignal;
};

export function post(
  { origin }: Pick<TestDaemon, "origin">,
  { body = BODY, headers = {}, path = CHAT, signal }: Posted = {},
): Promise<Response> {
  const init = { method: "POST", body, headers: { "content-type": "application/json", ...headers } };
  return fetch(`${origin}${path}`, signal === undefined ? init : { ...init, signal });
}

/** Status and text, read to their end. */
export async function posted(daemon: Pick<TestDaemon, "origin">, options: Posted = {}) {
  const answer = await post(daemon, options);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
