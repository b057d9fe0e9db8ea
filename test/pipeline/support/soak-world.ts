import { AsyncLocalStorage } from "node:async_hooks";
import type { RouteSetting, RouteTargetSetting } from "../../../src/config/route-settings.ts";
import type { Settings } from "../../../src/config/settings.ts";
import type { DialectName } from "../../../src/core/dialect.ts";
import type { ExchangeEvent } from "../../../src/core/event.ts";
import type { ForwardFailure, ForwardRequest, OpenResponse, Received, RequestBody } from "../../../src/core/exchange.ts";
import type { Gateway } from "../../../src/core/gateway.ts";
import { PROVIDER_NAMES, type ProviderName } from "../../../src/core/provider.ts";
import type { Rules } from "../../../src/core/rule.ts";
import type { BreakerKey, Reservation, StateStore } from "../../../src/core/state-store.ts";
import { WholeBody } from "../../../src/core/whole-body.ts";
import { GoneSignal } from "../../../src/engines/wire/gone-signal.ts";
import { WholeRequestBody } from "../../../src/engines/wire/request-body.ts";
import { WIRE_PORTS } from "../../../src/engines/wire/reread.ts";
import { FAULTS } from "../../../src/faults/index.ts";
import { chunksOf, wholeOf } from "../../../src/pipeline/helpers/bodies.ts";
import { createPipeline } from "../../../src/pipeline/run.ts";
import { PROVIDERS } from "../../../src/providers/index.ts";
import { accessOf } from "../../../src/shell/access.ts";
import { rowOf } from "../../../src/shell/cost/row.ts";
import { createGatewayRuntime } from "../../../src/shell/gateway.ts";
import type { Targets } from "../../../src/shell/targets.ts";
import { withoutContentCoding } from "../../../src/shell/without-content-coding.ts";
import { settings } from "../../shell/support.ts";
import { rulesOf } from "../../support.ts";
import { type Draws, drawsOf } from "./draws.ts";
import { type Got, taken } from "./soak-client.ts";
import { questionOf } from "./soak-question.ts";
import { type Script, scriptOf } from "./soak-script.ts";
import { plain } from "./soak-seen.ts";
import { MARK, type Story, storyOf } from "./soak-story.ts";
import { type OpenBody, perform } from "./soak-target.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

export const LENGTH_MS = 30 * 60_000;
const ROUTES = 12;

/** One exchange as it went. */
export type Life = {
  readonly story: Story;
  readonly route: RouteSetting;
  readonly gone: CountedGone;
  got: Got | undefined;
  beganMs: number;
  endedMs: number | undefined;
  leftMs: number | undefined;
  /** When a sleep of its ended last. */
  sleptMs: number;
  thrown: unknown;
  readonly events: ExchangeEvent[];
  rows: number;
  readonly asks: { readonly target: string; readonly script: Script; readonly told: string; readonly isLoose: boolean }[];
  readonly bodies: OpenBody[];
  /** Of limits: taken, and then settled or given back. */
  readonly reservations: { settled: number }[];
  /** Outcomes told to circuits behind the leaving of the client. */
  readonly lateOutcomes: string[];
  readonly mistakes: string[];
};

export type World = {
  readonly settings: Settings;
  readonly gateway: Gateway;
  readonly clock: VirtualClock;
  readonly lives: readonly Life[];
  readonly circuits: readonly BreakerKey[];
};

/** Who listens, by the file that does, until it is taken back. */
export class CountedGone extends GoneSignal {
  readonly listeners = new Map<() => void, string>();

  override addEventListener(type: "abort", listener: () => void): void {
    this.listeners.set(listener, /\/src\/(\S+?\.ts)/.exec(new Error().stack ?? "")?.[1] ?? "test");
    super.addEventListener(type, listener);
  }

  override abort(): void {
    super.abort();
    this.listeners.clear();
  }

  override removeEventListener(type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
    super.removeEventListener(type, listener);
  }
}

const present = new AsyncLocalStorage<Life>();

/** Thirty minutes of exchanges, all at once and in no time. */
export async function soak(seed: number, exchanges: number): Promise<World> {
  const draws = drawsOf(seed, "world");
  const clock = virtualClock<Life>({
    ownerNow: () => present.getStore(),
    slept(life, nowMs) {
      life.sleptMs = nowMs;
    },
  });
  const routes = Array.from({ length: ROUTES }, (_, number) => routeOf(number, drawsOf(seed, `route/${number}`)));
  const chosen = settingsOf(routes, draws);
  const targets = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, { kind: "url", base: `http://usual-${name}.test` }])) as Targets;
  const runtime = createGatewayRuntime({
    settings: chosen,
    environment: { KEY_A: "key-of-a", KEY_B: "key-of-b" },
    clock,
    warn: (text) => {
      throw new Error(text);
    },
    tell: () => {},
    tellCooldown: () => {},
    tellCredential: () => {},
    running: () => 1,
  });
  const made = runtime.gatewayOf(chosen, targets);
  if (made === undefined) throw new Error("routes without a gateway");
  await runtime.ready();
  const circuits = new Map<string, BreakerKey>();
  const gateway: Gateway = { ...made, store: watched(made.store, circuits) };
  let rules: Rules = rulesOf(...FAULTS.map(({ name }) => `add ${name} 0.6% side=upstream`));
  const record = (life: Life | undefined, event: ExchangeEvent) => {
    if (life === undefined || life.story.id !== event.exchange) throw new Error(`an event of ${event.exchange} in another exchange`);
    life.events.push(event);
    if (rowOf(event) !== undefined) life.rows++;
  };
  const pipeline = createPipeline({
    clock,
    seed,
    defaultProvider: "openai",
    access: accessOf(chosen, targets, () => 1),
    targets,
    rules: {
      get: () => rules,
      set: (next) => {
        rules = next;
      },
    },
    forward: (request) => forwarded(request, seed, clock),
    wire: WIRE_PORTS,
    simulate: () => ({ status: 500, reason: undefined, headers: [], body: null }),
    withoutContentCoding,
    record: (event) => {
      if (event.type === "exchange") record(present.getStore(), event);
    },
    gateway,
  });

  const lives = Array.from({ length: exchanges }, (_, index): Life => {
    const story = storyOf(seed, index + 1, ROUTES, LENGTH_MS);
    const route = routes[Number(/route-(\d+)/.exec(`${story.target} ${JSON.stringify(story.request)}`)?.[1])];
    if (route === undefined) throw new Error("a story without a route");
    return {
      story,
      route,
      gone: new CountedGone(),
      got: undefined,
      beganMs: story.atMs,
      endedMs: undefined,
      leftMs: undefined,
      sleptMs: 0,
      thrown: undefined,
      events: [],
      rows: 0,
      asks: [],
      bodies: [],
      reservations: [],
      lateOutcomes: [],
      mistakes: [],
    };
  });
  for (const life of lives) void present.run(life, () => lived(life, pipeline, clock, seed));
  await clock.run();
  await runtime.close();
  return { settings: chosen, gateway: made, clock, lives, circuits: [...circuits.values()] };
}

// ---- one exchange ----

async function lived(life: Life, pipeline: ReturnType<typeof createPipeline>, clock: VirtualClock, seed: number): Promise<void> {
  const { story, gone } = life;
  await clock.sleep(story.atMs, NEVER);
  const ending = new AbortController();
  if (story.leavesMs !== undefined) void leave(life, story.leavesMs, ending.signal, clock);
  try {
    const delivery = await pipeline(receivedOf(story, gone));
    life.got = await taken(delivery, story, gone, clock, drawsOf(seed, `client/${story.id}`));
  } catch (error) {
    life.thrown = error;
  }
  life.endedMs = clock.monotonicMs();
  ending.abort();
}

const NEVER = new AbortController().signal;

async function leave(life: Life, afterMs: number, ending: AbortSignal, clock: VirtualClock): Promise<void> {
  await clock.sleep(afterMs, ending);
  if (ending.aborted) return;
  life.leftMs = clock.monotonicMs();
  life.gone.abort();
}

function receivedOf(story: Story, gone: GoneSignal): Received {
  const bytes = Buffer.from(JSON.stringify(story.request));
  return {
    id: story.id,
    method: "POST",
    target: story.target,
    authority: undefined,
    via: "tcp",
    headers: story.isChunked ? story.headers : [...story.headers, ["content-length", String(bytes.length)]],
    body: story.isChunked ? arriving(bytes) : new WholeRequestBody(new WholeBody(bytes, 0, bytes.length)),
    listenerProvider: undefined,
    clientGone: gone,
    interim: undefined,
    canUpgrade: false,
    isLocal: () => true,
  };
}

function arriving(bytes: Uint8Array): RequestBody {
  return {
    lengthBytes: undefined,
    whole: async (bytesMax) => (bytes.length <= bytesMax ? bytes : undefined),
    forward: async () => chunksOf(bytes),
  };
}

// ---- targets ----

/** Each is down for some minutes now and then. */
const SPELL_MS = 90_000;

async function forwarded(request: ForwardRequest, seed: number, clock: VirtualClock): Promise<OpenResponse | ForwardFailure> {
  const life = present.getStore();
  if (life === undefined) throw new Error("asked by nobody");
  const { story, asks, mistakes } = life;
  const bytes = await wholeOf(request.body, 2 ** 30, NEVER);
  const text = new TextDecoder().decode(bytes);
  if (MARK.exec(text)?.[1] !== String(story.id)) mistakes.push(`asked for ${MARK.exec(text)?.[1]}`);
  const { host } = new URL(request.base);
  const draws = drawsOf(seed, `ask/${story.id}/${asks.length}`);
  const provider = PROVIDER_NAMES.find((name) => host.includes(name)) ?? "openai";
  const asked = { story, provider, target: request.target, text, number: story.id * 100 + asks.length, wallMs: clock.wallMs() };
  const { question, told, isLoose } = questionOf(asked, draws);
  const isDown = drawsOf(seed, `spell/${host}/${Math.floor(clock.monotonicMs() / SPELL_MS)}`).chance(0.25);
  const script = scriptOf(question, isDown, draws);
  if (!plain(story.text).startsWith(plain(told))) mistakes.push(`told ${JSON.stringify(told)}`);
  asks.push({ target: host, script, told, isLoose });
  return perform(script, request, clock, (body) => life.bodies.push(body));
}

// ---- what is set ----

function settingsOf(routes: readonly RouteSetting[], draws: Draws): Settings {
  return settings({
    simulate: false,
    ledgerFile: "",
    gateway: draws.chance(0.5),
    featureTables: ["route", ...(draws.chance(0.5) ? (["cost"] as const) : [])],
    routes,
    breakerMode: draws.pick(["off", "log", "enforce", "enforce", undefined]),
    failureThreshold: draws.whole(2, 8),
    windowMs: draws.whole(10_000, 60_000),
    cooldownMs: draws.whole(2_000, 60_000),
    escalationMs: draws.whole(5_000, 60_000),
    providerOpenModels: draws.pick([0, 0, 3]),
    retryContributionMode: draws.pick(["off", "log", "on"]),
    maxTransientRetries: draws.whole(0, 3),
    maxRateLimitRetries: draws.whole(0, 2),
    retryAfterMaxMs: draws.pick([2_000, 60_000]),
    retryBodyBytesMax: draws.pick([20_000, 1_000_000]),
    ...(draws.chance(0.5) ? { requestsPerMinute: draws.whole(15, 60), tokensPerMinute: draws.whole(2_000, 20_000) } : {}),
    limitOverrides: draws.chance(0.3) ? [{ key: "*", requestsPerMinute: draws.whole(5, 20) }] : [],
  });
}

const PLACES: readonly [readonly [ProviderName, DialectName | undefined], ...(readonly [ProviderName, DialectName | undefined])[]] = [
  ["openai", undefined],
  ["openai", "chat"],
  ["openai", "responses"],
  ["anthropic", undefined],
  ["anthropic", undefined],
  ["google", undefined],
  ["google", "gemini"],
  ["google", "chat"],
  ["openrouter", "messages"],
  ["openrouter", "chat"],
  ["databricks", undefined],
];

function routeOf(number: number, draws: Draws): RouteSetting {
  const count = draws.oneOf([
    [1, 1],
    [3, 2],
    [3, 3],
    [2, 4],
  ]);
  const cooldownMs = draws.oneOf([
    [3, draws.whole(200, 3_000)],
    [1, draws.whole(3_000, 60_000)],
  ]);
  return {
    match: { model: `route-${number}` },
    targets: Array.from({ length: count }, (_, index) => targetOf(number, index, draws)),
    timeoutMs: draws.pick([0, 0, draws.whole(2_000, 60_000)]),
    rescue: draws.pick(["none", "restart", "continue", "continue"]),
    buffer: draws.chance(0.25),
    contentFilter: draws.pick(["stop", "next"]),
    maxWaitMs: draws.pick([0, 1_000, 5_000]),
    cooldownMs,
    cooldownMaxMs: cooldownMs + draws.pick([0, 1_000, 5_000, 120_000]),
    ...(draws.chance(0.4) ? { hold: draws.pick([{ frames: 1 }, { frames: 3 }, { bytes: 300 }, { ms: 50 }, { ms: 2_000 }]) } : {}),
  };
}

function targetOf(route: number, index: number, draws: Draws): RouteTargetSetting {
  const [provider, dialect] = draws.pick(PLACES);
  return {
    provider,
    url: `http://${provider}-${route}-${index}.test${PROVIDERS[provider].apis.find((api) => dialect === undefined || api.dialect === dialect)?.root ?? ""}`,
    ...(dialect === undefined ? {} : { dialect }),
    ...(draws.chance(0.6) ? { model: draws.pick(["claude-sonnet-4-5", "gpt-4o", "gemini-2.5-flash", "claude-3-haiku"]) } : {}),
    ...(draws.chance(0.5)
      ? { credential: { kind: "env", name: draws.pick(["KEY_A", "KEY_A", "KEY_A", "KEY_B", "KEY_B", "KEY_MISSING"]) } }
      : {}),
    timeoutMs: draws.whole(2_000, 15_000),
    firstTokenTimeoutMs: draws.whole(1_000, 15_000),
    idleTimeoutMs: draws.whole(1_000, 10_000),
    ...(draws.chance(0.5) ? { retries: draws.whole(0, 3) } : {}),
    ...(draws.chance(0.3) ? { contextWindow: draws.pick([4_000, 200_000]) } : {}),
    ...(draws.chance(0.7) ? { prefill: draws.chance(0.8) } : {}),
  };
}

// ---- limits and circuits ----

/** The same store, which notes whose reservations are settled, and what circuits are told late. */
function watched(store: StateStore, circuits: Map<string, BreakerKey>): StateStore {
  const held = new WeakMap<Reservation, { settled: number }>();
  const settled = (reservation: Reservation) => {
    const one = held.get(reservation);
    if (one === undefined) throw new Error("a reservation that nobody made");
    one.settled++;
  };
  return {
    ...store,
    reserve(limits, tokens) {
      const verdict = store.reserve(limits, tokens);
      if (verdict instanceof Promise || verdict.kind !== "reserved") return verdict;
      const one = { settled: 0 };
      held.set(verdict.reservation, one);
      present.getStore()?.reservations.push(one);
      return verdict;
    },
    reconcile(reservation, tokens) {
      settled(reservation);
      store.reconcile(reservation, tokens);
    },
    giveBack(reservation) {
      settled(reservation);
      store.giveBack(reservation);
    },
    admit(key) {
      circuits.set(JSON.stringify(key), key);
      return store.admit(key);
    },
    settle(ticket, outcome) {
      const life = present.getStore();
      if (life?.leftMs !== undefined) life.lateOutcomes.push(outcome);
      return store.settle(ticket, outcome);
    },
  };
}
