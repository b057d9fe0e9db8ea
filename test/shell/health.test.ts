import { describe, expect, test } from "bun:test";
import { PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import type { BreakerView, CircuitState, StoreHealth } from "../../src/core/state-store.ts";
import { healthOf, type LedgerHealth } from "../../src/shell/health.ts";
import type { RouteSights, RouteTargetState } from "../../src/shell/route-states.ts";
import type { Targets } from "../../src/shell/targets.ts";

const SIMULATED = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, { kind: "simulated" }])) as Targets;
const MEMORY: StoreHealth = { kind: "memory", isUp: true, instances: 1, detail: undefined };
const NO_ROUTES: RouteSights = { states: [], openCircuits: new Set() };
const UNTIL_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function view(state: CircuitState, changes: Partial<BreakerView> = {}): BreakerView {
  const cooldownUntilWallMs = state === "closed" ? undefined : UNTIL_MS;
  return { key: { provider: "openai", model: "m" }, state, failures: 1, cooldownUntilWallMs, ...changes };
}

function told(
  circuits: readonly BreakerView[],
  changes: {
    targets?: Targets;
    breaker?: "off" | "log" | "enforce";
    ledger?: LedgerHealth;
    reached?: ReadonlyMap<ProviderName, boolean>;
    routes?: RouteSights;
    store?: StoreHealth;
  } = {},
) {
  const all = { targets: SIMULATED, breaker: "enforce", ledger: undefined, reached: new Map(), routes: NO_ROUTES, store: MEMORY } as const;
  return healthOf({ ...all, circuits, ...changes });
}

describe("health", () => {
  const key = (model: string | undefined) => ({ provider: "openai", model }) as const;
  const CASES: readonly (readonly [string, readonly BreakerView[], boolean, object])[] = [
    ["no circuit", [], true, { circuit_state: "closed", circuit_failures: 0, circuit_cooldown_until: null }],
    [
      "one with failures",
      [view("closed", { failures: 3 })],
      true,
      { circuit_state: "closed", circuit_failures: 3, circuit_cooldown_until: null },
    ],
    [
      "one that is tried again",
      [view("half_open"), view("closed", { key: key("n") })],
      true,
      { circuit_state: "half_open", circuit_failures: 2, circuit_cooldown_until: "2026-01-02T03:04:05.000Z" },
    ],
    [
      "the worst of several, until the last of them",
      [view("closed"), view("open", { key: key("n"), cooldownUntilWallMs: UNTIL_MS + 1_000 }), view("open", { key: key(undefined) })],
      false,
      { circuit_state: "open", circuit_failures: 3, circuit_cooldown_until: "2026-01-02T03:04:06.000Z" },
    ],
  ];
  test.each(CASES)("tells %s", (_, circuits, isHealthy, openai) => {
    const answer = told(circuits);
    expect(answer.isHealthy).toBe(isHealthy);
    expect(answer.report.status).toBe(isHealthy ? "ok" : "degraded");
    expect(answer.report.providers.openai).toMatchObject(openai);
    expect(answer.report.providers.anthropic).toMatchObject({ circuit_state: "closed", circuit_failures: 0 });
  });

  test("tells each model, whatever its name, and the circuit of unknown ones only in the sum", () => {
    const circuits = [
      view("open", { key: key("__proto__") }),
      view("closed", { key: key("a/b") }),
      view("closed", { key: key(undefined), failures: 5 }),
    ];
    const { models, circuit_failures } = told(circuits).report.providers.openai as { models: object; circuit_failures: number };
    expect(Object.keys(models)).toEqual(["__proto__", "a/b"]);
    expect(JSON.parse(JSON.stringify(models))["a/b"]).toMatchObject({ circuit_state: "closed" });
    expect(circuit_failures).toBe(7);
  });

  test("an open circuit that is only watched makes nothing unhealthy", () => {
    const { isHealthy, report } = told([view("open")], { breaker: "log" });
    expect([isHealthy, report.status]).toEqual([true, "ok"]);
    expect(report.providers.openai).toMatchObject({ circuit_state: "open" });
  });

  test("says nothing of circuits where there is no breaker", () => {
    expect(told([], { breaker: "off" }).report.providers.openai).toEqual({ host: "simulated", configured: true, reachable: null });
  });

  test("tells hosts, and nothing else that stands in an address", () => {
    const targets = {
      ...SIMULATED,
      openai: { kind: "url", base: "https://user:secret@api.example:8443/secret/path" },
      anthropic: { kind: "missing", variable: "X" },
    } as Targets;
    const { report } = told([], { targets, breaker: "off" });
    expect(report.providers.openai).toEqual({ host: "api.example:8443", configured: true, reachable: null });
    expect(report.providers.anthropic).toEqual({ host: null, configured: false, reachable: null });
    expect(JSON.stringify(report)).not.toContain("secret");
  });

  test("tells whether a target answered when it was last asked; that alone does not make it unhealthy", () => {
    const { isHealthy, report } = told([], { reached: new Map([["openai", false] as const, ["google", true] as const]) });
    expect(isHealthy).toBe(true);
    const reachable = ({ openai, google, anthropic }: Readonly<Record<string, object>>) =>
      [openai, google, anthropic].map((provider) => provider && "reachable" in provider && provider.reachable);
    expect(reachable(report.providers)).toEqual([false, true, null]);
  });

  test("tells store and ledger; neither makes it unhealthy", () => {
    const away: StoreHealth = { kind: "redis", isUp: false, instances: 2, detail: "no answer" };
    const ledger = { isUp: false, detail: "no room", pending: 4 };
    const { isHealthy, report } = told([], { store: away, ledger });
    expect(isHealthy).toBe(true);
    expect(report.store).toEqual({ kind: "redis", up: false, instances: 2, detail: "no answer" });
    expect(report.ledger).toEqual({ up: false, pending: 4, detail: "no room" });
    expect(told([]).report.ledger).toBeNull();
  });

  describe("of routes", () => {
    const target = (changes: Partial<RouteTargetState> = {}): RouteTargetState => ({
      name: "openai/gpt-4o",
      circuit: { state: "closed", failures: 0, cooldownUntilWallMs: undefined },
      cooldown: undefined,
      credential: undefined,
      passedOver: undefined,
      ...changes,
    });
    const EXPIRED = {
      kind: "file",
      source: "file /home/me/secret-place/key",
      state: "expired",
      expires: "2026-01-02T03:00:00Z",
      detail: "the file /home/me/secret-place/key holds a token that expired",
    } as const;
    const sights = (isServed: boolean, ...targets: readonly RouteTargetState[]): RouteSights => ({
      states: [{ match: { model: "gpt-*" }, targets, isServed }],
      openCircuits: new Set(),
    });

    test("is nothing where there are none", () => {
      expect(told([]).report).not.toHaveProperty("routes");
    });

    test("is each target with its circuit, its cooldown and the kind and state of its credential, and neither place nor detail", () => {
      const cooling = target({ cooldown: { reason: "quota", untilWallMs: UNTIL_MS }, passedOver: "cooldown" });
      const expired = target({ name: "anthropic", credential: EXPIRED, passedOver: "credential_expired" });
      const { isHealthy, report } = told([], { routes: sights(true, cooling, expired, target({ name: "openai" })) });
      expect(isHealthy).toBe(true);
      expect(report.routes).toEqual([
        {
          match: { model: "gpt-*" },
          targets: [
            {
              name: "openai/gpt-4o",
              circuit_state: "closed",
              cooldown: { reason: "quota", until: "2026-01-02T03:04:05.000Z" },
              credential: null,
              passed_over: "cooldown",
            },
            {
              name: "anthropic",
              circuit_state: "closed",
              cooldown: null,
              credential: { source: "file", state: "expired" },
              passed_over: "credential_expired",
            },
            { name: "openai", circuit_state: "closed", cooldown: null, credential: null, passed_over: null },
          ],
        },
      ]);
      expect(JSON.stringify(report)).not.toContain("secret-place");
    });

    test("makes it unhealthy where a route has no target left", () => {
      const { isHealthy, report } = told([], { routes: sights(false, target({ passedOver: "cooldown" })) });
      expect([isHealthy, report.status]).toEqual([false, "degraded"]);
    });

    test("an open circuit of a route's target is no more than that", () => {
      const [ofRoute, other] = [view("open"), view("open", { key: key("other") })];
      const routes = { ...sights(true, target()), openCircuits: new Set([ofRoute]) };
      expect(told([ofRoute], { routes }).isHealthy).toBe(true);
      expect(told([ofRoute, other], { routes }).isHealthy).toBe(false);
    });
  });
});
