import { type EngineName, startTestDaemon, type TestDaemon } from "./daemon.ts";
import { type Reply, type Script, startScript } from "./gateway-upstream.ts";
import { PROVIDER_OF, type Spoken } from "./route-answers.ts";
import { type Heard, hear, type Way } from "./route-clients.ts";

/** A route of two targets of one provider's, and what lies around it. */
export type RoutePair = AsyncDisposable & {
  readonly daemon: TestDaemon;
  readonly primary: Script;
  readonly fallback: Script;
  /** Asks with the provider's SDK. */
  readonly ask: (asked?: { readonly way?: Way; readonly prompt?: string; readonly leaving?: AbortSignal }) => Promise<Heard>;
};

export type RoutePairOptions = {
  readonly engine: EngineName;
  readonly primary: readonly Reply[];
  readonly fallback: readonly Reply[];
  readonly spoken?: Spoken;
  /** Tables before the route. */
  readonly toml?: string;
  /** Keys of the route. */
  readonly route?: string;
};

const PATIENCE_MS = 20_000;

export async function startRoutePair({ engine, spoken = "chat", toml = "", route = "", ...scripts }: RoutePairOptions): Promise<RoutePair> {
  const [primary, fallback] = await Promise.all([startScript(...scripts.primary), startScript(...scripts.fallback)]);
  const targets = [primary, fallback].map(({ url }) => `{ provider = "${PROVIDER_OF[spoken]}", url = "${url}" }`);
  const daemon = await startTestDaemon({ engine, toml: `${toml}\n[[route]]\n${route}\ntargets = [${targets.join(", ")}]\n` });
  return {
    daemon,
    primary,
    fallback,
    ask: ({ way = "whole", prompt = "hello", leaving } = {}) =>
      hear({
        origin: daemon.origin,
        spoken,
        way,
        model: "m",
        prompt,
        headers: {},
        maxRetries: 0,
        patienceMs: PATIENCE_MS,
        leaving,
        onText() {},
      }),
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      primary.stop();
      fallback.stop();
    },
  };
}
