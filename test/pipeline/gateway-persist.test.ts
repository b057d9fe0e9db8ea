import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { FaultproxyEvent } from "../../src/core/event.ts";
import type { Chunks, OpenResponse } from "../../src/core/exchange.ts";
import { FAILURE_CLASSES, type Failure, type FailureClass } from "../../src/core/failure.ts";
import type { Gateway } from "../../src/core/gateway.ts";
import type { Ports } from "../../src/core/ports.ts";
import type { BreakerOutcome, BreakerVerdict } from "../../src/core/state-store.ts";
import type { Governed } from "../../src/pipeline/helpers/governed.ts";
import { type AskedOnce, persist } from "../../src/pipeline/persist.ts";
import { exchange } from "../support.ts";

/** What an attempt comes to. */
type Step =
  | { readonly kind: "answer" }
  | { readonly kind: "failure"; readonly failure: Failure }
  /** No target answered: our own configuration, or the request's own time. */
  | { readonly kind: "own"; readonly error: string }
  | { readonly kind: "hang" };

type World = {
  /** The last is repeated. */
  readonly steps: readonly [Step, ...Step[]];
  readonly retry?: Partial<Gateway["retry"]>;
  readonly mode?: "log" | "enforce" | "off";
  readonly contribution?: "off" | "log" | "on";
  readonly isRepeatable?: boolean;
  readonly isProbe?: boolean;
  readonly circuit?: BreakerVerdict;
  readonly budgetMs?: number;
  /** The client leaves in the sleep of this number. */
  readonly leavesInSleep?: number;
};

const RETRY: Gateway["retry"] = {
  maxTransientRetries: 2,
  maxRateLimitRetries: 2,
  transientDelayMs: 500,
  rateLimitDelayMs: 1_000,
  retryAfterMaxMs: 60_000,
  bodyBytesMax: 1_000,
};

/** One request in a world whose clock is moved by sleeping alone. */
async function run(world: World) {
  const { steps, mode = "enforce", isRepeatable = true, isProbe = false, budgetMs } = world;
  let nowMs = 0;
  const sleeps: number[] = [];
  const events: FaultproxyEvent[] = [];
  const settled: BreakerOutcome[] = [];
  const leaving = new AbortController();
  const responses: { readonly response: OpenResponse; isCancelled: boolean }[] = [];
  const observed = {
    caller: { provider: "openai", model: "m", key: undefined, user: undefined },
    stream: false,
    attempts: 0,
    failure: undefined,
  };
  const governed = {
    gateway: {
      retry: { ...RETRY, ...world.retry },
      breaker:
        mode === "off" ? undefined : { mode, retryContribution: world.contribution ?? "log", degradedSignal: "[DOWN]", testMode: false },
    },
    observed,
    isProbe,
    settle: (outcome: BreakerOutcome) => settled.push(outcome),
    end: () => ({}),
  } as unknown as Governed;
  const clock = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    async sleep(ms: number) {
      sleeps.push(ms);
      nowMs += ms;
      if (sleeps.length === world.leavesInSleep) leaving.abort();
    },
  };
  const ports = { clock, seed: 1, record: (event: FaultproxyEvent) => events.push(event) } as unknown as Ports;
  const stepOf = (attempt: number): Step => steps[attempt - 1] ?? steps.at(-1) ?? { kind: "answer" };
  const outcome = await persist(
    {
      exchange: exchange({ clientGone: leaving.signal }),
      governed,
      circuit: world.circuit,
      isRepeatable,
      target: undefined,
      retry: { ...RETRY, ...world.retry },
      attemptsBefore: 0,
      waitMsMax: Number.POSITIVE_INFINITY,
      isAnsweredFor: true,
      budgetMs: () => (budgetMs === undefined ? undefined : budgetMs - nowMs),
      async ask(attempt): Promise<AskedOnce> {
        const step = stepOf(attempt);
        if (step.kind === "hang") return "hang";
        const held = { isCancelled: false };
        const body: Chunks = { read: async () => undefined, cancel: () => Object.assign(held, { isCancelled: true }) };
        const response: OpenResponse = {
          status: step.kind === "failure" ? 500 : 200,
          reason: undefined,
          headers: [["x-attempt", String(attempt)]],
          body,
        };
        responses.push(Object.assign(held, { response }));
        return { response, error: step.kind === "own" ? step.error : undefined, forward: undefined };
      },
      inspect(response) {
        const step = stepOf(responses.length);
        const failure = step.kind === "failure" ? step.failure : undefined;
        if (failure === undefined) settled.push("success");
        return { response, failure };
      },
    },
    ports,
  );
  return { outcome, sleeps, events, settled, responses, observed };
}

const failed = (of: FailureClass, rest: Partial<Failure> = {}): Step => ({
  kind: "failure",
  failure: { class: of, isSilent: false, retryAfterMs: undefined, ...rest },
});
const DOWN = failed("degraded");
const ANSWER: Step = { kind: "answer" };
const attemptOf = (outcome: Awaited<ReturnType<typeof run>>["outcome"]) =>
  typeof outcome === "string"
    ? outcome
    : (outcome.response.headers.find(([name]) => name === "x-attempt")?.[1] ?? `${outcome.response.status} ${outcome.error}`);

describe("what the client gets, after how many attempts", () => {
  const GIVEN_UP = "503 provider_degraded";
  test.each<readonly [name: string, World, gets: string, attempts: number]>([
    ["an answer", { steps: [ANSWER] }, "1", 1],
    ["an answer after two failures", { steps: [DOWN, DOWN, ANSWER] }, "3", 3],
    ["the degraded answer after three", { steps: [DOWN] }, GIVEN_UP, 3],
    ["the target's own error where the breaker only watches", { steps: [DOWN], mode: "log" }, "3", 3],
    ["and where there is none", { steps: [DOWN], mode: "off" }, "3", 3],
    ["a rate limit at once where it would take too long", { steps: [failed("local_rate_limit", { retryAfterMs: 60_001 })] }, "1", 1],
    ["a refused key at once", { steps: [failed("auth")] }, "1", 1],
    ["the end of a silent target at once", { steps: [failed("degraded", { isSilent: true })] }, GIVEN_UP, 1],
    ["the failure of a body that cannot be sent again", { steps: [DOWN, ANSWER], isRepeatable: false, mode: "log" }, "1", 1],
    ["the failure of a probe, at once", { steps: [DOWN, ANSWER], isProbe: true }, GIVEN_UP, 1],
    ["the answer to a probe of a circuit that is only watched", { steps: [DOWN, ANSWER], isProbe: true, mode: "log" }, "2", 2],
    ["our own error, which no retry mends", { steps: [{ kind: "own", error: "no_upstream" }] }, "1", 1],
    ["nothing, from a target that hangs", { steps: [DOWN, { kind: "hang" }] }, "hang", 2],
    ["what there is, where the next wait is longer than the request's time", { steps: [DOWN, ANSWER], budgetMs: 400, mode: "log" }, "1", 1],
    ["an answer within the request's time", { steps: [DOWN, ANSWER], budgetMs: 800 }, "2", 2],
    ["no more than that time in all", { steps: [DOWN], budgetMs: 1_000, mode: "log" }, "2", 2],
  ])("%s", async (_name, world, gets, attempts) => {
    const { outcome, observed } = await run(world);
    expect([attemptOf(outcome), observed.attempts]).toEqual([gets, attempts]);
  });

  test("an open circuit asks nobody, and tells when to come back; one that is only watched does not hold back", async () => {
    const circuit = {
      kind: "refused",
      retryAfterMs: 12_345,
      ticket: { key: { provider: "openai", model: "m" }, generation: 1, isProbe: false },
    } as const;
    const refused = await run({ steps: [ANSWER], circuit });
    expect(attemptOf(refused.outcome)).toBe("503 provider_degraded");
    expect(typeof refused.outcome === "string" ? [] : refused.outcome.response.headers).toContainEqual(["Retry-After", "13"]);
    expect({ asked: refused.responses.length, attempts: refused.observed.attempts, settled: refused.settled }).toEqual({
      asked: 0,
      attempts: 0,
      settled: [],
    });
    expect(attemptOf((await run({ steps: [ANSWER], circuit, mode: "log" })).outcome)).toBe("1");
  });
});

describe("what the circuit hears", () => {
  test.each<readonly [name: string, World, settled: readonly BreakerOutcome[]]>([
    ["one failure of three attempts", { steps: [DOWN] }, ["failure"]],
    ["nothing of failures that were healed", { steps: [DOWN, DOWN, ANSWER] }, ["success"]],
    ["each of them where they contribute", { steps: [DOWN, DOWN, ANSWER], contribution: "on" }, ["success", "failure", "failure"]],
    ["but not healed rate limits", { steps: [failed("local_rate_limit"), ANSWER], contribution: "on" }, ["success"]],
    ["a rate limit of the account", { steps: [failed("global_rate_limit")] }, ["global_rate_limit"]],
    ["that a local rate limit says nothing", { steps: [failed("local_rate_limit")] }, ["neutral"]],
    ["that a target which refuses works", { steps: [failed("client")] }, ["success"]],
    ["nothing of a target that hangs", { steps: [{ kind: "hang" }] }, []],
    ["nothing of a client that leaves while it waits", { steps: [DOWN], leavesInSleep: 1 }, []],
  ])("%s", async (_name, world, settled) => {
    expect((await run(world)).settled).toEqual([...settled]);
  });

  test("that our own mistakes say nothing of the target", async () => {
    expect((await run({ steps: [{ kind: "own", error: "time_budget" }] })).settled).toEqual(["neutral"]);
  });
});

const failure: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("failure" as const),
  failure: fc.record({
    class: fc.constantFrom(...FAILURE_CLASSES),
    isSilent: fc.boolean(),
    retryAfterMs: fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined }),
  }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: failure },
  { weight: 2, arbitrary: fc.constant(ANSWER) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: "own", error: "no_upstream" }, { kind: "hang" }) },
);
const anyWorld: fc.Arbitrary<World> = fc
  .record({
    first: step,
    more: fc.array(step, { maxLength: 8 }),
    retry: fc.record({
      maxTransientRetries: fc.nat(4),
      maxRateLimitRetries: fc.nat(4),
      transientDelayMs: fc.nat(2_000),
      rateLimitDelayMs: fc.nat(2_000),
    }),
    mode: fc.constantFrom("log", "enforce", "off" as const),
    contribution: fc.constantFrom("off", "log", "on" as const),
    isRepeatable: fc.boolean(),
    isProbe: fc.boolean(),
    budgetMs: fc.option(fc.integer({ min: 1, max: 30_000 }), { nil: undefined }),
    leavesInSleep: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  })
  .map(({ first, more, budgetMs, leavesInSleep, ...rest }) => ({
    ...rest,
    steps: [first, ...more] as const,
    ...(budgetMs === undefined ? {} : { budgetMs }),
    ...(leavesInSleep === undefined ? {} : { leavesInSleep }),
  }));

/** The last that was asked for is a good answer: others that the target gives say that it works, too. */
function isAnswer({ steps }: World, attempts: number): boolean {
  return (steps[attempts - 1] ?? steps.at(-1))?.kind === "answer";
}

describe("whatever a target does", () => {
  test("attempts are bounded, each is told, and none is left open but the one that is delivered", async () => {
    await fc.assert(
      fc.asyncProperty(anyWorld, async (world) => {
        const { outcome, sleeps, events, responses, settled, observed } = await run(world);
        const { maxTransientRetries = 0, maxRateLimitRetries = 0 } = world.retry ?? {};
        expect(observed.attempts).toBeLessThanOrEqual(1 + maxTransientRetries + maxRateLimitRetries);
        const retries = events.filter((event) => event.type === "retry");
        expect(retries.length).toBe(sleeps.length);
        // What retries healed is told once, behind them, where somebody wants to know.
        const failures = retries.filter((event) => event.class === "degraded").length;
        const isTold = failures > 0 && settled.includes("success") && isAnswer(world, observed.attempts);
        const wantsToKnow = world.mode !== "off" && world.contribution !== "off";
        const healed = events.slice(retries.length).map((event) => (event.type === "healed" ? [event.failures, event.counted] : event));
        expect(healed).toEqual(isTold && wantsToKnow ? [[failures, world.contribution === "on"]] : []);
        // Nothing but the answer that the client gets stays open, and that one does.
        const delivered = typeof outcome === "string" ? undefined : outcome.response;
        for (const { response, isCancelled } of responses) expect(isCancelled).toBe(response !== delivered);
        // A success may be told before failures that it healed; an end is told once.
        expect(settled.filter((each) => each !== "failure").length).toBeLessThanOrEqual(1);
        if (world.contribution !== "on") expect(settled.length).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("waits keep to the request's time, and nobody is asked once the client has left", async () => {
    await fc.assert(
      fc.asyncProperty(anyWorld, async (world) => {
        const { outcome, sleeps, responses } = await run(world);
        if (world.budgetMs !== undefined) expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(world.budgetMs);
        if (world.leavesInSleep !== undefined && sleeps.length >= world.leavesInSleep) {
          expect(outcome).toBe("client_gone");
          expect(sleeps.length).toBe(world.leavesInSleep);
          expect(responses.length).toBe(world.leavesInSleep);
        }
      }),
    );
  });

  test("the same seed and exchange wait the same", async () => {
    const worlds = await Promise.all([run({ steps: [DOWN] }), run({ steps: [DOWN] })]);
    expect(worlds[0]?.sleeps).toEqual(worlds[1]?.sleeps ?? []);
    expect(worlds[0]?.sleeps.length).toBe(2);
  });
});
