import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ProviderName } from "../../../src/core/provider.ts";
import type { BreakerKey, BreakerOutcome, BreakerTicket, StoreEvent } from "../../../src/core/state-store.ts";
import {
  admit,
  type BreakerSettings,
  type Circuit,
  closedCircuit,
  open,
  PROBE_MS_MAX,
  reset,
  settle,
  sightOf,
  ticketAfter,
} from "../../../src/policy/breaker.ts";
import { createRedisBreakers } from "../../../src/shell/state/redis-breakers.ts";
import { ADMIT, OPEN, RESET, SETTLE, VIEW } from "../../../src/shell/state/redis-breakers-scripts.ts";
import { sharedCircuit } from "../../../src/shell/state/shared-circuit.ts";
import { describeWith } from "../../packaging/support/run.ts";
import { type BreakerEvent, eventsFor } from "../../policy/breaker-events.ts";
import { providerOpenUntilMs } from "../../policy/provider-model.ts";
import { startRedis, testScripts } from "./breaker-redis.ts";

const SETTINGS: BreakerSettings = { failureThreshold: 2, windowMs: 120_000, cooldownMs: 300_000, escalationMs: 60_000 };
const START_MS = 1_750_000_000_000;
const WALL_MS = 1_760_000_000_000;

function model(name: string | undefined, provider: ProviderName = "openai"): BreakerKey {
  return { provider, model: name };
}

function lineOf(event: StoreEvent): string {
  return event.kind === "circuit" ? `${event.key.model} ${event.from} → ${event.to}: ${event.reason}` : event.kind;
}

describeWith(["redis-server"], "circuits in a shared store", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  let prefixes = 0;

  /** Instances that share a store of their own, and a clock. */
  function bench({ instances = 2, openModels = 0, settings = SETTINGS, ownClock = false } = {}) {
    const prefix = `test-${prefixes++}`;
    let nowMs = START_MS;
    const made = Array.from({ length: instances }, () => {
      const scripts = testScripts(redis.client, prefix);
      const told: string[] = [];
      const breakers = createRedisBreakers({
        settings,
        providerOpenModels: () => openModels,
        monotonicMs: () => nowMs - START_MS,
        wallMs: () => nowMs - START_MS + WALL_MS,
        tell: (event) => told.push(lineOf(event)),
        scripts,
        ...(ownClock ? {} : { storeMs: () => nowMs }),
      });
      return {
        ...breakers,
        scripts,
        told,
        async end(key: BreakerKey, outcome: BreakerOutcome, times = 1) {
          for (let i = 0; i < times; i++) breakers.settle((await breakers.admit(key)).ticket, outcome);
          // What was settled is behind this.
          await breakers.breakers();
        },
      };
    });
    const [one, other = made[0]] = made;
    if (one === undefined || other === undefined) throw new Error("no instance");
    return {
      one,
      other,
      prefix,
      wait: (ms: number) => {
        nowMs += ms;
      },
    };
  }

  test("failures of all instances count together, and all are refused", async () => {
    const { one, other, wait } = bench();
    await one.end(model("a"), "failure");
    await other.end(model("a"), "failure");
    expect(await one.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 300_000 });
    wait(100_000);
    expect(await other.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 200_000 });
    expect(one.told).toEqual([]);
    expect(other.told).toEqual(["a closed → open: 2 failures within 120 s"]);
    for (const instance of [one, other]) {
      expect(await instance.breakers()).toEqual([{ key: model("a"), state: "open", failures: 2, cooldownUntilWallMs: WALL_MS + 300_000 }]);
    }
  });

  test("there is one probe among all instances, and its success closes for all", async () => {
    const { one, other, wait } = bench();
    await one.end(model("a"), "failure", 2);
    wait(300_000);
    const verdicts = await Promise.all([one, other, one, other].map((instance) => instance.admit(model("a"))));
    expect(verdicts.map(({ kind, ticket }) => [kind, ticket.isProbe])).toEqual([
      ["pass", true],
      ["refused", false],
      ["refused", false],
      ["refused", false],
    ]);
    const [probe] = verdicts;
    if (probe === undefined) throw new Error("no verdict");
    const after = one.settle(probe.ticket, "success");
    expect(after).toMatchObject({ isProbe: false, generation: probe.ticket.generation + 1 });
    expect((await other.admit(model("a"))).kind).toBe("pass");
    // What the same request meets later counts for the closed circuit.
    one.settle(after, "failure");
    expect((await other.breakers())[0]).toMatchObject({ state: "closed", failures: 1 });
    expect([...one.told, ...other.told]).toEqual([
      "a closed → open: 2 failures within 120 s",
      "a open → half_open: the cooldown is over",
      "a half_open → closed: the probe succeeded",
    ]);
  });

  test("a probe that fails opens again; one whose client leaves frees its place", async () => {
    const { one, other, wait } = bench();
    await one.end(model("a"), "failure", 2);
    wait(300_000);
    await one.end(model("a"), "neutral");
    const second = await other.admit(model("a"));
    expect(second.ticket.isProbe).toBe(true);
    other.settle(second.ticket, "failure");
    expect(await one.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 300_000 });
    expect(other.told.at(-1)).toBe("a half_open → open: the probe failed");
  });

  test("a probe of an instance that has died frees its place in the end", async () => {
    const { one, other, wait } = bench();
    await one.end(model("a"), "failure", 2);
    wait(300_000);
    const lost = await one.admit(model("a"));
    wait(PROBE_MS_MAX);
    expect(await other.admit(model("a"))).toMatchObject({ kind: "pass", ticket: { isProbe: true } });
    one.settle(lost.ticket, "success");
    expect((await other.breakers())[0]).toMatchObject({ state: "half_open" });
  });

  test("results of an earlier generation change nothing, whoever has them", async () => {
    const { one, other, wait } = bench();
    const early = await other.admit(model("a"));
    await one.end(model("a"), "failure", 2);
    wait(300_000);
    await one.end(model("a"), "success");
    other.settle(early.ticket, "failure");
    other.settle(early.ticket, "failure");
    expect((await one.breakers())[0]).toMatchObject({ state: "closed", failures: 0 });
  });

  test("global rate limits count when they have lasted over all instances", async () => {
    const { one, other, wait } = bench();
    await one.end(model("a"), "global_rate_limit");
    wait(59_999);
    await other.end(model("a"), "global_rate_limit", 3);
    expect((await one.breakers())[0]?.failures ?? 0).toBe(0);
    wait(1);
    await one.end(model("a"), "global_rate_limit", 2);
    expect((await other.admit(model("a"))).kind).toBe("refused");
  });

  test("a success ends the spell of rate limits", async () => {
    const { one, other, wait } = bench();
    await one.end(model("a"), "global_rate_limit");
    await other.end(model("a"), "success");
    wait(60_000);
    await one.end(model("a"), "global_rate_limit", 2);
    expect((await one.admit(model("a"))).kind).toBe("pass");
  });

  test.each([
    [120_000, "refused"],
    [120_001, "pass"],
  ] as const)("a pause of %i ms between two of them", async (pauseMs, expected) => {
    const { one, wait } = bench({ settings: { ...SETTINGS, failureThreshold: 1 } });
    await one.end(model("a"), "global_rate_limit");
    wait(pauseMs);
    await one.end(model("a"), "global_rate_limit");
    expect((await one.admit(model("a"))).kind).toBe(expected);
  });

  test("results are told without waiting, and in their order", async () => {
    const { one } = bench();
    const tickets = await Promise.all(Array.from({ length: 3 }, () => one.admit(model("a"))));
    for (const { ticket } of tickets) one.settle(ticket, "failure");
    expect((await one.admit(model("a"))).kind).toBe("refused");
    expect(one.scripts.ran.slice(3)).toEqual([SETTLE.name, SETTLE.name, SETTLE.name, ADMIT.name]);
  });

  test("a request that has nothing to say costs one call", async () => {
    const { one } = bench();
    for (const outcome of ["success", "neutral"] as const) one.settle((await one.admit(model("a"))).ticket, outcome);
    expect(one.scripts.ran).toEqual([ADMIT.name, ADMIT.name]);
  });

  test("many models of one provider refuse the rest of it, for all instances", async () => {
    const { one, other, wait } = bench({ openModels: 2 });
    await one.end(model("a"), "failure", 2);
    wait(100_000);
    await one.end(model("b"), "failure", 2);
    expect(await other.admit(model("c"))).toMatchObject({ kind: "refused", retryAfterMs: 200_000 });
    expect((await other.admit(model("c", "anthropic"))).kind).toBe("pass");
    wait(200_000);
    expect((await other.admit(model("c"))).kind).toBe("pass");
    expect(await other.admit(model("a"))).toMatchObject({ kind: "pass", ticket: { isProbe: true } });
  });

  describe("by hand", () => {
    test.each<readonly [string, BreakerKey | undefined, readonly string[]]>([
      ["all", undefined, []],
      ["those of a provider", model(undefined), ["anthropic/a"]],
      ["one model's", model("a"), ["anthropic/a", "openai/b:c", "openai/undefined"]],
    ])("a reset holds for all instances: %s", async (_name, key, stillOpen) => {
      const { one, other } = bench();
      const keys = [model("a"), model("b:c"), model(undefined), model("a", "anthropic")];
      for (const each of keys) await one.end(each, "failure", 2);
      expect(await other.resetBreaker(key)).toBe(keys.length - stillOpen.length);
      expect(await other.resetBreaker(key)).toBe(0);
      const left = (await one.breakers())
        .filter(({ state }) => state !== "closed")
        .map(({ key: { provider, model: name } }) => `${provider}/${name}`);
      expect(left.toSorted()).toEqual([...stillOpen]);
      for (const each of keys)
        expect((await one.admit(each)).kind).toBe(stillOpen.includes(`${each.provider}/${each.model}`) ? "refused" : "pass");
    });

    test("opening one holds for all instances", async () => {
      const { one, other } = bench();
      await one.openBreaker(model("a"));
      expect(await other.admit(model("a"))).toMatchObject({ kind: "refused", retryAfterMs: 300_000 });
      expect(one.told).toEqual(["a closed → open: opened by hand"]);
    });
  });

  describe("while the store is away", () => {
    test("it decides by what it has seen and heard of, and says what it does", async () => {
      const { one, other, wait } = bench();
      await other.end(model("heard"), "failure", 2);
      await one.end(model("seen"), "failure");
      expect((await one.admit(model("heard"))).kind).toBe("refused");
      one.scripts.goAway();
      wait(100_000);
      expect(await one.admit(model("heard"))).toMatchObject({ kind: "refused", retryAfterMs: 200_000 });
      expect((await one.admit(model("seen"))).kind).toBe("pass");
      await one.end(model("seen"), "failure");
      expect(await one.admit(model("seen"))).toMatchObject({ kind: "refused", retryAfterMs: 300_000 });
      expect(new Set((await one.breakers()).map(({ key, state }) => `${key.model} ${state}`))).toEqual(
        new Set(["heard open", "seen open"]),
      );
      expect(one.told).toEqual(["seen closed → open: 2 failures within 120 s"]);
    });

    test("an answer that does not come is no error", async () => {
      const { one } = bench();
      one.scripts.loseAnswers("never");
      const verdict = await one.admit(model("a"));
      expect(verdict.kind).toBe("pass");
      expect(() => one.settle(verdict.ticket, "failure")).not.toThrow();
    });

    test("it hears of a probe that it may have become, and frees its place", async () => {
      const { one, other, wait } = bench();
      await other.end(model("a"), "failure", 2);
      wait(300_000);
      one.scripts.loseAnswers("late");
      await one.admit(model("a"));
      expect((await other.admit(model("a"))).kind).toBe("refused");
      await one.scripts.comeBack();
      expect(await other.admit(model("a"))).toMatchObject({ kind: "pass", ticket: { isProbe: true } });
    });

    test("failures of that time count when it is back, each once, and not when they are too old", async () => {
      const { one, other, wait } = bench({ settings: { ...SETTINGS, failureThreshold: 4 } });
      const early = await one.admit(model("a"));
      one.scripts.loseAnswers("late");
      one.settle(early.ticket, "failure");
      await one.breakers();
      one.scripts.goAway();
      wait(1_000);
      await one.end(model("a"), "failure");
      await one.end(model("old"), "failure");
      wait(118_999);
      await one.end(model("a"), "failure");
      wait(1);
      await one.scripts.comeBack();
      const views = await other.breakers();
      expect(views.find(({ key }) => key.model === "a")).toMatchObject({ state: "closed", failures: 2 });
      wait(1_000);
      expect((await other.breakers()).find(({ key }) => key.model === "old")?.failures ?? 0).toBe(0);
    });

    test("the result of a probe that could not be told closes when it is back", async () => {
      const { one, other, wait } = bench();
      await one.end(model("a"), "failure", 2);
      wait(300_000);
      const probe = await one.admit(model("a"));
      one.scripts.goAway();
      one.settle(probe.ticket, "success");
      expect((await one.admit(model("a"))).kind).toBe("pass");
      expect((await other.admit(model("a"))).kind).toBe("refused");
      await one.scripts.comeBack();
      expect((await other.admit(model("a"))).kind).toBe("pass");
    });

    test("a reset of that time holds for all when it is back", async () => {
      const { one, other } = bench();
      await one.end(model("a"), "failure", 2);
      one.scripts.goAway();
      expect(await one.resetBreaker(undefined)).toBe(1);
      expect((await one.admit(model("a"))).kind).toBe("pass");
      expect((await other.admit(model("a"))).kind).toBe("refused");
      await one.scripts.comeBack();
      expect((await other.admit(model("a"))).kind).toBe("pass");
    });

    test("when it is back, the store decides", async () => {
      const { one, other } = bench();
      await one.end(model("a"), "failure", 2);
      one.scripts.goAway();
      await other.resetBreaker(model("a"));
      expect((await one.admit(model("a"))).kind).toBe("refused");
      await one.scripts.comeBack();
      expect((await one.admit(model("a"))).kind).toBe("pass");
      one.scripts.goAway();
      expect((await one.admit(model("a"))).kind).toBe("pass");
    });
  });

  test("by the store's own clock", async () => {
    const { one, other } = bench({ ownClock: true });
    await one.end(model("a"), "failure", 2);
    const verdict = await other.admit(model("a"));
    expect(verdict.kind).toBe("refused");
    const retryAfterMs = verdict.kind === "refused" ? verdict.retryAfterMs : 0;
    expect(retryAfterMs).toBeGreaterThan(290_000);
    expect(retryAfterMs).toBeLessThanOrEqual(300_000);
  });

  test("everything that it keeps goes by itself, and lies under its prefix", async () => {
    const { one, prefix, wait } = bench({ openModels: 1 });
    await one.end(model("a"), "failure", 2);
    wait(300_000);
    await one.end(model("a"), "success");
    await one.end(model("b"), "failure");
    await one.end(model("c"), "global_rate_limit");
    await one.openBreaker(model("d"));
    const keys = (await redis.client.send("KEYS", [`{${prefix}}:*`])) as string[];
    expect(keys.length).toBeGreaterThan(5);
    const all = (await redis.client.send("DBSIZE", [])) as number;
    expect(all).toBeGreaterThanOrEqual(keys.length);
    for (const key of keys) expect(await redis.client.send("PTTL", [key])).toBeGreaterThan(0);
  });

  const KEYS: readonly BreakerKey[] = [model("a"), model("b"), model(undefined), model("a", "google")];
  const anyRun = fc
    .record({
      failureThreshold: fc.integer({ min: 1, max: 3 }),
      windowMs: fc.constantFrom(5_000, 120_000),
      cooldownMs: fc.constantFrom(1_000, 300_000),
      escalationMs: fc.constantFrom(0, 500, 60_000),
    })
    .chain((settings) =>
      fc.record({
        settings: fc.constant(settings),
        openModels: fc.nat(2),
        events: eventsFor(settings).chain((events) =>
          fc.tuple(
            ...events.map((event) =>
              fc.tuple(
                fc.constant<BreakerEvent>(event),
                fc.oneof({ weight: 3, arbitrary: fc.constant(model("a")) }, fc.constantFrom(...KEYS)),
              ),
            ),
          ),
        ),
      }),
    );

  test("the scripts do what the machine does", async () => {
    await fc.assert(
      fc.asyncProperty(anyRun, async ({ settings, openModels, events }) => {
        const scripts = testScripts(redis.client, `same-${prefixes++}`);
        const { failureThreshold, windowMs, cooldownMs, escalationMs } = settings;
        const numbers = [failureThreshold, windowMs, cooldownMs, escalationMs].map(String);
        const list = scripts.keyOf("circuits");
        const circuits = new Map<string, Circuit>();
        const tickets: { readonly key: BreakerKey; plain: Pick<BreakerTicket, "generation" | "isProbe"> }[] = [];
        let nowMs = START_MS;
        const clock = () => String(nowMs);
        for (const [index, [event, at]] of events.entries()) {
          const ticket = event.kind === "settle" ? tickets[event.which] : undefined;
          if (event.kind === "settle" && ticket === undefined) continue;
          const key = ticket?.key ?? at;
          const { name, member, hash, failures, cooling } = sharedCircuit(scripts, key);
          const circuit = circuits.get(name) ?? closedCircuit(0);
          switch (event.kind) {
            case "wait":
              nowMs += event.ms;
              break;
            case "admit": {
              const admission = admit(circuit, nowMs);
              circuits.set(name, admission.circuit);
              const isProbe = admission.kind === "pass" && admission.isProbe;
              const ofProvider = KEYS.filter(({ provider }) => provider === key.provider).flatMap((other) => {
                const found = circuits.get(sharedCircuit(scripts, other).name);
                return found === undefined ? [] : [{ key: other, circuit: found }];
              });
              const untilMs = admission.kind === "pass" && !isProbe ? providerOpenUntilMs(ofProvider, nowMs, openModels) : undefined;
              const retryAfterMs = admission.kind === "refused" ? admission.retryAfterMs : untilMs === undefined ? 0 : untilMs - nowMs;
              const { phase } = admission.circuit;
              const openForMs = phase.kind === "closed" ? -1 : phase.kind === "open" ? phase.untilMs - nowMs : 0;
              const answer = await scripts.run(ADMIT, [hash, cooling], [clock(), String(openModels), String(index)]);
              expect(answer).toEqual([
                admission.kind === "pass" && untilMs === undefined ? 1 : 0,
                isProbe ? 1 : 0,
                admission.circuit.generation,
                retryAfterMs,
                openForMs,
                admission.transition === undefined ? 0 : 1,
                circuit.rateLimited === undefined ? 0 : 1,
              ]);
              tickets.unshift({ key, plain: { generation: admission.circuit.generation, isProbe } });
              break;
            }
            case "settle": {
              if (ticket === undefined) break;
              const { generation, isProbe } = ticket.plain;
              const step = settle(circuit, ticket.plain, event.outcome, nowMs, settings);
              circuits.set(name, step.circuit);
              const answer = await scripts.run(
                SETTLE,
                [hash, failures, cooling, list],
                [clock(), "0", String(generation), isProbe ? "1" : "0", event.outcome, ...numbers, String(index), member, name],
              );
              const { from, to } = step.transition ?? {};
              expect((answer as number[])[0]).toBe(to === undefined ? 0 : to === "closed" ? 3 : from === "half_open" ? 2 : 1);
              if (circuit.generation === generation) ticket.plain = ticketAfter({ key, generation, isProbe }, event.outcome);
              break;
            }
            case "reset": {
              const before = sightOf(circuit, nowMs, settings);
              const limited = circuit.rateLimited !== undefined && nowMs - circuit.rateLimited.lastMs <= windowMs;
              const isQuiet = before.state === "closed" && before.failures === 0 && !limited;
              if (!isQuiet) circuits.set(name, reset(circuit).circuit);
              const answer = await scripts.run(RESET, [hash, failures, cooling, list], [clock(), String(windowMs), member, name]);
              expect(answer).toBe(isQuiet ? null : circuit.phase.kind);
              break;
            }
            case "open":
              circuits.set(name, open(circuit, nowMs, settings).circuit);
              expect(await scripts.run(OPEN, [hash, cooling, list], [clock(), String(cooldownMs), member, name])).toBe(circuit.phase.kind);
              break;
          }
          const expected = sightOf(circuits.get(name) ?? closedCircuit(0), nowMs, settings);
          const [view] = (await scripts.run(VIEW, [list, hash, failures], [clock(), String(windowMs), name])) as [
            number,
            string,
            number,
            number,
          ][];
          expect(view?.slice(1, 3)).toEqual([expected.state, expected.failures]);
          if (expected.cooldownUntilMs !== undefined) expect(view?.[3]).toBe(expected.cooldownUntilMs - nowMs);
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
