import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ProviderName } from "../../../src/core/provider.ts";
import type { BreakerKey, BreakerOutcome, BreakerTicket } from "../../../src/core/state-store.ts";
import { admit, type BreakerSettings, type Circuit, closedCircuit, settle, ticketAfter } from "../../../src/policy/breaker.ts";
import { createMemoryBreakers } from "../../../src/shell/state/memory-breakers.ts";
import { type BreakerEvent, eventsFor } from "../../policy/breaker-events.ts";
import { providerOpenUntilMs } from "../../policy/provider-model.ts";

const SETTINGS: BreakerSettings = { failureThreshold: 2, windowMs: 120_000, cooldownMs: 300_000, escalationMs: 60_000 };
const WALL_OFFSET_MS = 1_700_000_000_000;

function bench(changes: { readonly openModels?: number; readonly circuitsMax?: number; readonly settings?: BreakerSettings } = {}) {
  let nowMs = 5_000;
  const told: string[] = [];
  const store = createMemoryBreakers({
    settings: changes.settings ?? SETTINGS,
    providerOpenModels: () => changes.openModels ?? 0,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs + WALL_OFFSET_MS,
    tell: (event) =>
      told.push(
        event.kind === "circuit" ? `${event.key.provider}/${event.key.model} ${event.from} → ${event.to}: ${event.reason}` : event.kind,
      ),
    ...(changes.circuitsMax === undefined ? {} : { circuitsMax: changes.circuitsMax }),
  });
  return {
    store,
    told,
    wait: (ms: number) => {
      nowMs += ms;
    },
    end(key: BreakerKey, outcome: BreakerOutcome, times = 1) {
      for (let i = 0; i < times; i++) store.settle(store.admit(key).ticket, outcome);
    },
  };
}

function model(name: string | undefined, provider: ProviderName = "openai"): BreakerKey {
  return { provider, model: name };
}

test("a circuit opens, is probed and closes, and each is told once", () => {
  const at = bench();
  at.end(model("a"), "failure", 2);
  expect(at.store.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 300_000 });
  at.wait(300_000);
  at.end(model("a"), "success");
  expect(at.store.admit(model("a")).kind).toBe("pass");
  expect(at.told).toEqual([
    "openai/a closed → open: 2 failures within 120 s",
    "openai/a open → half_open: the cooldown is over",
    "openai/a half_open → closed: the probe succeeded",
  ]);
});

test("models, providers and what has no model are apart", () => {
  const at = bench();
  at.end(model("a"), "failure", 2);
  for (const key of [model("b"), model(undefined), model("a", "anthropic")]) expect(at.store.admit(key).kind).toBe("pass");
  at.end(model(undefined, "anthropic"), "failure", 2);
  expect(at.store.admit(model(undefined, "anthropic")).kind).toBe("refused");
  expect(at.store.admit(model("a", "anthropic")).kind).toBe("pass");
});

test("the view has the wall clock", async () => {
  const at = bench();
  at.end(model("a"), "failure", 2);
  at.end(model("b"), "failure");
  at.wait(1_000);
  expect(await at.store.breakers()).toEqual([
    { key: model("a"), state: "open", failures: 2, cooldownUntilWallMs: WALL_OFFSET_MS + 305_000 },
    { key: model("b"), state: "closed", failures: 1, cooldownUntilWallMs: undefined },
  ]);
});

describe("by hand", () => {
  const open = async () => {
    const at = bench();
    for (const key of [model("a"), model("b"), model(undefined), model("a", "anthropic")]) at.end(key, "failure", 2);
    at.end(model("c"), "success");
    return at;
  };
  test.each<readonly [string, BreakerKey | undefined, number, readonly string[]]>([
    ["all", undefined, 4, []],
    ["those of a provider", model(undefined), 3, ["anthropic/a"]],
    ["one model's", model("a"), 1, ["openai/b", "openai/undefined", "anthropic/a"]],
    ["none where there is none", model("x"), 0, ["openai/a", "openai/b", "openai/undefined", "anthropic/a"]],
  ])("resetting closes %s", async (_name, key, count, stillOpen) => {
    const at = await open();
    expect(await at.store.resetBreaker(key)).toBe(count);
    const open_ = (await at.store.breakers())
      .filter(({ state }) => state !== "closed")
      .map(({ key: { provider, model: name } }) => `${provider}/${name}`);
    expect(open_).toEqual([...stillOpen]);
    expect(at.told.filter((line) => line.endsWith("reset by hand"))).toHaveLength(count);
    expect(await at.store.resetBreaker(key)).toBe(0);
  });

  test("opening refuses for a cooldown", async () => {
    const at = bench();
    await at.store.openBreaker(model("a"));
    expect(at.store.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 300_000 });
    expect(at.told).toEqual(["openai/a closed → open: opened by hand"]);
  });

  test("results of before a reset do not count", async () => {
    const at = bench();
    at.end(model("a"), "failure");
    const early = at.store.admit(model("a")).ticket;
    await at.store.resetBreaker(model("a"));
    at.store.settle(early, "failure");
    at.end(model("a"), "failure");
    expect((await at.store.breakers())[0]).toMatchObject({ state: "closed", failures: 1 });
  });
});

describe("a whole provider", () => {
  test("is refused while enough of its models are open, but who is due may probe", () => {
    const at = bench({ openModels: 2 });
    at.end(model("a"), "failure", 2);
    at.wait(100_000);
    at.end(model("b"), "failure", 2);
    expect(at.store.admit(model("c"))).toMatchObject({ kind: "refused", retryAfterMs: 200_000, ticket: { isProbe: false } });
    expect(at.store.admit(model(undefined))).toMatchObject({ kind: "refused", retryAfterMs: 200_000 });
    expect(at.store.admit(model("c", "anthropic")).kind).toBe("pass");
    at.wait(200_000);
    expect(at.store.admit(model("c")).kind).toBe("pass");
    expect(at.store.admit(model("a"))).toMatchObject({ kind: "pass", ticket: { isProbe: true } });
  });

  test("closes with its models", async () => {
    const at = bench({ openModels: 1 });
    at.end(model("a"), "failure", 2);
    expect(at.store.admit(model("c")).kind).toBe("refused");
    await at.store.resetBreaker(model("a"));
    expect(at.store.admit(model("c")).kind).toBe("pass");
  });
});

describe("what is kept", () => {
  test("nothing where nothing has happened", () => {
    const at = bench();
    for (let i = 0; i < 1_000; i++) {
      at.end(model(`m${i}`), "success");
      at.end(model(`m${i}`), "neutral");
    }
    expect(at.store.size()).toBe(0);
  });

  test("at most so many; the quiet go first, then those with failures, then those that are not closed", () => {
    const at = bench({ circuitsMax: 4 });
    at.end(model("open"), "failure", 2);
    at.end(model("old"), "failure");
    at.end(model("healed"), "failure", 2);
    at.wait(300_000);
    at.end(model("healed"), "success");
    at.end(model("old"), "failure");
    at.end(model("new"), "failure");
    const names = async () => new Set((await at.store.breakers()).map(({ key }) => key.model));
    const expected = [
      ["open", "old", "new", "1"],
      ["open", "new", "1", "2"],
      ["open", "1", "2", "3"],
    ];
    return (async () => {
      for (const [index, those] of expected.entries()) {
        at.end(model(String(index + 1)), "failure");
        expect(await names()).toEqual(new Set(those));
      }
      for (let i = 0; i < 8; i++) at.end(model(`t${i}`), "failure", 2);
      expect(await names()).toEqual(new Set(["t4", "t5", "t6", "t7"]));
      expect(at.store.size()).toBe(4);
    })();
  });

  test("late results of a circuit that was given up do not count for its next life", async () => {
    const at = bench({ circuitsMax: 1 });
    const early = at.store.admit(model("a")).ticket;
    at.end(model("a"), "failure", 2);
    at.end(model("b"), "failure", 2);
    expect(at.store.size()).toBe(1);
    at.store.settle(early, "failure");
    at.store.settle(early, "failure");
    expect(at.store.admit(model("a")).kind).toBe("pass");
  });

  test("of a name no more than a name's length", async () => {
    const at = bench();
    at.end(model("x".repeat(1_000_000)), "failure");
    expect((await at.store.breakers())[0]?.key.model?.length).toBe(256);
  });
});

describe("learning from others", () => {
  test("is silent, and ends in what they said", () => {
    const at = bench();
    at.store.learn(model("a"), 10_000);
    expect(at.store.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 10_000 });
    at.wait(10_000);
    at.store.learn(model("a"), 0);
    expect(at.told).toEqual([]);
    expect(at.store.admit(model("a"))).toMatchObject({ kind: "pass", ticket: { isProbe: true } });
    at.store.learn(model("a"), undefined);
    expect(at.store.admit(model("a"))).toMatchObject({ kind: "pass", ticket: { isProbe: false } });
  });

  test("makes results of before count for nothing", () => {
    const at = bench();
    const early = at.store.admit(model("a")).ticket;
    at.store.learn(model("a"), 10_000);
    at.store.learn(model("a"), undefined);
    at.store.settle(early, "failure");
    at.store.settle(early, "failure");
    expect(at.store.admit(model("a")).kind).toBe("pass");
  });

  test("whole providers count, in whatever order they were learnt", () => {
    const at = bench({ openModels: 2 });
    at.store.learn(model("a"), 20_000);
    at.store.learn(model("b"), 10_000);
    at.store.learn(model("c"), 15_000);
    expect(at.store.admit(model("x"))).toMatchObject({ kind: "refused", retryAfterMs: 10_000 });
    at.wait(12_000);
    expect(at.store.admit(model("x"))).toMatchObject({ kind: "refused", retryAfterMs: 3_000 });
    at.wait(3_000);
    expect(at.store.admit(model("x")).kind).toBe("pass");
  });
});

const KEYS: readonly BreakerKey[] = [model("a"), model("b"), model("c"), model(undefined), model("a", "google")];

/** Each event at one of the keys. */
const anyRun = fc
  .record({
    failureThreshold: fc.integer({ min: 1, max: 2 }),
    windowMs: fc.constant(5_000),
    cooldownMs: fc.constantFrom(1_000, 10_000),
    escalationMs: fc.constant(500),
  })
  .chain((settings) =>
    fc.record({
      settings: fc.constant(settings),
      openModels: fc.nat(3),
      events: eventsFor(settings).chain((events) =>
        fc.tuple(...events.map((event) => fc.tuple(fc.constant<BreakerEvent>(event), fc.constantFrom(...KEYS)))),
      ),
    }),
  );

test("the table of circuits does what a circuit for each key and a count over all of them do", async () => {
  await fc.assert(
    fc.asyncProperty(anyRun, async ({ settings, openModels, events }) => {
      const at = bench({ settings, openModels });
      const circuits = new Map<BreakerKey, Circuit>(KEYS.map((key) => [key, closedCircuit(0)]));
      const tickets: { key: BreakerKey; real: BreakerTicket; plain: BreakerTicket }[] = [];
      let nowMs = 5_000;
      const of = (key: BreakerKey) => circuits.get(key) ?? closedCircuit(0);
      for (const [event, key] of events) {
        if (event.kind === "wait") {
          at.wait(event.ms);
          nowMs += event.ms;
        } else if (event.kind === "admit") {
          const admission = admit(of(key), nowMs);
          circuits.set(key, admission.circuit);
          const isProbe = admission.kind === "pass" && admission.isProbe;
          const others = [...circuits]
            .filter(([{ provider }]) => provider === key.provider)
            .map(([other, circuit]) => ({ key: other, circuit }));
          const untilMs = isProbe || admission.kind === "refused" ? undefined : providerOpenUntilMs(others, nowMs, openModels);
          const expected =
            admission.kind === "refused"
              ? { kind: "refused" as const, retryAfterMs: admission.retryAfterMs }
              : untilMs === undefined
                ? { kind: "pass" as const }
                : { kind: "refused" as const, retryAfterMs: untilMs - nowMs };
          const verdict = at.store.admit(key);
          expect(verdict).toMatchObject({ ...expected, ticket: { key, isProbe } });
          tickets.unshift({ key, real: verdict.ticket, plain: { key, generation: admission.circuit.generation, isProbe } });
        } else if (event.kind === "settle") {
          const ticket = tickets[event.which];
          if (ticket === undefined) continue;
          const isCurrent = of(ticket.key).generation === ticket.plain.generation;
          circuits.set(ticket.key, settle(of(ticket.key), ticket.plain, event.outcome, nowMs, settings).circuit);
          const after = at.store.settle(ticket.real, event.outcome);
          if (isCurrent) {
            ticket.plain = ticketAfter(ticket.plain, event.outcome);
            ticket.real = after;
          }
        }
      }
      const open = (await at.store.breakers()).filter(({ state }) => state !== "closed").length;
      expect(open).toBe([...circuits.values()].filter(({ phase }) => phase.kind !== "closed").length);
    }),
    { numRuns: 500 },
  );
});
