import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { answerTextOf, anyExchange, type Exchange, isLast, methodOf, textOf } from "./support/any-exchange.ts";
import { DIFFERENCES, type Difference, type ProxyName, REFUSALS, type Seen, type Side, seenOf } from "./support/differences.ts";
import { ExchangeClient, type Outcome, type ProxyUnderTest, startProxy } from "./support/exchange-runner.ts";
import { messageScan, requestFraming, responseFraming } from "./support/http-message.ts";

/** For longer runs: `FAULTPROXY_TEST_EXCHANGES=100000 bun test test/e2e/differential.test.ts --timeout 3600000`. */
const EXCHANGES = Number(process.env.FAULTPROXY_TEST_EXCHANGES ?? 2_000);
/** `FAULTPROXY_TEST_SEED=123` replays a run. */
const SEED = Number(process.env.FAULTPROXY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Clients at a time. */
const LANES = 8;
/** Exchanges over one connection: at least so many on average, at most twice as many. */
const BATCH = 4;

const ALL: readonly ProxyName[] = ["wire", "serve", "node:http"];
/** The third opinion is left out where there is no Node.js: what Bun makes of node:http is none. */
const NAMES = ALL.filter((name) => name !== "node:http" || Bun.which("node") !== null);
let proxies: ProxyUnderTest[] = [];

beforeAll(async () => {
  proxies = await Promise.all(NAMES.map(startProxy));
});
afterAll(async () => {
  for (const proxy of proxies) await proxy.stop();
});

/** What went in: what a proxy that changes nothing would bring out. */
function original(exchange: Exchange): { readonly request: Seen; readonly answer: Seen } {
  const method = methodOf(exchange.request);
  const [request] = messageScan(requestFraming).push(textOf(exchange.request));
  const scan = messageScan((head) => responseFraming(head, method));
  const answers = scan.push(answerTextOf(exchange));
  const last = scan.end();
  const all = last === undefined ? answers : [...answers, last];
  const final = all.at(-1);
  if (request === undefined || final === undefined) throw new Error("an exchange that is not well formed");
  return { request: seenOf(request), answer: seenOf(final, all.slice(0, -1)) };
}

function leveled(seen: Seen, side: Side, name: ProxyName, leftOut?: Difference): Seen {
  let found = seen;
  for (const difference of DIFFERENCES) {
    if (difference.side === side && difference.proxies.includes(name) && difference !== leftOut) found = difference.level(found);
  }
  return found;
}

/** The id that the client adds is not part of the exchange. */
function withoutId(seen: Seen): Seen {
  return { ...seen, lines: seen.lines.filter((line) => !/^x-exchange:/i.test(line)) };
}

function compared(exchange: Exchange, outcome: Outcome, name: ProxyName, leftOut?: Difference) {
  const { request, answer } = original(exchange);
  return {
    wanted: { proxy: name, request: leveled(request, "request", name, leftOut), answer: leveled(answer, "answer", name, leftOut) },
    got: {
      proxy: name,
      request: outcome.request && leveled(withoutId(outcome.request), "request", name, leftOut),
      answer: outcome.answer && leveled(outcome.answer, "answer", name, leftOut),
    },
  };
}

const performs = (name: ProxyName, exchange: Exchange) => !REFUSALS.some((one) => one.proxies.includes(name) && one.isRefused(exchange));

test(`${EXCHANGES} exchanges come out alike (seed ${SEED})`, async () => {
  const runs = Math.ceil(EXCHANGES / LANES / BATCH);
  const lane = async (index: number) => {
    const clients = proxies.map((proxy) => new ExchangeClient(proxy));
    const property = fc.asyncProperty(
      fc.array(anyExchange, { minLength: 1, maxLength: 2 * BATCH }),
      fc.boolean(),
      async (exchanges, atOnce) => {
        const sides = await Promise.all(
          clients.map(async (client, which) => {
            const name = NAMES[which] ?? "wire";
            const performed = exchanges.filter((exchange) => performs(name, exchange));
            const pipelined = atOnce && name !== "serve" && !exchanges.some((one) => one.untilClose || isLast(one));
            const outcomes = await client.perform(performed, pipelined);
            return outcomes.map((outcome, at) => compared(performed[at] as Exchange, outcome, name));
          }),
        );
        for (const { got, wanted } of sides.flat()) expect(got).toEqual(wanted);
      },
    );
    await fc.assert(property, { numRuns: runs, seed: SEED + index });
    for (const client of clients) client.close();
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
}, 120_000);

const NOTHING_DIFFERENT: Exchange = {
  request: { startLine: "GET /v1/models HTTP/1.1", lines: ["Host: client.localhost"], body: "" },
  interims: [],
  answer: { startLine: "HTTP/1.1 200 OK", lines: ["Content-Length: 2"], body: "{}" },
  untilClose: false,
  requestCuts: [],
  answerCuts: [],
};

/** One exchange through a proxy, over a connection of its own. */
async function performed(exchange: Exchange, name: ProxyName, msMax: number): Promise<Outcome> {
  const proxy = proxies.find((one) => one.name === name);
  if (proxy === undefined) throw new Error(`${name} does not run`);
  const client = new ExchangeClient(proxy, msMax);
  const [outcome] = await client.perform([exchange], false);
  client.close();
  return outcome ?? { request: undefined, answer: undefined };
}

const byProxy = <Entry extends { readonly name: string; readonly proxies: readonly ProxyName[] }>(entries: readonly Entry[]) =>
  entries.flatMap((entry) => NAMES.filter((name) => entry.proxies.includes(name)).map((name) => [entry.name, name, entry] as const));

describe("nothing is allowed that is not needed", () => {
  test.each(byProxy(DIFFERENCES))("%s (%s)", async (_name, proxy, difference) => {
    const exchange = { ...NOTHING_DIFFERENT, ...difference.example };
    const outcome = await performed(exchange, proxy, 2_000);
    const allowed = compared(exchange, outcome, proxy);
    expect(allowed.got).toEqual(allowed.wanted);
    const strict = compared(exchange, outcome, proxy, difference);
    expect(strict.got).not.toEqual(strict.wanted);
  });

  test.each(byProxy(REFUSALS))("%s (%s)", async (_name, proxy, { isRefused, example }) => {
    const exchange = { ...NOTHING_DIFFERENT, ...example };
    expect(isRefused(exchange)).toBe(true);
    const { wanted, got } = compared(exchange, await performed(exchange, proxy, 500), proxy);
    expect(got).not.toEqual(wanted);
  });
});

test("docs/engine-differences.md lists them all", async () => {
  const text = await Bun.file(join(import.meta.dir, "../../docs/engine-differences.md")).text();
  const marks = (proxies: readonly ProxyName[]) => ALL.map((name) => (proxies.includes(name) ? " × |" : " |")).join("");
  const rows = DIFFERENCES.map(({ side, what, why, proxies: all }) => `| ${side} | ${what} | ${why} |${marks(all)}`);
  const refused = REFUSALS.map(({ what, why, proxies: all }) => `| ${what} | ${why} |${marks(all)}`);
  expect(text.split("\n").filter((row) => row.startsWith("| ") && !row.includes("node:http` |"))).toEqual([...rows, ...refused]);
});
