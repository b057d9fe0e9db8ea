import { describe, expect, test } from "bun:test";
import type { RouteSetting } from "../../src/config/route-settings.ts";
import type { CooldownView } from "../../src/core/cooldown.ts";
import type { CredentialReading } from "../../src/core/credential.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import type { BreakerView, CircuitState } from "../../src/core/state-store.ts";
import { type RouteSights, routeSights, type TargetSights } from "../../src/shell/route-states.ts";
import { routesOf } from "../../src/shell/routes.ts";
import type { Targets } from "../../src/shell/targets.ts";

const URLS = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, { kind: "url", base: `https://${name}.example` }])) as Targets;
const TARGETS: Targets = { ...URLS, databricks: { kind: "missing", variable: "DATABRICKS_HOST" } };
const UNTIL_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

type Told = Partial<Omit<TargetSights, "read" | "sourceState">> & {
  readonly reading?: CredentialReading;
  readonly targets?: Targets;
};

function sightsOf(routes: readonly RouteSetting[], told: Told = {}): RouteSights {
  const { circuits = [], breaker = "enforce", cooldowns = [], reading = READY, targets = TARGETS } = told;
  const made = routesOf({ routes, targets: {} }, targets);
  const state = reading.kind === "ready" ? "ready" : reading.reason;
  return routeSights(
    made.map((route, index) => ({ match: routes[index]?.match ?? {}, route })),
    {
      circuits,
      breaker,
      cooldowns,
      read: () => reading,
      sourceState: ({ kind }) => ({ source: kind, state, expires: null, detail: null }),
    },
  );
}

const READY: CredentialReading = {
  kind: "ready",
  credential: { kind: "api_key", secret: "sk-own", fingerprint: "f1", expiresWallMs: undefined },
};
const MISSING: CredentialReading = { kind: "unusable", reason: "missing", detail: "set it" };
const CREDENTIAL = { kind: "env", name: "KEY" } as const;

function circuit(provider: "openai" | "anthropic", model: string | undefined, state: CircuitState = "open"): BreakerView {
  return { key: { provider, model }, state, failures: 5, cooldownUntilWallMs: state === "closed" ? undefined : UNTIL_MS };
}

function cooldown(target: string, credential: string | undefined, untilWallMs = UNTIL_MS): CooldownView {
  return { key: { target, credential }, reason: "quota", untilWallMs };
}

const OPENAI = { provider: "openai", model: "gpt-4o" } as const;
const CLAUDE = { provider: "anthropic", model: "claude-sonnet-4-5", credential: CREDENTIAL } as const;
const BOTH: RouteSetting = { match: { provider: "openai" }, targets: [OPENAI, CLAUDE] };
const ANY_MODEL: RouteSetting = {
  match: { provider: "openai", model: "gpt-*" },
  targets: [{ provider: "openai" }, { provider: "openai", url: "https://eu.example/v1" }],
};

describe("targets of routes", () => {
  const CASES: readonly (readonly [string, RouteSetting, Told, readonly (string | undefined)[], boolean])[] = [
    ["can be asked while nothing has happened", BOTH, {}, [undefined, undefined], true],
    ["are passed over while their circuit is open", BOTH, { circuits: [circuit("openai", "gpt-4o")] }, ["circuit_open", undefined], true],
    ["are asked while it is only watched", BOTH, { circuits: [circuit("openai", "gpt-4o")], breaker: "log" }, [undefined, undefined], true],
    ["are asked where one is half open", BOTH, { circuits: [circuit("openai", "gpt-4o", "half_open")] }, [undefined, undefined], true],
    ["are asked where another model's is open", BOTH, { circuits: [circuit("openai", "gpt-5")] }, [undefined, undefined], true],
    [
      "are all passed over where all circuits are open",
      BOTH,
      { circuits: [circuit("openai", "gpt-4o"), circuit("anthropic", "claude-sonnet-4-5")] },
      ["circuit_open", "circuit_open"],
      false,
    ],
    ["are passed over without their credential", BOTH, { reading: MISSING }, [undefined, "credential_missing"], true],
    [
      "are passed over while their own credential cools down",
      BOTH,
      { cooldowns: [cooldown("anthropic/claude-sonnet-4-5", "f1")] },
      [undefined, "cooldown"],
      true,
    ],
    ["are asked with a new credential", BOTH, { cooldowns: [cooldown("anthropic/claude-sonnet-4-5", "f0")] }, [undefined, undefined], true],
    [
      "are asked with other clients' keys than the one that cools down",
      { match: {}, targets: [OPENAI] },
      { cooldowns: [cooldown("openai/gpt-4o", "c1")] },
      [undefined],
      true,
    ],
    [
      "are passed over where they are asked without a key and cool down",
      { match: { provider: "anthropic" }, targets: [OPENAI] },
      { cooldowns: [cooldown("openai/gpt-4o", undefined)] },
      ["cooldown"],
      false,
    ],
    ["are passed over where nobody knows where they are", { match: {}, targets: [{ provider: "databricks" }] }, {}, ["no_upstream"], false],
    [
      "need no credential where the built-in provider answers",
      { match: {}, targets: [CLAUDE] },
      { reading: MISSING, targets: { ...URLS, anthropic: { kind: "simulated" } } },
      [undefined],
      true,
    ],
    [
      "serve other models where the circuit of one is open",
      ANY_MODEL,
      { circuits: [circuit("openai", "gpt-4o"), circuit("openai", "gpt-5@eu.example")] },
      [undefined, undefined],
      true,
    ],
    [
      "leave a model without a target where all their circuits of it are open",
      ANY_MODEL,
      { circuits: [circuit("openai", "gpt-4o"), circuit("openai", "gpt-4o@eu.example")] },
      [undefined, undefined],
      false,
    ],
    [
      "have nothing to do with models that go elsewhere",
      ANY_MODEL,
      { circuits: [circuit("openai", "o3"), circuit("openai", "o3@eu.example")] },
      [undefined, undefined],
      true,
    ],
    [
      "leave requests of unknown models without a target",
      { ...ANY_MODEL, match: {} },
      { circuits: [circuit("openai", undefined), circuit("openai", "@eu.example")] },
      [undefined, undefined],
      false,
    ],
  ];
  test.each(CASES)("%s", (_, route, told, passedOver, isServed) => {
    const [state] = sightsOf([route], told).states;
    expect(state?.targets.map((target) => target.passedOver)).toEqual([...passedOver]);
    expect(state?.isServed).toBe(isServed);
  });

  test("tell circuit, cooldown and credential as they are", () => {
    const [state] = sightsOf([BOTH], {
      circuits: [circuit("anthropic", "claude-sonnet-4-5")],
      cooldowns: [
        cooldown("openai/gpt-4o", "c1"),
        cooldown("openai/gpt-4o", "c2", UNTIL_MS + 1),
        cooldown("openai/gpt-4o", "c3", UNTIL_MS - 1),
      ],
    }).states;
    expect(state?.targets).toEqual([
      {
        name: "openai/gpt-4o",
        circuit: { state: "closed", failures: 0, cooldownUntilWallMs: undefined },
        cooldown: { reason: "quota", untilWallMs: UNTIL_MS + 1 },
        credential: undefined,
        passedOver: undefined,
      },
      {
        name: "anthropic/claude-sonnet-4-5",
        circuit: { state: "open", failures: 5, cooldownUntilWallMs: UNTIL_MS },
        cooldown: undefined,
        credential: { kind: "env", source: "env", state: "ready", expires: null, detail: null },
        passedOver: "circuit_open",
      },
    ]);
    expect(sightsOf([BOTH], { breaker: "off" }).states[0]?.targets[0]?.circuit).toBeUndefined();
  });

  test("a circuit is told as a route's where one of its targets has it", () => {
    const circuits = [
      circuit("openai", "gpt-4o"),
      circuit("openai", "gpt-5"),
      circuit("openai", "gpt-4o@eu.example"),
      circuit("openai", "o3"),
      circuit("anthropic", "claude-sonnet-4-5"),
    ];
    expect([...sightsOf([BOTH], { circuits }).openCircuits]).toEqual([circuits[0], circuits[4]].flatMap((each) => each ?? []));
    expect([...sightsOf([ANY_MODEL], { circuits }).openCircuits]).toEqual(circuits.slice(0, 3));
    expect(sightsOf([], { circuits }).openCircuits.size).toBe(0);
  });
});
