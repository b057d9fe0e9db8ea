import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Reply } from "./gateway-upstream.ts";
import { type Part, type Sayings, SHARED_TEXT, type Spoken, WORDS_BEFORE } from "./route-answers.ts";
import type { Way } from "./route-clients.ts";

export type TomlValue = string | number | boolean | TomlTable | readonly TomlValue[];
export type TomlTable = { readonly [key: string]: TomlValue };

/** Who asks, and how: a row of the table has up to four such cells. */
export type Cast = { readonly spoken: Spoken; readonly way: Way };

export type Target = {
  /** What it does with the requests that it gets, one after the other; the last of it for ever. */
  readonly script: readonly Reply[];
  /** Keys of its table in the route. */
  readonly settings?: TomlTable;
  /** Another dialect than the client's; it has a key of its own then. */
  readonly spoken?: Spoken;
  /** Nobody listens there. */
  readonly refuses?: true;
};

/** What the story of a cell can get at. */
export type Scene = {
  readonly folder: string;
  /** Until the circuit of the target lets a request try it again. */
  readonly circuitIsDue: (part: Part) => Promise<void>;
};

/** One request of the client's. */
export type Asking = {
  /** In the row's own words where there are several. */
  readonly title?: string;
  readonly before?: (scene: Scene) => Promise<void> | void;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Row = {
  readonly name: string;
  readonly group: Group;
  readonly ways: readonly Way[];
  readonly clients: readonly Spoken[];
  /** Keys of `[[route]]`. */
  readonly route: TomlTable;
  readonly targets: (cell: Cell) => readonly Target[];
  readonly asks: readonly Asking[];
  /** How often the SDK asks again by itself. */
  readonly sdkRetries: number;
  /** Circuits that are open for a moment only. */
  readonly quick: boolean;
};

/** `say("fallback")`: what a target that speaks the client's dialect can do. */
export type Cell = Cast & {
  readonly folder: string;
  readonly say: (part: Part, spoken?: Spoken) => Sayings;
};

export const GROUPS = [
  "answers with an error",
  "gives no answer",
  "fails in the middle of its answer",
  "is gone on for",
  "fails again and again",
  "and all others fail",
  "is of another provider",
] as const;
export type Group = (typeof GROUPS)[number];

const BOTH_WAYS = ["whole", "streamed"] as const;
const BOTH_CLIENTS = ["chat", "messages"] as const;

const ROWS_SO_FAR: Row[] = [];

type Given = Partial<Omit<Row, "name" | "group" | "targets">>;

function row(group: Group, name: string, targets: Row["targets"], given: Given = {}): void {
  const usual = { ways: BOTH_WAYS, clients: BOTH_CLIENTS, route: {}, asks: [{}], sdkRetries: 0, quick: false };
  ROWS_SO_FAR.push({ ...usual, ...given, name, group, targets });
}

/** A primary that does this, in front of a fallback that works. */
function before(script: (say: Sayings) => Reply | readonly Reply[], settings: TomlTable = {}): Row["targets"] {
  return ({ say }) => {
    const done = script(say("primary"));
    return [{ script: typeof done === "function" ? [done] : done, settings }, { script: [say("fallback").good] }];
  };
}

/** The same, and the fallback goes on behind the beginning of an answer. */
function goneOnFor(script: (say: Sayings) => Reply, settings: TomlTable = {}): Row["targets"] {
  return ({ say }) => [
    { script: [script(say("primary"))], settings },
    { script: [say("fallback").goesOn], settings: { prefill: true } },
  ];
}

const STREAMED: Given = { ways: ["streamed"] };
const TWICE: Given = { asks: [{}, { title: "the next request" }] };
const TIMES = (count: number) => ["1st", "2nd", "3rd", "4th"].slice(0, count).map((title): Asking => ({ title: `${title} request` }));
const BROKEN_PIECE = '{"choices":[{"index":0,"delta":{"content":" lo';
const SOON = 0.25;
/** For what nobody waits. */
const LATE = "90";

// ---- it answers with an error ----

const errors = (name: string, targets: Row["targets"], given?: Given) => row("answers with an error", name, targets, given);

errors(
  "429, Retry-After: 1",
  before((say) => [say.error("rateLimit", { "retry-after": "1" }), say.good]),
);
errors(
  "429, Retry-After: 90",
  before((say) => say.error("rateLimit", { "retry-after": LATE })),
  TWICE,
);
errors(
  "429, Retry-After: 1, max_wait = 0.5",
  before((say) => say.error("rateLimit", { "retry-after": "1" })),
  { route: { max_wait: 0.5 } },
);
errors(
  "429, Retry-After: 4, x-llm-proxy-timeout-ms: 3500",
  before((say) => say.error("rateLimit", { "retry-after": "4" })),
  { asks: [{ headers: { "x-llm-proxy-timeout-ms": "3500" } }] },
);
errors(
  "429 without Retry-After, once",
  before((say) => [say.error("rateLimit"), say.good]),
);
errors(
  "429 without Retry-After, for ever",
  before((say) => say.error("rateLimit")),
  TWICE,
);
errors(
  "500, once",
  before((say) => [say.error("server"), say.good]),
);
errors(
  "500, for ever, retries = 0",
  before((say) => say.error("server"), { retries: 0 }),
);
errors(
  "no quota left",
  before((say) => say.error("quota")),
  TWICE,
);
errors(
  "wrong key (401); another key is put into its file",
  ({ say, folder, spoken }) => {
    const file = join(folder, "primary.key");
    writeFileSync(file, "sk-old");
    const primary = say("primary");
    const byKey: Reply = async (asked) => {
      const fields = (await asked.message).headers.filter(([name]) => /^(?:authorization|x-api-key)$/i.test(name));
      return (fields.some(([, value]) => value.includes("sk-new")) ? primary.good : primary.error("auth"))(asked);
    };
    return [{ script: [byKey], settings: { credential: { file } } }, { script: [say("fallback", spoken).good] }];
  },
  {
    asks: [
      { title: "1st request" },
      { title: "2nd request" },
      { title: "behind the change", before: ({ folder }) => writeFileSync(join(folder, "primary.key"), "sk-new") },
    ],
  },
);
errors(
  "400, a mistake of the client's",
  before((say) => say.error("client")),
);
errors(
  "404, no such model",
  before((say) => say.error("unknownModel")),
);
errors(
  "the context window is too small, as all others are",
  before((say) => say.error("contextWindow"), { context_window: 128_000 }),
);
errors("the context window is too small, another's is larger", ({ say }) => [
  { script: [say("primary").error("contextWindow")], settings: { context_window: 128_000 } },
  { script: [say("fallback").good], settings: { context_window: 128_000 } },
  { script: [say("third").good], settings: { context_window: 1_000_000 } },
]);
errors(
  "content filter",
  before((say) => say.error("contentFilter")),
);
errors(
  'content filter, content_filter = "next"',
  before((say) => say.error("contentFilter")),
  { route: { content_filter: "next" } },
);

// ---- it gives no answer ----

const nothing = (name: string, targets: Row["targets"], given?: Given) => row("gives no answer", name, targets, given);

nothing("connection refused", ({ say }) => [{ script: [], refuses: true }, { script: [say("fallback").good] }]);
nothing(
  "reset before any byte",
  before(
    () =>
      ({ arrived }) =>
        arrived.connection.rst(),
  ),
);
nothing(
  "silence, timeout = 0.25",
  before(() => () => {}, { timeout: SOON }),
);
nothing(
  "silence, first_token_timeout = 0.25",
  before(() => () => {}, { first_token_timeout: SOON }),
  STREAMED,
);
nothing(
  "a head and nothing else, first_token_timeout and idle_timeout = 0.25",
  before((say) => say.headOnly, { first_token_timeout: SOON, idle_timeout: SOON }),
);
nothing(
  "a beginning without output, first_token_timeout = 0.25",
  before((say) => say.begins(), { first_token_timeout: SOON }),
  STREAMED,
);
nothing(
  "keepalives without output, first_token_timeout = 0.25",
  before((say) => say.keepsAlive(0), { first_token_timeout: SOON }),
  STREAMED,
);
nothing(
  "the first output is slow, and in time",
  before((say) => say.slowly(300), { first_token_timeout: 30, idle_timeout: 30 }),
);
nothing(
  "an error event at once",
  before((say) => say.beginsWithError("overloaded")),
  STREAMED,
);
nothing(
  "an error as JSON in a 200",
  before((say) => say.errorIn200("overloaded")),
);
nothing(
  "a page of HTML in a 200",
  before((say) => say.html),
);
nothing(
  "a redirect to a page",
  before((say) => say.redirect),
);
nothing(
  "a whole answer in the place of a stream, and the other way round",
  before((say) => say.other),
);
nothing(
  "an empty 200",
  before((say) => say.empty),
);
nothing(
  "a stream that ends before its first output",
  before((say) => say.begins("proper")),
  STREAMED,
);
nothing(
  "cut before its first output",
  before((say) => say.begins("fin")),
);

// ---- it fails in the middle ----

const middle = (name: string, targets: Row["targets"], given?: Given) => row("fails in the middle of its answer", name, targets, given);

middle(
  "cut",
  before((say) => say.half("fin")),
);
middle(
  "reset",
  before((say) => say.half("rst")),
  STREAMED,
);
middle(
  "ended as if it were whole",
  before((say) => say.half("end")),
);
middle(
  "stall, idle_timeout = 0.25",
  before((say) => say.half("nothing"), { idle_timeout: SOON }),
);
middle(
  "keepalives and nothing else, idle_timeout = 0.25",
  before((say) => say.keepsAlive(WORDS_BEFORE), { idle_timeout: SOON }),
  STREAMED,
);
middle(
  "error event",
  before((say) => say.half("overloaded")),
  STREAMED,
);
middle(
  "error event behind a finished answer",
  before((say) => say.errorBehind("overloaded")),
  STREAMED,
);
middle(
  "rate limit as an error event; it is left alone",
  before((say) => say.half("rateLimit")),
  { ...STREAMED, ...TWICE },
);
middle(
  "a frame of junk between good ones",
  before((say) => say.withFrame("}{ some junk")),
  STREAMED,
);
middle(
  "a broken piece of the answer",
  before((say) => say.withFrame(BROKEN_PIECE)),
  STREAMED,
);
middle(
  "no terminator behind a finished answer",
  before((say) => say.withoutTerminator),
  STREAMED,
);
middle(
  "cut, buffer = true",
  before((say) => say.half("fin")),
  { ...STREAMED, route: { buffer: true } },
);
middle(
  'cut, rescue = "restart", buffer = true',
  before((say) => say.half("fin")),
  { ...STREAMED, route: { rescue: "restart", buffer: true } },
);
middle(
  'cut, rescue = "restart"',
  before((say) => say.half("fin")),
  { ...STREAMED, route: { rescue: "restart" } },
);

// ---- another goes on ----

const CONTINUE: Given = { ...STREAMED, route: { rescue: "continue" } };
const goneOn = (name: string, targets: Row["targets"], given: Given = CONTINUE) => row("is gone on for", name, targets, given);

goneOn(
  "cut",
  goneOnFor((say) => say.half("fin", SHARED_TEXT)),
);
goneOn(
  "reset",
  goneOnFor((say) => say.half("rst", SHARED_TEXT)),
);
goneOn(
  "a broken piece of the answer",
  goneOnFor((say) => say.withFrame(BROKEN_PIECE, SHARED_TEXT)),
);
goneOn(
  "keepalives and nothing else, idle_timeout = 0.25",
  goneOnFor((say) => say.keepsAlive(WORDS_BEFORE, SHARED_TEXT), { idle_timeout: SOON }),
);
goneOn(
  "stall, idle_timeout = 0.25",
  goneOnFor((say) => say.half("nothing", SHARED_TEXT), { idle_timeout: SOON }),
);
goneOn(
  "error event",
  goneOnFor((say) => say.half("overloaded", SHARED_TEXT)),
);
goneOn("cut; the fallback is not known to go on behind a beginning", ({ say }) => [
  { script: [say("primary").half("fin")] },
  { script: [say("fallback").good] },
]);
goneOn("cut; the fallback refuses the beginning (400)", ({ say }) => [
  { script: [say("primary").half("fin")] },
  { script: [say("fallback").error("noPrefill")], settings: { prefill: true } },
]);
goneOn("cut; the fallback refuses the beginning (400), the third does not", ({ say }) => [
  { script: [say("primary").half("fin", SHARED_TEXT)] },
  { script: [say("fallback").error("noPrefill")], settings: { prefill: true } },
  { script: [say("third").goesOn], settings: { prefill: true } },
]);
goneOn("cut; the fallback stands still before its first word, first_token_timeout = 0.25, and the third does not", ({ say }) => [
  { script: [say("primary").half("fin", SHARED_TEXT)] },
  { script: [say("fallback").begins()], settings: { prefill: true, first_token_timeout: SOON } },
  { script: [say("third").goesOn], settings: { prefill: true } },
]);
goneOn("cut; the fallback answers whole, and the third as a stream", ({ say }) => [
  { script: [say("primary").half("fin", SHARED_TEXT)] },
  { script: [say("fallback").other], settings: { prefill: true } },
  { script: [say("third").goesOn], settings: { prefill: true } },
]);
goneOn("cut; the fallback is overloaded", ({ say }) => [
  { script: [say("primary").half("fin")] },
  { script: [say("fallback").error("overloaded")], settings: { prefill: true } },
]);
goneOn(
  "stall, idle_timeout = 0.5, timeout = 0.25 of the route",
  goneOnFor((say) => say.half("nothing", SHARED_TEXT), { idle_timeout: 2 * SOON }),
  { ...STREAMED, route: { rescue: "continue", timeout: SOON } },
);
goneOn("cut; the fallback is cut too, and the third goes on behind both", ({ say }) => [
  { script: [say("primary").half("fin", SHARED_TEXT)] },
  { script: [say("fallback").goesOnFor(3)], settings: { prefill: true } },
  { script: [say("third").goesOn], settings: { prefill: true } },
]);

// ---- again and again ----

const again = (name: string, targets: Row["targets"], given?: Given) => row("fails again and again", name, targets, given);

again(
  "overloaded for ever; failure_threshold = 3",
  before((say) => say.error("overloaded")),
  { asks: TIMES(4) },
);
again(
  "overloaded for ever; the SDK would ask again by itself",
  before((say) => say.error("overloaded")),
  { sdkRetries: 2 },
);
again(
  "down, then well again; cooldown_seconds = 0.3",
  before((say) => [...Array.from({ length: 10 }, () => say.error("overloaded")), say.good]),
  {
    quick: true,
    asks: [
      ...TIMES(3),
      { title: "the probe of the open circuit", before: ({ circuitIsDue }) => circuitIsDue("primary") },
      { title: "the next probe", before: ({ circuitIsDue }) => circuitIsDue("primary") },
      { title: "the next request" },
    ],
  },
);

// ---- all fail ----

const all = (name: string, targets: Row["targets"], given?: Given) => row("and all others fail", name, targets, given);

all("overloaded, then no quota, then 500", ({ say }) => [
  { script: [say("primary").error("overloaded")] },
  { script: [say("fallback").error("quota")] },
  { script: [say("third").error("server")] },
]);
all(
  "overloaded, then 500; the SDK asks again by itself",
  ({ say }) => [{ script: [say("primary").error("overloaded")] }, { script: [say("fallback").error("server")] }],
  { sdkRetries: 1 },
);
all(
  "429 with Retry-After: 90, both; the next request finds nobody",
  ({ say }) => [
    { script: [say("primary").error("rateLimit", { "retry-after": LATE })] },
    { script: [say("fallback").error("rateLimit", { "retry-after": LATE })] },
  ],
  TWICE,
);
all("overloaded for ever, and there is no other; failure_threshold = 3", ({ say }) => [{ script: [say("primary").error("overloaded")] }], {
  asks: TIMES(4),
});
all(
  "silence; timeout = 0.25 of the route",
  before(() => () => {}),
  { route: { timeout: SOON } },
);
all(
  "silence; x-llm-proxy-timeout-ms: 250",
  before(() => () => {}),
  { asks: [{ headers: { "x-llm-proxy-timeout-ms": "250" } }] },
);

// ---- another provider ----

const OTHER: Readonly<Record<Spoken, Spoken>> = { chat: "messages", messages: "chat" };
const other = (name: string, script: (say: Sayings) => Reply, given?: Given, then: "good" | "goesOn" = "good") =>
  row(
    "is of another provider",
    name,
    ({ say, spoken }) => [
      { script: [script(say("primary"))] },
      {
        script: [say("fallback", OTHER[spoken])[then]],
        spoken: OTHER[spoken],
        settings: { credential: { env: "FALLBACK_KEY" }, prefill: true, model: "other-model" },
      },
    ],
    given,
  );

other("overloaded", (say) => say.error("overloaded"));
other("no quota left", (say) => say.error("quota"));
other("an error event at once", (say) => say.beginsWithError("overloaded"), STREAMED);
other('cut in the middle, rescue = "continue"', (say) => say.half("fin", SHARED_TEXT), CONTINUE, "goesOn");

export const ROWS: readonly Row[] = ROWS_SO_FAR;
