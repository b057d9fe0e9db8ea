import { writeFileSync } from "node:fs";
import { type EngineName, eventually, type TestDaemon } from "./daemon.ts";
import { circuitOf, ctl, type GatewayTables, gatewayToml, startGateway } from "./gateway-daemon.ts";
import { type Reply, startScript } from "./gateway-upstream.ts";

export const CHAT = "/v1/chat/completions";
export const BODY = chatBody({});

export function chatBody({ model = "gpt-4o", stream = false }: { readonly model?: string; readonly stream?: boolean }): string {
  return JSON.stringify({ model, messages: [{ role: "user", content: "hello" }], ...(stream ? { stream } : {}) });
}

/** A daemon in front of a scripted target for OpenAI's requests. */
export async function inFront(tables: GatewayTables, script: readonly Reply[], engine: EngineName = "wire") {
  const upstream = await startScript(...script);
  const daemon = await startGateway(engine, towards(upstream.url, tables));
  return {
    upstream,
    daemon,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      upstream.stop();
    },
  };
}

function towards(url: string, tables: GatewayTables): GatewayTables {
  const { openai = {}, ...providers } = tables.providers ?? {};
  return { ...tables, providers: { ...providers, openai: { upstream: url, ...openai } } };
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

/** Other settings while it runs. */
export async function reload({ daemon, upstream }: Pick<Pair, "daemon" | "upstream">, tables: GatewayTables): Promise<void> {
  writeFileSync(daemon.config, gatewayToml(towards(upstream.url, tables)));
  const { code, problems } = await ctl(daemon, "reload");
  if (code !== 0) throw new Error(problems);
}

/** Waits out the cooldown, by the circuit's own word. */
export function due(daemon: TestDaemon, circuit: string): Promise<true> {
  const isDue = async () => ((await circuitOf(daemon, circuit)).state === "half_open" ? true : undefined);
  return eventually(isDue, "the end of the cooldown");
}

/** An open circuit in its long cooldown is due now: opened again, for a short one, which the settings have from now on. */
export async function dueSoon(pair: Pick<Pair, "daemon" | "upstream">, tables: GatewayTables, circuit: string): Promise<void> {
  await reload(pair, { ...tables, breaker: { ...tables.breaker, cooldown_seconds: 0.05 } });
  await ctl(pair.daemon, "breaker", "open", circuit);
  await due(pair.daemon, circuit);
}
