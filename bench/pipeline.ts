/** The cost of the pipeline itself, all stages and no I/O, in µs per exchange. */
import type { Received } from "../src/core/exchange.ts";
import type { Ports } from "../src/core/ports.ts";
import { NO_RULES, type Rules } from "../src/core/rule.ts";
import { createPipeline } from "../src/pipeline/run.ts";
import { accessOf } from "../src/shell/access.ts";
import { rulesOf } from "../test/support.ts";

const body = new TextEncoder().encode(JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "x".repeat(960) }] }));
const answer = { status: 200, reason: "OK", headers: [["content-type", "application/json"]] as const, body: new Uint8Array(1024) };
const clientGone = new AbortController().signal;

const ACCESS = {
  routes: [],
  apiKeys: [],
  names: [],
  host: "127.0.0.1",
  listen: [],
  corsOrigins: ["*"],
  targets: {},
  bodyBytesMax: 2 ** 30,
  streamsMax: 16_384,
} as const;

function portsFor(start: Rules): Ports {
  let rules = start;
  const targets: Ports["targets"] = {
    openai: { kind: "url", base: "http://127.0.0.1:1" },
    anthropic: { kind: "simulated" },
    google: { kind: "simulated" },
    openrouter: { kind: "simulated" },
    tetrate: { kind: "simulated" },
    databricks: { kind: "simulated" },
  };
  return {
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now(), sleep: async () => {} },
    seed: 1,
    defaultProvider: "openai",
    targets,
    access: accessOf(ACCESS, targets, () => 1),
    rules: { get: () => rules, set: (next) => (rules = next) },
    forward: async () => answer,
    wire: undefined,
    simulate: () => answer,
    withoutContentCoding: (bytes) => bytes,
    record: () => {},
    gateway: undefined,
  };
}

const received = (id: number): Received => ({
  id,
  method: "POST",
  target: "/v1/chat/completions",
  headers: [
    ["host", "127.0.0.1:8888"],
    ["authorization", "Bearer sk-bench"],
    ["user-agent", "OpenAI/JS 7.55.0"],
    ["accept", "application/json"],
    ["content-type", "application/json"],
    ["x-stainless-lang", "js"],
    ["x-stainless-runtime", "node"],
    ["content-length", String(body.length)],
  ],
  body: { lengthBytes: body.length, whole: async () => body, forward: async () => body },
  listenerProvider: undefined,
  clientGone,
  interim: undefined,
  canUpgrade: false,
  authority: undefined,
  via: "tcp",
});

const CASES: readonly (readonly [name: string, rules: Rules])[] = [
  ["no rules", NO_RULES],
  ["ten rules for another provider", rulesOf(...Array.from({ length: 10 }, () => "add r * provider=anthropic"))],
  ["ten rules for other models", rulesOf(...Array.from({ length: 10 }, (_, i) => `add r * model=none-${i}`))],
  ["every request refused", rulesOf("r *")],
];

export async function pipelineCosts(): Promise<readonly (readonly [name: string, us: number])[]> {
  const costs: [string, number][] = [];
  for (const [name, rules] of CASES) {
    const run = createPipeline(portsFor(rules));
    const round = async (count: number) => {
      const start = performance.now();
      for (let i = 0; i < count; i++) {
        const delivery = await run(received(i));
        if (delivery.kind === "response") delivery.done("complete");
      }
      return ((performance.now() - start) * 1000) / count;
    };
    await round(20_000);
    const rounds = [await round(20_000), await round(20_000), await round(20_000), await round(20_000), await round(20_000)].sort(
      (a, b) => a - b,
    );
    costs.push([name, rounds[2] ?? Number.NaN]);
  }
  return costs;
}

if (import.meta.main) for (const [name, us] of await pipelineCosts()) process.stdout.write(`${name}: ${us.toFixed(2)} µs\n`);
