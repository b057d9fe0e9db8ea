import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type EngineName, startTestDaemon, type TestDaemon } from "./daemon.ts";
import { temporaryFolder } from "./folder.ts";
import { circuitOf, circuitsOf, gatewayToml, QUICK } from "./gateway-daemon.ts";
import { type Asked, type Script, startScript } from "./gateway-upstream.ts";
import { field } from "./http-message.ts";
import { type Row as LedgerRow, rowsWhen } from "./ledger.ts";
import { PARTS, type Part, PROVIDER_OF, readRequest, type Spoken, sayingsOf } from "./route-answers.ts";
import { type Heard, hear, inWords, type Way } from "./route-clients.ts";
import { type FollowedEvents, followEvents, type RouteEvent } from "./route-events.ts";
import { type Asking, type Cell, ROWS, type Row, type Scene, type Target, type TomlTable, type TomlValue } from "./route-rows.ts";

/** What a target was asked, as itself has seen it. */
export type Received = {
  readonly part: Part;
  readonly atMs: number;
  readonly model: string;
  readonly key: string;
  readonly prefill: string | undefined;
  readonly names: readonly string[];
};

/** What came of one request. */
export type Measured = {
  readonly asking: Asking;
  readonly client: string;
  readonly heard: Heard;
  /** How often each target was asked, in the order of the route: `3 + 1`. */
  readonly asked: string;
  /** In the order in which they came. */
  readonly received: readonly Received[];
  readonly seconds: number;
  /** `x-faultproxy-attempts`, with the targets called as they are here; undefined: there was none. */
  readonly told: string | undefined;
  readonly exchanges: readonly RouteEvent[];
  readonly failovers: readonly RouteEvent[];
};

export type MeasuredCell = {
  readonly row: Row;
  readonly spoken: Spoken;
  readonly way: Way;
  readonly model: string;
  /** Of the targets, as the proxy calls them, by the names that they have here. */
  readonly parts: ReadonlyMap<string, Part>;
  readonly asked: readonly Measured[];
  /** Of circuits of its targets. */
  readonly circuits: readonly RouteEvent[];
  /** What they have counted, by target. */
  readonly failures: ReadonlyMap<Part, number>;
};

export type MeasuredFailover = {
  readonly cells: readonly MeasuredCell[];
  /** By model, all that the daemons told of exchanges, once everything was over. */
  readonly exchanges: ReadonlyMap<string, readonly RouteEvent[]>;
  readonly ledger: ReadonlyMap<string, readonly LedgerRow[]>;
};

/** Of the fallback, where it is of another provider. */
export const FALLBACK_KEY = "sk-of-the-fallback";

/** Of tcpmux; a port that is free now may be somebody's in a moment. */
const NOBODYS_PORT = 1;

/** Above anything that is expected by far. */
const PATIENCE_MS = 30_000;

/** Waits that nobody need notice; everything else is as it comes. */
const TABLES = { retry: QUICK, breaker: { failure_threshold: 3 } } as const;
const COOLDOWN_SECONDS = { steady: 300, quick: 0.3 } as const;
const PACES = ["steady", "quick"] as const;
type Pace = (typeof PACES)[number];

/** Every row, by every client, whole and streamed, so many at a time. */
export async function measureFailover(engine: EngineName, runningMax = 12): Promise<MeasuredFailover> {
  using folder = temporaryFolder();
  const cells = await Promise.all(
    ROWS.flatMap((row, index) =>
      row.clients.flatMap((spoken) =>
        row.ways.map((way) => prepared(row, spoken, way, `f${index}-${spoken}-${way}`, join(folder.path, `${index}-${spoken}-${way}`))),
      ),
    ),
  );
  const measured: MeasuredCell[] = [];
  const exchanges: RouteEvent[] = [];
  const ledgerRows: LedgerRow[] = [];
  for (const pace of PACES) {
    const own = cells.filter(({ row }) => row.quick === (pace === "quick"));
    const ledger = join(folder.path, `${pace}.sqlite`);
    await using place = await startPlace(engine, pace, own, ledger);
    const waiting = [...own];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        measured[cells.indexOf(next)] = await measuredCell(next, place);
      }
    };
    await Promise.all(Array.from({ length: runningMax }, work));
    const told = place.events.all().filter(({ type }) => type === "exchange");
    exchanges.push(...told);
    ledgerRows.push(...(await rowsWhen(ledger, told.length)));
  }
  for (const { scripts } of cells) for (const script of scripts) script?.stop();
  return {
    cells: measured,
    exchanges: Map.groupBy(exchanges, ({ model }) => model ?? ""),
    ledger: Map.groupBy(ledgerRows, ({ model }) => model ?? ""),
  };
}

type Prepared = {
  readonly row: Row;
  readonly cell: Cell;
  readonly model: string;
  readonly targets: readonly Target[];
  /** Undefined where nobody listens. */
  readonly scripts: readonly (Script | undefined)[];
  readonly ports: readonly number[];
  readonly onText: (text: string) => void;
};

async function prepared(row: Row, spoken: Spoken, way: Way, model: string, folder: string): Promise<Prepared> {
  mkdirSync(folder);
  const { heard, onText } = hearing();
  // What is kept back until it is whole is heard by nobody.
  const heardSoFar = row.route.buffer === true ? async () => {} : heard;
  const cell: Cell = { spoken, way, folder, say: (part, other = spoken) => sayingsOf(other, part, heardSoFar) };
  const targets = row.targets(cell);
  const scripts = await Promise.all(targets.map(({ script, refuses }) => (refuses ? undefined : startScript(...script))));
  const ports = scripts.map((script) => script?.port ?? NOBODYS_PORT);
  return { row, cell, model, targets, scripts, ports, onText };
}

/** What the client has read, and who waits for it. */
function hearing(): { readonly heard: (text: string) => Promise<unknown>; readonly onText: (text: string) => void } {
  const texts = new Map<string, PromiseWithResolvers<void>>();
  const of = (text: string) => {
    const known = texts.get(text) ?? Promise.withResolvers<void>();
    texts.set(text, known);
    return known;
  };
  return { heard: (text) => of(text).promise, onText: (text) => of(text).resolve() };
}

// ---- the configuration ----

function tomlOf(value: TomlValue): string {
  if (typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(tomlOf).join(", ")}]`;
  return `{ ${Object.entries(value)
    .map(([key, each]) => `${key} = ${tomlOf(each)}`)
    .join(", ")} }`;
}

function isList(value: TomlTable | readonly TomlValue[]): value is readonly TomlValue[] {
  return Array.isArray(value);
}

function routeToml({ row, cell, model, targets, ports }: Prepared): string {
  const tables = targets.map(({ settings, spoken = cell.spoken }, index) => ({
    provider: PROVIDER_OF[spoken],
    url: `http://127.0.0.1:${ports[index]}`,
    ...settings,
  }));
  const keys = { match: { model }, ...row.route, targets: tables };
  return `[[route]]\n${Object.entries(keys)
    .map(([key, value]) => `${key} = ${tomlOf(value)}\n`)
    .join("")}`;
}

type Place = AsyncDisposable & { readonly daemon: TestDaemon; readonly events: FollowedEvents };

async function startPlace(engine: EngineName, pace: Pace, cells: readonly Prepared[], ledger: string): Promise<Place> {
  const breaker = { ...TABLES.breaker, cooldown_seconds: COOLDOWN_SECONDS[pace] };
  const toml = [gatewayToml({ ...TABLES, breaker }), `[cost]\nledger = ${tomlOf(ledger)}\n`, ...cells.map(routeToml)].join("\n");
  const daemon = await startTestDaemon({ engine, toml, args: ["--seed", "1"], environment: { FALLBACK_KEY } });
  const events = await followEvents(daemon);
  return {
    daemon,
    events,
    async [Symbol.asyncDispose]() {
      events.stop();
      await daemon.stop();
    },
  };
}

// ---- a cell ----

async function measuredCell(prepared: Prepared, { daemon, events }: Place): Promise<MeasuredCell> {
  const { row, cell, model, targets, scripts, ports, onText } = prepared;
  const { spoken, way, folder } = cell;
  const names = targets.map((target, index) => {
    const asked = target.settings?.model;
    return `${PROVIDER_OF[target.spoken ?? spoken]}${asked === undefined ? "" : `/${asked}`}@127.0.0.1:${ports[index]}`;
  });
  const parts = new Map(names.map((name, index) => [name, partAt(index)] as const));
  const circuitAt = (index: number) => {
    const { spoken: other, settings } = targets[index] ?? {};
    return `${PROVIDER_OF[other ?? spoken]}/${settings?.model ?? model}@127.0.0.1:${ports[index]}`;
  };
  const scene: Scene = {
    folder,
    circuitIsDue: async (part) => {
      const circuit = circuitAt(PARTS.indexOf(part));
      await until(async () => (await circuitOf(daemon, circuit)).state === "half_open", `a probe of ${circuit}`);
    },
  };
  const asked: Measured[] = [];
  for (const [index, asking] of row.asks.entries()) {
    await asking.before?.(scene);
    const prompt = `question-${index}-of-${model}`;
    const startMs = performance.now();
    const heard = await hear({
      origin: daemon.origin,
      spoken,
      way,
      model,
      prompt,
      headers: asking.headers ?? {},
      maxRetries: row.sdkRetries,
      patienceMs: PATIENCE_MS,
      onText,
    });
    const seconds = (performance.now() - startMs) / 1_000;
    const before = asked.reduce((sum, { exchanges }) => sum + exchanges.length, 0);
    // An SDK that asks again by itself makes exchanges of its own.
    const made = row.sdkRetries > 0 ? 1 + retriesIn(scripts, prompt) : 1;
    const exchanges = (await events.exchanges(model, before + made)).slice(before);
    const numbers = new Set(exchanges.map(({ exchange }) => exchange));
    const received = await receivedOf(scripts, prompt);
    asked.push({
      asking,
      client: inWords(heard),
      heard,
      asked: scripts.map((script, at) => (script === undefined ? "refused" : countOf(received, partAt(at)))).join(" + "),
      received,
      seconds,
      told: heard.headers === undefined ? undefined : toldOf(heard.headers, parts),
      exchanges,
      failovers: events.all().filter(({ type, exchange }) => type === "failover" && numbers.has(exchange)),
    });
  }
  const circuits = events.all().filter((event) => event.type === "circuit" && event.model?.startsWith(`${model}@`));
  const counts = new Map((await circuitsOf(daemon)).map(({ circuit, failures }) => [circuit, failures]));
  const failures = new Map(targets.map((_, index) => [partAt(index), counts.get(circuitAt(index)) ?? 0] as const));
  return { row, spoken, way, model, parts, asked, circuits, failures };
}

function countOf(received: readonly Received[], part: Part): number {
  return received.filter((each) => each.part === part).length;
}

function partAt(index: number): Part {
  const part = PARTS[index];
  if (part === undefined) throw new Error(`no name for target ${index + 1}`);
  return part;
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come`);
    await Bun.sleep(10);
  }
}

/** How often the SDK asked again: it counts that itself. */
function retriesIn(scripts: readonly (Script | undefined)[], prompt: string): number {
  const counts = scripts.flatMap((script) =>
    (script?.asked ?? [])
      .filter(({ arrived }) => arrived.body().includes(prompt))
      .map(({ arrived }) => Number(field(arrived.headers, "x-stainless-retry-count")[0] ?? 0)),
  );
  return Math.max(0, ...counts);
}

async function receivedOf(scripts: readonly (Script | undefined)[], prompt: string): Promise<readonly Received[]> {
  const found = scripts.map(async (script, index) => {
    const own = (script?.asked ?? []).filter(({ arrived }) => arrived.body().includes(prompt));
    return Promise.all(own.map((asked) => received(asked, partAt(index))));
  });
  return (await Promise.all(found)).flat().toSorted((one, other) => one.atMs - other.atMs);
}

async function received({ atMs, arrived: { headers }, message }: Asked, part: Part): Promise<Received> {
  const { payload } = await message;
  const { model } = JSON.parse(payload) as { readonly model: string };
  const key = [...field(headers, "authorization"), ...field(headers, "x-api-key")].join(" ").replace(/^Bearer /, "");
  return { part, atMs, model, key, prefill: readRequest(payload).prefill, names: headers.map(([name]) => name.toLowerCase()) };
}

function toldOf(headers: Headers, parts: ReadonlyMap<string, Part>): string | undefined {
  const text = headers.get("x-faultproxy-attempts");
  if (text === null) return undefined;
  return [...parts].reduce((told, [name, part]) => told.replace(name, part), text);
}
