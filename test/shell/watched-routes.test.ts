import { describe, expect, test } from "bun:test";
import type { RouteSetting } from "../../src/config/route-settings.ts";
import type { GatewayFacts } from "../../src/core/event.ts";
import type { Tried } from "../../src/core/gateway.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { createCooldowns } from "../../src/shell/cooldowns.ts";
import { routesOf } from "../../src/shell/routes.ts";
import type { Targets } from "../../src/shell/targets.ts";
import { createWatchedRoutes } from "../../src/shell/watched-routes.ts";
import { fakeClock } from "../support.ts";
import { exchangeEvent } from "./support.ts";

const TARGETS = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, { kind: "url", base: `https://${name}.example` }])) as Targets;
const ROUTE: RouteSetting = {
  match: {},
  targets: [{ provider: "openai", model: "gpt-4o" }, { provider: "openai", url: "https://eu.example/v1" }, { provider: "anthropic" }],
};

function watched() {
  const credentials = { read: () => ({ kind: "unusable", reason: "missing", detail: "" }) as const, states: () => [] };
  const routes = createWatchedRoutes(
    createCooldowns(fakeClock(), () => {}),
    credentials,
  );
  routes.set([ROUTE], routesOf({ routes: [ROUTE], targets: {} }, TARGETS), "enforce");
  return routes;
}

const GATEWAY: GatewayFacts = {
  stream: false,
  attempts: 1,
  failure: null,
  answeredModel: null,
  firstTokenMs: null,
  usage: null,
  costUsd: null,
  key: null,
  user: null,
  reached: null,
  answeredBy: null,
  tried: [],
  limit: null,
};

describe("whether a provider's target responded when it was last asked", () => {
  const tried = (target: string, status: number | undefined, attempts = 1): Tried => ({
    ...{ target, status, attempts, failure: undefined, reason: undefined, durationMs: 1 },
  });
  const CASES: readonly (readonly [string, Partial<GatewayFacts>, Readonly<Record<string, boolean>>])[] = [
    ["is not known of a request that asked nobody", {}, {}],
    ["is the provider's own without a route", { reached: false }, { google: false }],
    [
      "is that of each target of a route",
      { reached: true, tried: [tried("openai/gpt-4o", undefined), tried("anthropic", 200)] },
      { openai: false, anthropic: true },
    ],
    [
      "is what is known of the last, whatever became of its answer",
      { reached: true, tried: [tried("openai/gpt-4o", 503), tried("anthropic", undefined)] },
      { openai: true, anthropic: true },
    ],
    ["says nothing of targets that were passed over", { reached: true, tried: [tried("openai/gpt-4o", undefined, 0)] }, {}],
    ["says nothing of another host with the same API", { reached: false, tried: [tried("openai@eu.example", undefined)] }, {}],
    ["says nothing of targets that no route has any more", { reached: false, tried: [tried("gone", undefined)] }, {}],
  ];
  test.each(CASES)("%s", (_, gateway, expected) => {
    const routes = watched();
    routes.note(exchangeEvent(1, { provider: "google", gateway: { ...GATEWAY, ...gateway } }));
    expect(Object.fromEntries(routes.reached)).toEqual(expected);
  });
});

test("routes that are gone are not seen any more", () => {
  const routes = watched();
  expect(routes.sights([]).states.map(({ targets }) => targets.map(({ name }) => name))).toEqual([
    ["openai/gpt-4o", "openai@eu.example", "anthropic"],
  ]);
  routes.set([], [], "off");
  expect(routes.sights([])).toEqual({ states: [], openCircuits: new Set() });
});
