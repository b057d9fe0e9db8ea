import { describe, expect, test } from "bun:test";
import { ROUTE_DEFAULTS, ROUTE_TARGET_DEFAULTS, type RouteSetting, type RouteTargetSetting } from "../../src/config/route-settings.ts";
import type { Target } from "../../src/core/ports.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { createCooldowns } from "../../src/shell/cooldowns.ts";
import { routesOf } from "../../src/shell/routes.ts";
import type { Targets } from "../../src/shell/targets.ts";
import { fakeClock } from "../support.ts";

const USUAL: Target = { kind: "url", base: "https://usual.example", timeoutMs: 7_000, proxy: "http://proxy.example" };
const TARGETS = Object.fromEntries(
  PROVIDER_NAMES.map((name) => [name, name === "databricks" ? { kind: "missing", variable: "X" } : USUAL]),
) as Targets;

function routeOf(route: Partial<RouteSetting> = {}, ...targets: readonly RouteTargetSetting[]) {
  const [made] = routesOf(
    { routes: [{ match: {}, targets: targets.length === 0 ? [{ provider: "openai" }] : targets, ...route }], targets: {} },
    TARGETS,
  );
  if (made === undefined) throw new Error("no route");
  return made;
}

describe("a route", () => {
  test.each([
    [{}, true],
    [{ provider: "open*" }, true],
    [{ provider: "anthropic" }, false],
    [{ model: "GPT-4*" }, true],
    [{ model: "o3" }, false],
    [{ path: "/v1/chat/*" }, true],
    [{ path: "/v1/messages" }, false],
    [{ provider: "openai", model: "gpt-4o", path: "*completions" }, true],
    [{ provider: "openai", model: "o3", path: "*" }, false],
  ])("takes care of what all its globs match: %j", (match, is) => {
    expect(routeOf({ match }).matches({ provider: "openai", model: "gpt-4o", path: "/v1/chat/completions" })).toBe(is);
  });

  test("without a model is one of any model", () => {
    const request = { provider: "openai", model: undefined, path: "/v1/files" } as const;
    expect([routeOf({ match: { model: "*" } }).matches(request), routeOf({ match: { model: "gpt*" } }).matches(request)]).toEqual([
      true,
      false,
    ]);
  });

  test("has the defaults where nothing else is said", () => {
    const route = routeOf();
    expect(route).toMatchObject({
      timeoutMs: ROUTE_DEFAULTS.timeoutMs,
      rescue: "none",
      isBuffered: false,
      passesContentFilter: false,
      waitMsMax: ROUTE_DEFAULTS.maxWaitMs,
      cooldownMs: ROUTE_DEFAULTS.cooldownMs,
      cooldownMsMax: ROUTE_DEFAULTS.cooldownMaxMs,
      hold: { framesMax: 256, bytesMax: 262_144, msMax: 0 },
    });
    expect(route.targets[0]).toMatchObject({
      firstTokenMs: ROUTE_TARGET_DEFAULTS.firstTokenTimeoutMs,
      idleMs: ROUTE_TARGET_DEFAULTS.idleTimeoutMs,
    });
    expect(routeOf({ hold: { frames: 3 } }).hold).toEqual({ framesMax: 3, bytesMax: 262_144, msMax: 0 });
  });
});

describe("a target", () => {
  test("is called by what it is, and by a number where another is called so", () => {
    const names = routeOf(
      {},
      { provider: "openai" },
      { provider: "openai", model: "gpt-4o" },
      { provider: "openai", model: "gpt-4o", url: "https://eu.example:8443/v1" },
      { provider: "openai", model: "gpt-4o", retries: 0 },
      { provider: "anthropic", url: "simulated" },
    ).targets.map(({ name }) => name);
    expect(names).toEqual(["openai", "openai/gpt-4o", "openai/gpt-4o@eu.example:8443", "openai/gpt-4o#2", "anthropic@simulated"]);
  });

  test("without a URL is where its provider's requests go", () => {
    expect(routeOf({}, { provider: "openai" }).targets[0]?.to).toEqual(USUAL);
    expect(routeOf({}, { provider: "openai", timeoutMs: 0 }).targets[0]?.to).toEqual({ ...USUAL, timeoutMs: 0 });
    expect(routeOf({}, { provider: "databricks" }).targets[0]?.to).toEqual({ kind: "missing", variable: "X" });
  });

  test.each([
    ["openai", "https://eu.example", "https://eu.example", false],
    ["openai", "https://eu.example/v1", "https://eu.example/v1", true],
    ["openai", "https://eu.example/openai/v1/", "https://eu.example/openai/v1", true],
    ["openai", "https://eu.example/proxy", "https://eu.example/proxy", false],
    ["openrouter", "https://eu.example/api/v1", "https://eu.example/api/v1", true],
    ["google", "https://eu.example/v1beta/openai", "https://eu.example/v1beta/openai", true],
    ["databricks", "https://w.example/serving-endpoints", "https://w.example", false],
  ] as const)("of %s at %s is asked below the root that was written", (provider, url, base, isBackend) => {
    const to = routeOf({}, { provider, url }).targets[0]?.to;
    expect(to).toMatchObject({ kind: "url", base });
    expect(to?.kind === "url" && to.isBackend === true).toBe(isBackend);
  });
});

describe("a cooldown", () => {
  const key = { target: "a", credential: "1" };
  const open = () => {
    const told: unknown[] = [];
    const clock = fakeClock();
    return { told, clock, cooldowns: createCooldowns(clock, ({ target, reason }) => told.push([target, reason ?? null])) };
  };

  test("holds for its time, for that credential alone", async () => {
    const { cooldowns, clock } = open();
    cooldowns.enter(key, "quota", 1_000);
    expect(cooldowns.of(key)).toEqual({ reason: "quota", leftMs: 1_000 });
    expect(cooldowns.of({ ...key, credential: "2" })).toBeUndefined();
    expect(cooldowns.of({ ...key, credential: undefined })).toBeUndefined();
    expect(cooldowns.all()).toEqual([{ key, reason: "quota", untilWallMs: clock.wallMs() + 1_000 }]);
    await clock.sleep(1_000, new AbortController().signal);
    expect([cooldowns.of(key), cooldowns.all()]).toEqual([undefined, []]);
  });

  test("is ended by a success, and told so once", () => {
    const { cooldowns, told, clock } = open();
    cooldowns.enter(key, "auth", 1_000);
    cooldowns.succeeded(key, clock.monotonicMs());
    cooldowns.succeeded(key, clock.monotonicMs());
    expect([cooldowns.of(key), told]).toEqual([
      undefined,
      [
        ["a", "auth"],
        ["a", null],
      ],
    ]);
  });

  test("is not ended by an answer that was asked for before it", async () => {
    const { cooldowns, clock } = open();
    const askedMs = clock.monotonicMs();
    await clock.sleep(10, new AbortController().signal);
    cooldowns.enter(key, "quota", 1_000);
    cooldowns.succeeded(key, askedMs);
    expect(cooldowns.of(key)).toBeDefined();
  });

  test("is ended by a command: that of one target, or all", () => {
    const { cooldowns } = open();
    for (const target of ["a", "b", "b"]) cooldowns.enter({ target, credential: String(cooldowns.all().length) }, "quota", 1_000);
    expect([cooldowns.reset("nobody"), cooldowns.reset("b"), cooldowns.all().length, cooldowns.reset(undefined)]).toEqual([0, 2, 1, 1]);
  });

  test("of clients that show ever new keys does not fill the memory", () => {
    const { cooldowns } = open();
    for (let each = 0; each < 12_000; each++) cooldowns.enter({ target: "a", credential: String(each) }, "auth", 1_000);
    expect(cooldowns.all().length).toBe(10_000);
    expect(cooldowns.of({ target: "a", credential: "11999" })).toBeDefined();
  });
});
