import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ENGINES } from "./support/daemon.ts";
import { type Part, PROVIDER_OF, SHARED_TEXT, type Spoken, TEXTS, USAGES, WORDS_BEFORE, wordsOf } from "./support/route-answers.ts";
import { CLIENT_KEYS, type Way } from "./support/route-clients.ts";
import { FALLBACK_KEY, type Measured, type MeasuredCell, type MeasuredFailover, measureFailover } from "./support/route-failures.ts";
import { FAILOVER_PAGE, failoverPage, withoutSeconds } from "./support/route-failures-page.ts";
import { GROUPS, type Group, ROWS } from "./support/route-rows.ts";

/** The same in every cell, or by who asks and how. */
type Words = string | Partial<Readonly<Record<Spoken | Way | `${Spoken} ${Way}`, string>>>;

/** What the client gets of one request, how often each target was asked, and what `x-faultproxy-attempts` tells. */
type Expected = readonly [client: Words, asked: Words, told: Words];

const PRIMARY = "the primary's answer";
const FALLBACK = "the fallback's answer";
const THIRD = "the third's answer";
const JOINED = "one whole answer";
const NOTHING_TOLD = "–";

/** Its first output has gone out, and nobody goes on. */
const BROKEN_OFF: Words = {
  chat: "a beginning, then APIError server_error, faultproxy's own",
  messages: "a beginning, then APIError api_error, faultproxy's own",
};
const STOOD_STILL: Words = { ...BROKEN_OFF, messages: "a beginning, then APIError timeout_error, faultproxy's own" };

const cooling: Expected = [FALLBACK, "0 + 1", "primary cooldown, fallback 200"];
const overloaded: Expected = [
  FALLBACK,
  "3 + 1",
  { chat: "primary 503 degraded x3, fallback 200", messages: "primary 529 degraded x3, fallback 200" },
];
const probedInVain: Expected = [
  FALLBACK,
  "1 + 1",
  { chat: "primary 503 degraded, fallback 200", messages: "primary 529 degraded, fallback 200" },
];
const allOverloaded: Words = {
  chat: "InternalServerError 503 server_is_overloaded, the primary's",
  messages: "OverloadedError 529 overloaded_error, the primary's",
};
const gaveUpOn = (reason: string): Expected => [FALLBACK, "3 + 1", `primary degraded ${reason} x3, fallback 200`];
const silent: Expected = [FALLBACK, "1 + 1", "primary degraded upstream_timeout, fallback 200"];
const atOnce: Expected = [PRIMARY, "1 + 0", NOTHING_TOLD];
const goneOn: Expected = [JOINED, "1 + 1", NOTHING_TOLD];
const outOfTime: Expected = [
  { chat: "InternalServerError 504 time_budget, faultproxy's own", messages: "GatewayTimeoutError 504 timeout_error, faultproxy's own" },
  "1 + 0",
  "primary degraded time_budget",
];
/** Whole answers are made good, streams that have begun are not. */
const beganIfStreamed = ([client, asked, told]: Expected, streamed: Words): Expected => {
  const pick = (words: Words, spoken: Spoken) => (typeof words === "string" ? words : (words[spoken] ?? ""));
  const of = (whole: Words, stream: Words): Words => ({
    "chat whole": pick(whole, "chat"),
    "chat streamed": pick(stream, "chat"),
    "messages whole": pick(whole, "messages"),
    "messages streamed": pick(stream, "messages"),
  });
  return [of(client, streamed), of(asked, "1 + 0"), of(told, NOTHING_TOLD)];
};

const EXPECTED: Readonly<Record<Group, Readonly<Record<string, readonly Expected[]>>>> = {
  "answers with an error": {
    "429, Retry-After: 1": [[PRIMARY, "2 + 0", "primary 200 x2"]],
    "429, Retry-After: 90": [[FALLBACK, "1 + 1", "primary 429 global_rate_limit, fallback 200"], cooling],
    "429, Retry-After: 1, max_wait = 0.5": [[FALLBACK, "1 + 1", "primary 429 local_rate_limit, fallback 200"]],
    "429, Retry-After: 4, x-llm-proxy-timeout-ms: 3500": [[FALLBACK, "1 + 1", "primary 429 local_rate_limit, fallback 200"]],
    "429 without Retry-After, once": [[PRIMARY, "2 + 0", "primary 200 x2"]],
    "429 without Retry-After, for ever": [
      [
        FALLBACK,
        "3 + 1",
        { chat: "primary 429 global_rate_limit x3, fallback 200", messages: "primary 429 local_rate_limit x3, fallback 200" },
      ],
      cooling,
    ],
    "500, once": [[PRIMARY, "2 + 0", "primary 200 x2"]],
    "500, for ever, retries = 0": [[FALLBACK, "1 + 1", "primary 500 degraded, fallback 200"]],
    "no quota left": [
      [FALLBACK, "1 + 1", { chat: "primary 429 quota, fallback 200", messages: "primary 400 quota, fallback 200" }],
      cooling,
    ],
    "wrong key (401); another key is put into its file": [[FALLBACK, "1 + 1", "primary 401 auth, fallback 200"], cooling, atOnce],
    "400, a mistake of the client's": [["BadRequestError 400 invalid_request_error, the primary's", "1 + 0", "primary 400 client"]],
    "404, no such model": [[FALLBACK, "1 + 1", "primary 404 client, fallback 200"]],
    "the context window is too small, as all others are": [
      [
        {
          chat: "BadRequestError 400 context_length_exceeded, the primary's",
          messages: "BadRequestError 400 invalid_request_error, the primary's",
        },
        "1 + 0",
        "primary 400 context_window, fallback context_window",
      ],
    ],
    "the context window is too small, another's is larger": [
      [THIRD, "1 + 0 + 1", "primary 400 context_window, fallback context_window, third 200"],
    ],
    "content filter": [
      [
        {
          chat: "BadRequestError 400 content_policy_violation, the primary's",
          messages: "BadRequestError 400 invalid_request_error, the primary's",
        },
        "1 + 0",
        "primary 400 content_filter",
      ],
    ],
    'content filter, content_filter = "next"': [[FALLBACK, "1 + 1", "primary 400 content_filter, fallback 200"]],
  },
  "gives no answer": {
    "connection refused": [[FALLBACK, "refused + 1", "primary degraded upstream_refused x3, fallback 200"]],
    "reset before any byte": [gaveUpOn("upstream_closed_early")],
    "silence, timeout = 0.25": [silent],
    "silence, first_token_timeout = 0.25": [silent],
    "a head and nothing else, first_token_timeout and idle_timeout = 0.25": [silent],
    "a beginning without output, first_token_timeout = 0.25": [silent],
    "keepalives without output, first_token_timeout = 0.25": [silent],
    "the first output is slow, and in time": [atOnce],
    "an error event at once": [overloaded],
    "an error as JSON in a 200": [overloaded],
    "a page of HTML in a 200": [gaveUpOn("upstream_protocol")],
    "a redirect to a page": [gaveUpOn("upstream_protocol")],
    "a whole answer in the place of a stream, and the other way round": [gaveUpOn("upstream_protocol")],
    "an empty 200": [
      [
        FALLBACK,
        "3 + 1",
        {
          whole: "primary degraded upstream_protocol x3, fallback 200",
          streamed: "primary degraded upstream_closed_early x3, fallback 200",
        },
      ],
    ],
    "a stream that ends before its first output": [gaveUpOn("upstream_closed_early")],
    "cut before its first output": [gaveUpOn("upstream_closed_early")],
  },
  "fails in the middle of its answer": {
    cut: [beganIfStreamed(gaveUpOn("upstream_closed_early"), BROKEN_OFF)],
    reset: [[BROKEN_OFF, "1 + 0", NOTHING_TOLD]],
    "ended as if it were whole": [beganIfStreamed(gaveUpOn("upstream_protocol"), BROKEN_OFF)],
    "stall, idle_timeout = 0.25": [beganIfStreamed(silent, STOOD_STILL)],
    "keepalives and nothing else, idle_timeout = 0.25": [[STOOD_STILL, "1 + 0", NOTHING_TOLD]],
    "error event": [
      [
        {
          chat: "a beginning, then APIError server_is_overloaded, the primary's",
          messages: "a beginning, then APIError overloaded_error, the primary's",
        },
        "1 + 0",
        NOTHING_TOLD,
      ],
    ],
    "error event behind a finished answer": [
      [
        {
          chat: "all words, then APIError server_is_overloaded, the primary's",
          messages: "all words, then APIError overloaded_error, the primary's",
        },
        "1 + 0",
        NOTHING_TOLD,
      ],
    ],
    "rate limit as an error event; it is left alone": [
      [
        {
          chat: "a beginning, then APIError rate_limit_exceeded, the primary's",
          messages: "a beginning, then APIError rate_limit_error, the primary's",
        },
        "1 + 0",
        NOTHING_TOLD,
      ],
      cooling,
    ],
    "a frame of junk between good ones": [atOnce],
    "a broken piece of the answer": [[BROKEN_OFF, "1 + 0", NOTHING_TOLD]],
    "no terminator behind a finished answer": [atOnce],
    "cut, buffer = true": [gaveUpOn("upstream_closed_early")],
    'cut, rescue = "restart", buffer = true': [gaveUpOn("upstream_closed_early")],
    'cut, rescue = "restart"': [[BROKEN_OFF, "1 + 0", NOTHING_TOLD]],
  },
  "is gone on for": {
    cut: [goneOn],
    reset: [goneOn],
    "a broken piece of the answer": [goneOn],
    "keepalives and nothing else, idle_timeout = 0.25": [goneOn],
    "stall, idle_timeout = 0.25": [goneOn],
    "error event": [goneOn],
    "cut; the fallback is not known to go on behind a beginning": [[BROKEN_OFF, "1 + 0", NOTHING_TOLD]],
    "cut; the fallback refuses the beginning (400)": [[BROKEN_OFF, "1 + 1", NOTHING_TOLD]],
    "cut; the fallback refuses the beginning (400), the third does not": [[JOINED, "1 + 1 + 1", NOTHING_TOLD]],
    "cut; the fallback stands still before its first word, first_token_timeout = 0.25, and the third does not": [
      [JOINED, "1 + 1 + 1", NOTHING_TOLD],
    ],
    "cut; the fallback answers whole, and the third as a stream": [[JOINED, "1 + 3 + 1", NOTHING_TOLD]],
    "cut; the fallback is overloaded": [[BROKEN_OFF, "1 + 3", NOTHING_TOLD]],
    "stall, idle_timeout = 0.5, timeout = 0.25 of the route": [goneOn],
    "cut; the fallback is cut too, and the third goes on behind both": [[JOINED, "1 + 1 + 1", NOTHING_TOLD]],
  },
  "fails again and again": {
    "overloaded for ever; failure_threshold = 3": [
      overloaded,
      overloaded,
      overloaded,
      [FALLBACK, "0 + 1", "primary circuit_open, fallback 200"],
    ],
    "overloaded for ever; the SDK would ask again by itself": [overloaded],
    "down, then well again; cooldown_seconds = 0.3": [overloaded, overloaded, overloaded, probedInVain, atOnce, atOnce],
  },
  "and all others fail": {
    "overloaded, then no quota, then 500": [
      [
        allOverloaded,
        "3 + 1 + 3",
        {
          chat: "primary 503 degraded x3, fallback 429 quota, third 500 degraded x3",
          messages: "primary 529 degraded x3, fallback 400 quota, third 500 degraded x3",
        },
      ],
    ],
    "overloaded, then 500; the SDK asks again by itself": [
      [
        allOverloaded,
        "6 + 6",
        {
          chat: "primary 503 degraded x3, fallback 500 degraded x3",
          messages: "primary 529 degraded x3, fallback 500 degraded x3",
        },
      ],
    ],
    "429 with Retry-After: 90, both; the next request finds nobody": [
      [
        { chat: "RateLimitError 429 rate_limit_exceeded, the primary's", messages: "RateLimitError 429 rate_limit_error, the primary's" },
        "1 + 1",
        "primary 429 global_rate_limit, fallback 429 global_rate_limit",
      ],
      [
        { chat: "RateLimitError 429 no_target, faultproxy's own", messages: "RateLimitError 429 rate_limit_error, faultproxy's own" },
        "0 + 0",
        "primary cooldown, fallback cooldown",
      ],
    ],
    "overloaded for ever, and there is no other; failure_threshold = 3": [
      ...Array.from(
        { length: 3 },
        (): Expected => [allOverloaded, "3", { chat: "primary 503 degraded x3", messages: "primary 529 degraded x3" }],
      ),
      [
        {
          chat: "InternalServerError 503 no_target, faultproxy's own",
          messages: "ServiceUnavailableError 503 api_error, faultproxy's own",
        },
        "0",
        "primary circuit_open",
      ],
    ],
    "silence; timeout = 0.25 of the route": [outOfTime],
    "silence; x-llm-proxy-timeout-ms: 250": [outOfTime],
  },
  "is of another provider": {
    overloaded: [overloaded],
    "no quota left": [[FALLBACK, "1 + 1", { chat: "primary 429 quota, fallback 200", messages: "primary 400 quota, fallback 200" }]],
    "an error event at once": [overloaded],
    'cut in the middle, rescue = "continue"': [goneOn],
  },
};

function wordsFor(words: Words, { spoken, way }: Pick<MeasuredCell, "spoken" | "way">): string {
  if (typeof words === "string") return words;
  const found = words[`${spoken} ${way}`] ?? words[way] ?? words[spoken];
  if (found === undefined) throw new Error(`nothing is expected for ${spoken}, ${way}`);
  return found;
}

const LATE = "TypeError ECONNRESET";

/** A client on a busy machine reads an error event too late: its HTTP client has thrown it away by then, and tells of the connection alone. */
function inTime(measured: Measured, cell: MeasuredCell, index: number): Measured {
  const [client = ""] = EXPECTED[cell.row.group][cell.row.name]?.[index] ?? [];
  const words = wordsFor(client, cell);
  const [before, then] = words.split(", then ");
  return then !== undefined && measured.client === `${before}, then ${LATE}` ? { ...measured, client: words } : measured;
}

/** Whose the answer is that the client has, or the end of it; undefined: it has none. */
function answeredBy({ heard, received }: Measured): Part | undefined {
  return heard.error === undefined ? received.at(-1)?.part : undefined;
}

/** The targets of an exchange that were asked, and how often. */
function countsOf(tried: readonly { readonly target: string; readonly attempts: number }[], parts: MeasuredCell["parts"]) {
  return Object.fromEntries(tried.flatMap(({ target, attempts }) => (attempts === 0 ? [] : [[parts.get(target) ?? target, attempts]])));
}

function receivedCounts({ received }: Measured): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { part } of received) counts[part] = (counts[part] ?? 0) + 1;
  return counts;
}

const PASSED_OVER = /^(?:cooldown|circuit_open|context_window)$/;

/** The counts that the header tells: `primary 503 degraded x3, fallback 200`. */
function toldCounts(told: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    told.split(", ").flatMap((each) => {
      const [, part = "", rest = "", times = "1"] = /^(\w+) (.*?)(?: x(\d+))?$/.exec(each) ?? [];
      return PASSED_OVER.test(rest) ? [] : [[part, Number(times)]];
    }),
  );
}

describe.each(ENGINES)("failures of a route's targets, as the official SDKs see them, with the %s engine", (engine) => {
  let failover: MeasuredFailover;
  let cells: readonly MeasuredCell[];
  // Hundreds of requests on a machine that may be slow.
  beforeAll(async () => {
    failover = await measureFailover(engine);
    cells = failover.cells.map((cell) => ({ ...cell, asked: cell.asked.map((measured, index) => inTime(measured, cell, index)) }));
  }, 120_000);

  const nameOf = ({ row, spoken, way }: MeasuredCell) => `${row.name}, ${spoken}, ${way}`;
  const each = () => cells.flatMap((cell) => cell.asked.map((measured) => ({ cell, measured })));
  /** Neither a target that refuses connections nor an SDK that asks again is counted by the targets alone. */
  const isCounted = ({ row }: MeasuredCell, { asked }: Measured) => row.sdkRetries === 0 && !asked.includes("refused");

  test.each(GROUPS)("the primary %s", (group) => {
    const own = cells.filter(({ row }) => row.group === group);
    expect(own.length).toBeGreaterThan(0);
    const seen = own.map((cell) => [nameOf(cell), cell.asked.map(({ client, asked, told }) => [client, asked, told ?? NOTHING_TOLD])]);
    const expected = own.map((cell) => [
      nameOf(cell),
      (EXPECTED[group][cell.row.name] ?? []).map((words) => words.map((word) => wordsFor(word, cell))),
    ]);
    expect(seen).toEqual(expected);
  });

  test("rows that something is expected of are there", () => {
    const names = Object.entries(EXPECTED).flatMap(([group, rows]) => Object.keys(rows).map((name) => `${group}: ${name}`));
    expect(names).toEqual(ROWS.map(({ group, name }) => `${group}: ${name}`));
  });

  test("docs/failover-matrix.md says what was measured; `make failover` writes it anew", () => {
    expect(withoutSeconds(readFileSync(FAILOVER_PAGE, "utf8"))).toBe(withoutSeconds(failoverPage(cells)));
  });

  test("an answer is whole: nothing else passes for one", () => {
    const whole: ReadonlySet<string> = new Set([...Object.values(TEXTS), SHARED_TEXT]);
    const bad = each().filter(({ measured: { heard } }) => heard.error === undefined && !(whole.has(heard.text) && heard.finish != null));
    expect(bad.map(({ cell, measured }) => [nameOf(cell), measured.client])).toEqual([]);
  });

  test("what the client has of a stream that fails is a beginning", () => {
    const whole = [...Object.values(TEXTS), SHARED_TEXT];
    const bad = each().filter(({ measured: { heard } }) => !whole.some((text) => text.startsWith(heard.text)));
    expect(bad.map(({ cell, measured }) => [nameOf(cell), measured.heard.text])).toEqual([]);
  });

  test("a stream that fails tells its error before it is cut", () => {
    const failed = failover.cells.flatMap(({ asked }) => asked.filter(({ client }) => client.includes(", then ")));
    const late = failed.filter(({ client }) => client.endsWith(LATE));
    expect(late.length).toBeLessThan(failed.length / 2);
  });

  test("the header, the event and the targets agree on who was asked, and how often", () => {
    for (const { cell, measured } of each().filter(({ cell, measured }) => isCounted(cell, measured))) {
      const name = nameOf(cell);
      const counts = receivedCounts(measured);
      const [exchange] = measured.exchanges;
      expect([name, countsOf(exchange?.gateway?.tried ?? [], cell.parts)]).toEqual([name, counts]);
      expect([name, exchange?.gateway?.attempts]).toEqual([name, measured.received.length]);
      if (measured.told !== undefined) expect([name, toldCounts(measured.told)]).toEqual([name, counts]);
    }
  });

  test("an SDK that asks again makes an exchange of its own, and no target gets more than those", () => {
    for (const { cell, measured } of each().filter(({ cell }) => cell.row.sdkRetries > 0)) {
      const total: Record<string, number> = {};
      for (const { gateway } of measured.exchanges) {
        for (const [part, count] of Object.entries(countsOf(gateway?.tried ?? [], cell.parts))) total[part] = (total[part] ?? 0) + count;
      }
      expect([nameOf(cell), total]).toEqual([nameOf(cell), receivedCounts(measured)]);
      expect(measured.exchanges.length).toBe(measured.heard.error === undefined ? 1 : 1 + cell.row.sdkRetries);
    }
  });

  test("an event tells of each way from one target to the next, and whether output had gone out", () => {
    for (const { cell, measured } of each()) {
      const asked = measured.exchanges.map(({ gateway }) => (gateway?.tried ?? []).filter(({ attempts }) => attempts > 0));
      const ways = asked.flatMap((tried) => tried.slice(1).map(({ target }, index) => [tried[index]?.target ?? "", target]));
      const told = measured.failovers.map(({ from, to }) => [from, to]);
      expect({ cell: nameOf(cell), told }).toEqual({ cell: nameOf(cell), told: ways });
      const isRescued = cell.row.route.rescue === "continue";
      expect(measured.failovers.filter((event) => event.isRescue !== isRescued)).toEqual([]);
    }
  });

  test("each exchange is told once, in the events and in the ledger", () => {
    const counts = (rows: ReadonlyMap<string, readonly unknown[]>) =>
      Object.fromEntries([...rows].map(([model, all]) => [model, all.length] as const).toSorted(([one], [two]) => (one < two ? -1 : 1)));
    const known = new Map(cells.map((cell) => [cell.model, cell.asked.flatMap(({ exchanges }) => exchanges)]));
    expect(counts(failover.exchanges)).toEqual(counts(known));
    expect(counts(failover.ledger)).toEqual(counts(known));
  });

  test("what an answer cost is what its target says, without those that failed", () => {
    for (const { cell, measured } of each()) {
      const part = answeredBy(measured);
      if (part === undefined) continue;
      const number = measured.exchanges.at(-1)?.exchange;
      const row = failover.ledger.get(cell.model)?.find(({ exchange }) => exchange === number);
      const { input, output } = USAGES[part];
      expect([nameOf(cell), row?.input_tokens, row?.output_tokens]).toEqual([nameOf(cell), input, output]);
    }
  });

  test("a whole answer says whose it is, and its tokens", () => {
    for (const { cell, measured } of each().filter(({ cell }) => cell.way === "whole")) {
      const part = answeredBy(measured);
      const { headers } = measured.heard;
      if (part === undefined) continue;
      const name = nameOf(cell);
      const fields = ["x-llm-provider", "x-llm-input-tokens", "x-llm-output-tokens"].map((field) => headers?.get(field));
      const isOther = cell.row.group === "is of another provider" && part === "fallback";
      const spoken = isOther ? (cell.spoken === "chat" ? "messages" : "chat") : cell.spoken;
      expect([name, ...fields]).toEqual([name, PROVIDER_OF[spoken], String(USAGES[part].input), String(USAGES[part].output)]);
    }
  });

  test("the key of a client is for its own provider alone, and nothing else of the client's is for another", () => {
    for (const { cell, measured } of each()) {
      for (const { part, key, names } of measured.received) {
        const isOther = cell.row.group === "is of another provider" && part === "fallback";
        const isLent = cell.row.name.startsWith("wrong key") && part === "primary";
        if (isLent) expect(key).toMatch(/^sk-(?:old|new)$/);
        else expect([nameOf(cell), key]).toEqual([nameOf(cell), isOther ? FALLBACK_KEY : CLIENT_KEYS[cell.spoken]]);
        if (isOther && cell.spoken === "messages") expect(names.filter((name) => name.startsWith("anthropic-"))).toEqual([]);
        expect(names.filter((name) => name.startsWith("x-llm-proxy-"))).toEqual([]);
      }
    }
  });

  test("who goes on behind a beginning is told what the client has, and nobody else is told anything", () => {
    for (const { cell, measured } of each()) {
      const { rescue } = cell.row.route;
      const text = measured.heard.error === undefined ? SHARED_TEXT : TEXTS.primary;
      const told = measured.received.map(({ part, prefill }) => [part, prefill]);
      const expected = measured.received.map(({ part }) => {
        if (rescue !== "continue" || part === "primary") return [part, undefined];
        const isSecondCut = part === "third" && cell.row.name.includes("is cut too");
        return [part, wordsOf(text, WORDS_BEFORE + (isSecondCut ? 3 : 0))];
      });
      expect([nameOf(cell), told]).toEqual([nameOf(cell), expected]);
    }
  });

  test("Retry-After is waited for", () => {
    for (const { measured } of each().filter(({ cell }) => cell.row.name === "429, Retry-After: 1")) {
      const [first, second] = measured.received;
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
    }
  });

  test("a request whose target does not work counts once for its circuit, however often the target was asked", () => {
    for (const cell of cells.filter(({ row }) => !row.quick)) {
      const exchanges = cell.asked.flatMap((measured) => measured.exchanges);
      const failed = (name: string) =>
        exchanges.filter(({ gateway }) =>
          gateway?.tried.some(({ target, failure, reason }) => target === name && failure === "degraded" && reason !== "time_budget"),
        ).length;
      const expected = [...cell.parts].flatMap(([name, part]) => (failed(name) === 0 ? [] : [[part, failed(name)]]));
      const counted = [...cell.failures].filter(([, failures]) => failures > 0);
      expect({ cell: nameOf(cell), counted }).toEqual({ cell: nameOf(cell), counted: expected as [Part, number][] });
    }
  });

  test("a circuit opens for a target that fails again and again, lets one request try, and closes when that one is answered", () => {
    const movesOf = (name: string) =>
      cells.filter(({ row }) => row.name.startsWith(name)).map(({ circuits }) => circuits.map(({ from, to }) => `${from} → ${to}`));
    const down = movesOf("overloaded for ever; failure_threshold");
    expect(down).toEqual(down.map(() => ["closed → open"]));
    const flapping = movesOf("down, then well again");
    const story = ["closed → open", "open → half_open", "half_open → open", "open → half_open", "half_open → closed"];
    expect(flapping).toEqual(flapping.map(() => story));
    expect([down.length, flapping.length]).toEqual([4, 4]);
  });
});
