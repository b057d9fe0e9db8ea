import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BreakerOutcome, BreakerTicket } from "../../src/core/state-store.ts";
import {
  admit,
  type BreakerSettings,
  type Circuit,
  circuitKey,
  closedCircuit,
  isQuiet,
  open,
  PROBE_MS_MAX,
  PROBE_RETRY_AFTER_MS,
  reset,
  settle,
  sightOf,
  ticketAfter,
} from "../../src/policy/breaker.ts";
import { anyRun } from "./breaker-events.ts";
import { createBreakerModel, type ModelTicket } from "./breaker-model.ts";

const SETTINGS: BreakerSettings = { failureThreshold: 3, windowMs: 120_000, cooldownMs: 300_000, escalationMs: 60_000 };
const KEY = { provider: "openai", model: "gpt-4o" } as const;

/** A circuit with a clock that the test moves. */
function bench(settings = SETTINGS) {
  let circuit = closedCircuit(0);
  let nowMs = 1_000_000;
  const told: string[] = [];
  const take = (step: { readonly circuit: Circuit; readonly transition: { from: string; to: string; reason: string } | undefined }) => {
    circuit = step.circuit;
    if (step.transition !== undefined) told.push(`${step.transition.from} → ${step.transition.to}: ${step.transition.reason}`);
  };
  return {
    told,
    wait: (ms: number) => {
      nowMs += ms;
    },
    ask() {
      const admission = admit(circuit, nowMs);
      take(admission);
      const ticket: BreakerTicket = { key: KEY, generation: circuit.generation, isProbe: admission.kind === "pass" && admission.isProbe };
      return { ...admission, ticket };
    },
    settle(ticket: BreakerTicket, outcome: BreakerOutcome) {
      take(settle(circuit, ticket, outcome, nowMs, settings));
      return ticketAfter(ticket, outcome);
    },
    /** Asks and ends so, `times` times. */
    end(outcome: BreakerOutcome, times = 1) {
      for (let i = 0; i < times; i++) this.settle(this.ask().ticket, outcome);
    },
    reset: () => take(reset(circuit)),
    open: () => take(open(circuit, nowMs, settings)),
    sight: () => sightOf(circuit, nowMs, settings),
    circuit: () => circuit,
    isQuiet: () => isQuiet(circuit, nowMs, settings),
  };
}

describe("opening", () => {
  test("the threshold of failures within the window opens it, whatever succeeded between", () => {
    const at = bench();
    at.end("failure");
    at.end("success");
    at.wait(60_000);
    at.end("failure");
    at.end("success", 5);
    expect(at.sight()).toEqual({ state: "closed", failures: 2, cooldownUntilMs: undefined });
    at.end("failure");
    expect(at.sight()).toEqual({ state: "open", failures: 3, cooldownUntilMs: 1_360_000 });
    expect(at.told).toEqual(["closed → open: 3 failures within 120 s"]);
  });

  test("failures that have left the window do not count", () => {
    const at = bench();
    at.end("failure", 2);
    at.wait(120_000);
    at.end("failure", 2);
    expect(at.sight().state).toBe("closed");
    at.end("failure");
    expect(at.sight().state).toBe("open");
  });

  test("what says nothing of the target does nothing", () => {
    const at = bench();
    at.end("neutral", 20);
    expect(at.circuit()).toEqual(closedCircuit(0));
  });

  test("while it is open everything is refused, and told how long", () => {
    const at = bench();
    at.end("failure", 3);
    at.wait(100_000);
    expect(at.ask()).toMatchObject({ kind: "refused", retryAfterMs: 200_000 });
    at.wait(199_999);
    expect(at.ask()).toMatchObject({ kind: "refused", retryAfterMs: 1 });
  });

  test("results of requests that began before it opened change nothing", () => {
    const at = bench();
    const early = [at.ask().ticket, at.ask().ticket];
    at.end("failure", 3);
    const before = at.circuit();
    for (const ticket of early) at.settle(ticket, "success");
    for (const ticket of early) at.settle(ticket, "failure");
    expect(at.circuit()).toBe(before);
  });
});

describe("probing", () => {
  function due() {
    const at = bench();
    at.end("failure", 3);
    at.wait(300_000);
    return at;
  }

  test("after the cooldown exactly one request passes", () => {
    const at = due();
    expect(at.sight()).toMatchObject({ state: "half_open" });
    expect(at.ask()).toMatchObject({ kind: "pass", isProbe: true });
    expect(at.ask()).toMatchObject({ kind: "refused", retryAfterMs: PROBE_RETRY_AFTER_MS });
    expect(at.told.at(-1)).toBe("open → half_open: the cooldown is over");
  });

  test("its success closes, and nothing of before counts", () => {
    const at = due();
    at.end("success");
    expect(at.sight()).toEqual({ state: "closed", failures: 0, cooldownUntilMs: undefined });
    at.end("failure", 2);
    expect(at.sight().state).toBe("closed");
    expect(at.told.at(-1)).toBe("half_open → closed: the probe succeeded");
  });

  test("its failure opens for another cooldown", () => {
    const at = due();
    at.end("failure");
    expect(at.sight()).toEqual({ state: "open", failures: 1, cooldownUntilMs: 1_600_000 });
    expect(at.told.at(-1)).toBe("half_open → open: the probe failed");
  });

  test("a probe whose client hangs up frees its place", () => {
    const at = due();
    at.end("neutral");
    expect(at.sight().state).toBe("half_open");
    expect(at.ask()).toMatchObject({ kind: "pass", isProbe: true });
    expect(at.ask()).toMatchObject({ kind: "refused" });
  });

  test("a probe that nobody settles frees its place in the end, and its late result counts for nothing", () => {
    const at = due();
    const lost = at.ask().ticket;
    at.wait(PROBE_MS_MAX - 1);
    expect(at.ask()).toMatchObject({ kind: "refused", retryAfterMs: 1 });
    at.wait(1);
    const next = at.ask();
    expect(next).toMatchObject({ kind: "pass", isProbe: true });
    at.settle(lost, "success");
    expect(at.sight().state).toBe("half_open");
    at.settle(next.ticket, "success");
    expect(at.sight().state).toBe("closed");
  });

  test("who was refused and went on all the same decides nothing", () => {
    const at = due();
    const probe = at.ask();
    const other = at.ask();
    at.settle(other.ticket, "success");
    at.settle(other.ticket, "failure");
    expect(at.sight().state).toBe("half_open");
    at.settle(probe.ticket, "success");
    at.settle(other.ticket, "failure");
    expect(at.sight()).toMatchObject({ state: "closed", failures: 0 });
  });

  test("after its success the probe is an ordinary request of the closed circuit", () => {
    const at = due();
    let { ticket } = at.ask();
    ticket = at.settle(ticket, "success");
    expect(ticket.isProbe).toBe(false);
    at.settle(ticket, "failure");
    expect(at.sight()).toMatchObject({ state: "closed", failures: 1 });
  });

  test("a probe that is settled twice counts once", () => {
    const at = due();
    const { ticket } = at.ask();
    at.settle(ticket, "neutral");
    at.settle(ticket, "failure");
    expect(at.sight().state).toBe("half_open");
  });
});

describe("global rate limits", () => {
  test("are failures only when they have lasted, counted over all requests", () => {
    const at = bench();
    for (let i = 0; i < 6; i++) {
      at.end("global_rate_limit");
      at.wait(10_000);
    }
    expect(at.sight()).toMatchObject({ state: "closed", failures: 0 });
    at.end("global_rate_limit", 2);
    expect(at.sight()).toMatchObject({ state: "closed", failures: 2 });
    at.end("global_rate_limit");
    expect(at.sight().state).toBe("open");
  });

  test("a success between begins anew", () => {
    const at = bench();
    at.end("global_rate_limit");
    at.wait(59_000);
    at.end("success");
    at.end("global_rate_limit");
    at.wait(59_000);
    at.end("global_rate_limit");
    expect(at.sight().failures).toBe(0);
    at.wait(1_000);
    at.end("global_rate_limit");
    expect(at.sight().failures).toBe(1);
  });

  test("so does a pause longer than the window", () => {
    const at = bench();
    at.end("global_rate_limit");
    at.wait(120_001);
    at.end("global_rate_limit");
    expect(at.sight().failures).toBe(0);
    at.wait(120_000);
    at.end("global_rate_limit");
    expect(at.sight().failures).toBe(1);
  });

  test("a probe that meets one frees its place; where they last, it has failed", () => {
    const at = bench({ ...SETTINGS, failureThreshold: 1, cooldownMs: 1_000 });
    at.end("failure");
    at.wait(1_000);
    at.end("global_rate_limit");
    expect(at.sight().state).toBe("half_open");
    at.wait(60_000);
    at.end("global_rate_limit");
    expect(at.sight().state).toBe("open");
  });
});

describe("by hand", () => {
  test("a reset closes, forgets, and makes earlier results count for nothing", () => {
    const at = bench();
    at.end("failure", 2);
    const early = at.ask().ticket;
    at.open();
    at.reset();
    at.settle(early, "failure");
    expect(at.isQuiet()).toBe(true);
    at.end("failure", 2);
    expect(at.sight().state).toBe("closed");
    expect(at.told).toEqual(["closed → open: opened by hand", "open → closed: reset by hand"]);
  });

  test("opening lasts a cooldown, and anew when done again", () => {
    const at = bench();
    at.open();
    at.wait(299_999);
    at.open();
    at.wait(299_999);
    expect(at.ask().kind).toBe("refused");
    at.wait(1);
    expect(at.ask()).toMatchObject({ kind: "pass", isProbe: true });
    expect(at.told.filter((line) => line.includes("by hand"))).toHaveLength(1);
  });
});

test("the machine does what the plain model says, and its promises hold", () => {
  fc.assert(
    fc.property(anyRun, ({ settings, events }) => {
      const model = createBreakerModel(settings);
      const tickets: { real: BreakerTicket; model: ModelTicket }[] = [];
      let circuit = closedCircuit(7);
      let nowMs = 5_000_000;
      const check = () => {
        const sight = sightOf(circuit, nowMs, settings);
        expect(sight.state).toBe(model.stateAt(nowMs));
        expect(sight.failures).toBe(model.failuresAt(nowMs));
        expect(sight.cooldownUntilMs).toBe(model.cooldownUntilMs());
        expect(circuit.failuresMs.length).toBeLessThanOrEqual(settings.failureThreshold);
      };
      for (const event of events) {
        const before = circuit;
        const stateBefore = sightOf(circuit, nowMs, settings).state;
        switch (event.kind) {
          case "wait":
            nowMs += event.ms;
            break;
          case "admit": {
            const wasProbing = model.isProbing(nowMs);
            const expected = model.admit(nowMs);
            const admission = admit(circuit, nowMs);
            circuit = admission.circuit;
            const isProbe = admission.kind === "pass" && admission.isProbe;
            expect(admission.kind).toBe(expected.passes ? "pass" : "refused");
            expect(isProbe).toBe(expected.ticket.isProbe);
            if (admission.kind === "refused") expect(admission.retryAfterMs).toBe(expected.retryAfterMs);
            if (stateBefore === "open") expect(admission.kind).toBe("refused");
            if (wasProbing) expect(admission.kind).toBe("refused");
            tickets.unshift({ real: { key: KEY, generation: circuit.generation, isProbe }, model: expected.ticket });
            break;
          }
          case "settle": {
            const ticket = tickets[event.which];
            if (ticket === undefined) break;
            circuit = settle(circuit, ticket.real, event.outcome, nowMs, settings).circuit;
            if (ticket.real.generation !== before.generation) expect(circuit).toBe(before);
            ticket.model = model.settle(ticket.model, event.outcome, nowMs);
            // Where the result came too late, so does all that follows.
            if (ticket.real.generation === before.generation) ticket.real = ticketAfter(ticket.real, event.outcome);
            break;
          }
          case "reset":
            circuit = reset(circuit).circuit;
            model.reset();
            break;
          case "open":
            circuit = open(circuit, nowMs, settings).circuit;
            model.open(nowMs);
            break;
        }
        expect(circuit.generation).toBeGreaterThanOrEqual(before.generation);
        if (circuit.phase.kind !== before.phase.kind) expect(circuit.generation).toBeGreaterThan(before.generation);
        check();
      }
    }),
    { numRuns: 2_000 },
  );
});

test("of a model's name no more is kept than names have", () => {
  expect(circuitKey(KEY)).toBe(KEY);
  expect(circuitKey({ provider: "openai", model: "x".repeat(100_000) }).model?.length).toBe(256);
});
