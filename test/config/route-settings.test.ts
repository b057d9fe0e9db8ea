import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { effectiveKeys } from "../../src/config/effective.ts";
import { exampleFile } from "../../src/config/example.ts";
import { readToml } from "../../src/config/read-file.ts";
import { readConfiguration } from "../../src/config/read-settings.ts";
import { ROUTE_COLUMNS, ROUTES } from "../../src/config/route-schema.ts";
import { ROUTE_DEFAULTS, ROUTE_TARGET_DEFAULTS, type RouteSetting } from "../../src/config/route-settings.ts";
import type { CredentialSource } from "../../src/core/credential.ts";
import { DIALECT_NAMES } from "../../src/core/dialect.ts";
import { isInputError } from "../../src/core/errors.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { RESCUES } from "../../src/core/route.ts";

const linesOf = (toml: string) => readToml(toml).problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);

function routesOf(toml: string): readonly RouteSetting[] | undefined {
  const { settings, problems } = readToml(toml);
  expect(problems).toEqual([]);
  return settings.routes;
}

const TARGET = '[[route.targets]]\nprovider = "openai"\n';

const WHOLE: RouteSetting = {
  match: { provider: "openai", model: "gpt-4*", path: "/v1/chat/*" },
  targets: [
    {
      provider: "anthropic",
      model: "claude-sonnet-4-5",
      credential: { kind: "claude" },
      timeoutMs: 60_000,
      firstTokenTimeoutMs: 20_000,
      idleTimeoutMs: 30_000,
    },
    {
      provider: "openai",
      url: "https://eu.gateway.example/v1",
      model: "gpt-4o",
      dialect: "chat",
      credential: { kind: "env", name: "OPENAI_API_KEY" },
      retries: 1,
      contextWindow: 128_000,
      prefill: true,
    },
  ],
  timeoutMs: 120_000,
  rescue: "continue",
  buffer: true,
  contentFilter: "next",
  maxWaitMs: 5_000,
  cooldownMs: 90_000,
  cooldownMaxMs: 3_600_000,
  hold: { frames: 64, bytes: 1_024, ms: 250 },
};

const OF_ROUTE = `match = { provider = "openai", model = "gpt-4*", path = "/v1/chat/*" }
timeout = "2m"
rescue = "continue"
buffer = true
content_filter = "next"
max_wait = 5
cooldown = 90
cooldown_max = "1h"
hold = { frames = 64, bytes = 1024, ms = 250 }
`;

describe("a route is read whole", () => {
  test.each([
    [
      "with its targets in a list",
      `[[route]]
${OF_ROUTE}targets = [
  { provider = "anthropic", model = "claude-sonnet-4-5", credential = { claude = true }, timeout = 60, first_token_timeout = 20, idle_timeout = 30 },
  # the second
  { provider = "openai", url = "https://eu.gateway.example/v1", model = "gpt-4o", dialect = "chat", credential = { env = "OPENAI_API_KEY" }, retries = 1, context_window = 128000, prefill = true },
]
`,
    ],
    [
      "with its targets as tables of their own",
      `[[route]]
${OF_ROUTE}
[[route.targets]]
provider = "Anthropic"
model = "claude-sonnet-4-5"
credential.claude = true
timeout = 60
first_token_timeout = 20.0
idle_timeout = "30s"

[[route.targets]]
provider = "openai"
url = "https://eu.gateway.example/v1"
model = "gpt-4o"
dialect = "chat"
retries = 1
context_window = 128_000
prefill = true
[route.targets.credential]
env = "OPENAI_API_KEY"
`,
    ],
  ])("%s", (_, toml) => {
    expect(routesOf(toml)).toEqual([WHOLE]);
  });

  test("with a target alone it is for everything, and nothing is filled in", () => {
    expect(routesOf(`[[route]]\n${TARGET}`)).toEqual([{ match: {}, targets: [{ provider: "openai" }] }]);
  });

  test.each<[string, CredentialSource]>([
    ['{ env = "OPENAI_API_KEY" }', { kind: "env", name: "OPENAI_API_KEY" }],
    ['{ env = "hf_token_of_production" }', { kind: "env", name: "hf_token_of_production" }],
    ['{ file = "~/.config/key" }', { kind: "file", path: "~/.config/key" }],
    ['{ file = "keys/sk-openai" }', { kind: "file", path: "keys/sk-openai" }],
    ["{ claude = true }", { kind: "claude" }],
    ['{ keychain = "Claude Code-credentials" }', { kind: "keychain", service: "Claude Code-credentials" }],
  ])("the credential %s, and it is written so", (written, credential) => {
    const routes = routesOf(`[[route]]\n${TARGET}credential = ${written}\n`) ?? [];
    expect(routes).toEqual([{ match: {}, targets: [{ provider: "openai", credential }] }]);
    expect(ROUTES.toToml?.(routes)).toBe(`[{ targets = [{ provider = "openai", credential = ${written} }] }]`);
  });

  test.each([["simulated"], ["http://127.0.0.1:9000"], ["https://eu.gateway.example/v1/"]])("the url %s, as it was written", (url) => {
    expect(routesOf(`[[route]]\n${TARGET}url = "${url}"\n`)?.[0]?.targets[0]?.url).toBe(url);
  });

  test("the same provider with two keys, and the same target in two routes", () => {
    const toml = `[[route]]\nmatch = { model = "a" }\n${TARGET}credential = { env = "A" }\n${TARGET}credential = { env = "B" }\n[[route]]\n${TARGET}credential = { env = "A" }\n`;
    expect(routesOf(toml)?.map(({ targets }) => targets.length)).toEqual([2, 1]);
  });
});

const PROVIDERS = PROVIDER_NAMES.join(", ");
const NOT_HERE = "a key itself is put into a variable or a file of its own, and not here";
const SOURCES = `where the key is, such as { env = "OPENAI_API_KEY" }, { file = "~/key" }, { claude = true } or { keychain = "NAME" }; ${NOT_HERE}`;
const ENV = `the name of an environment variable, such as OPENAI_API_KEY; ${NOT_HERE}`;
const FILE = `the path of a file, such as ~/.config/openai.key; ${NOT_HERE}`;
const KEYCHAIN = `the name of a service in the keychain; ${NOT_HERE}`;
const SECONDS = "seconds such as 60, or a duration such as 1m, of at most 24 days";
const URL_EXPECTED = "http://HOST[:PORT] or https://HOST[:PORT], with a path if need be, or simulated";
const MATCH = 'a table of globs, such as { provider = "openai", model = "gpt-4*", path = "/v1/chat/*" }';

/** A line of a route that has one target. */
const inRoute = (line: string) => `[[route]]\n${line}\n${TARGET}`;
/** A line of its target. */
const inTarget = (line: string) => `[[route]]\n${TARGET}${line}\n`;

describe("a mistake is told with its place and without secrets", () => {
  const ONE = "[[route]] number 1";
  test.each<[string, string]>([
    ["route = 3\n", "1:1: route = 3: expected a list of tables, each below a line of its own in double brackets"],
    ['[route]\nrescue = "none"\n', "1:1: route = {…}: expected a list of tables, each below a line of its own in double brackets"],
    ['[[rout]]\nx = "secret"\n', '1:1: unknown key "rout"; did you mean route? (known: '],
    ["[rout]\n", '1:1: unknown key "rout"; did you mean route? (known: '],
    ["[[route]]\n", `1:1: ${ONE}: expected targets in each table: its targets in the order in which they are asked, one to 16 tables`],
    ["[[route]]\ntargets = []\n", `2:1: ${ONE}, targets: expected at least one target`],
    ['[[route]]\ntargets = "openai"\n', `2:1: ${ONE}, targets: expected a list of tables, each below a line of its own in double brackets`],
    [
      `[[route]]\ntargets = [\n${Array.from({ length: 17 }, (_, index) => `  { provider = "openai", model = "m${index}" },\n`).join("")}]\n`,
      `19:3: ${ONE}, targets number 17: expected at most 16 targets`,
    ],
    ["[[route]]\n[[route.targets]]\nmodel = 'm'\n", `2:1: ${ONE}, targets number 1: expected provider in each table: the provider whose`],
    [
      inRoute("tmeout = 3"),
      `2:1: ${ONE}, tmeout = 3: expected no key "tmeout"; did you mean timeout? (known: match, targets, timeout, rescue, buffer, content_filter, max_wait, cooldown, cooldown_max, hold)`,
    ],
    [inRoute("timeout = -1"), `2:1: ${ONE}, timeout = -1: expected ${SECONDS}`],
    [inRoute('timeout = "soon"'), `2:1: ${ONE}, timeout: expected ${SECONDS}`],
    [inRoute("timeout = true"), `2:1: ${ONE}, timeout = true: expected a number or a text in quotes`],
    [inRoute('rescue = "restrat"'), `2:1: ${ONE}, rescue: expected one of none, restart, continue; did you mean restart?`],
    [inRoute("rescue = false"), `2:1: ${ONE}, rescue = false: expected a text in quotes`],
    [inRoute('buffer = "yes"'), `2:1: ${ONE}, buffer: expected true or false`],
    [inRoute('content_filter = "go"'), `2:1: ${ONE}, content_filter: expected one of stop, next`],
    [inRoute("max_wait = 1e9"), `2:1: ${ONE}, max_wait = 1000000000: expected ${SECONDS}`],
    [inRoute('cooldown = "2h"'), `2:1: ${ONE}, cooldown: expected at most cooldown_max, which is "1h" where nothing is said`],
    [inRoute("cooldown_max = 10\ncooldown = 20"), `3:1: ${ONE}, cooldown = 20: expected at most cooldown_max, which is "10s"`],
    [inRoute("hold = 3"), `2:1: ${ONE}, hold = 3: expected a table such as { frames = 256, bytes = 262144, ms = 0 }`],
    [inRoute("hold = { frames = 1, bytes = -1 }"), `2:22: ${ONE}, hold.bytes = -1: expected a whole number from 0 to 16777216`],
    [
      inRoute('hold = { frame = "x" }'),
      `2:10: ${ONE}, hold.frame: expected no key "frame"; did you mean frames? (known: frames, bytes, ms)`,
    ],
    [inRoute('match = "gpt"'), `2:1: ${ONE}, match: expected ${MATCH}`],
    [inRoute("match = { model = 4 }"), `2:11: ${ONE}, match.model = 4: expected a text in quotes`],
    [inRoute('match = { model = "" }'), `2:11: ${ONE}, match.model: expected a model's name, or a glob such as gpt-4*`],
    [
      inRoute('match = { path = "v1/chat" }'),
      `2:11: ${ONE}, match.path: expected a path, or a glob such as /v1/chat/*, that begins with / or *`,
    ],
    [
      inRoute('match = { model = "m", provider = "opnai" }'),
      `2:24: ${ONE}, match.provider: expected one of ${PROVIDERS}, or a glob that matches one of them; did you mean openai?`,
    ],
    [
      inRoute('match = { provider = "x*" }'),
      `2:11: ${ONE}, match.provider: expected one of ${PROVIDERS}, or a glob that matches one of them`,
    ],
    [
      inRoute('[route.match]\nprovder = "openai"'),
      `3:1: ${ONE}, match.provder: expected no key "provder"; did you mean provider? (known: provider, model, path)`,
    ],
    [
      "[[route]]\n[[route.targets]]\nprovider = 'opnai'\n",
      `3:1: ${ONE}, targets number 1, provider: expected one of ${PROVIDERS}; did you mean`,
    ],
    [
      inTarget('ur = "http://secret"'),
      `4:1: ${ONE}, targets number 1, ur: expected no key "ur"; did you mean url? (known: provider, url, model, dialect, credential, timeout, first_token_timeout, idle_timeout, retries, context_window, prefill)`,
    ],
    [inTarget('api_key = "sk-secret"'), `4:1: ${ONE}, targets number 1, api_key: expected no key "api_key"`],
    [
      inTarget('url = "https://me:secret@x.example"'),
      `4:1: ${ONE}, targets number 1, url: expected ${URL_EXPECTED}; a user or password in it is not taken`,
    ],
    [
      inTarget('url = "https://x.example?key=secret"'),
      `4:1: ${ONE}, targets number 1, url: expected ${URL_EXPECTED}; a base URL has no query and no fragment`,
    ],
    [inTarget('url = "x.example"'), `4:1: ${ONE}, targets number 1, url: expected ${URL_EXPECTED}; this is not a URL of that kind`],
    [inTarget('model = ""'), `4:1: ${ONE}, targets number 1, model: expected a model's name`],
    [
      inTarget('dialect = "gemini"'),
      `4:1: ${ONE}, targets number 1, dialect: expected chat, responses or messages: Google alone speaks gemini`,
    ],
    [
      inTarget('dialect = "chats"'),
      `4:1: ${ONE}, targets number 1, dialect: expected one of chat, responses, messages, gemini; did you mean chat?`,
    ],
    [inTarget("retries = 11"), `4:1: ${ONE}, targets number 1, retries = 11: expected a whole number from 0 to 10`],
    [inTarget("context_window = 0"), `4:1: ${ONE}, targets number 1, context_window = 0: expected a whole number from 1 to 1000000000`],
    [inTarget("prefill = 1"), `4:1: ${ONE}, targets number 1, prefill = 1: expected true or false`],
    [inTarget("idle_timeout = -1"), `4:1: ${ONE}, targets number 1, idle_timeout = -1: expected ${SECONDS}`],
    [
      `[[route]]\n${TARGET}${TARGET}`,
      `4:1: ${ONE}, targets number 2: expected a target that differs from number 1: it would be asked twice`,
    ],
    [
      '[[route]]\ntargets = [\n  { provider = "openai", model = "m", timeout = 60 },\n  { provider = "google" },\n  { timeout = "1m", model = "m", provider = "openai" },\n]\n',
      `5:3: ${ONE}, targets number 3: expected a target that differs from number 1: it would be asked twice`,
    ],
    [
      '[[route]]\ntargets = [\n  { provider = "openai", credential = { env = "A" } },\n  { provider = "openai", credential = {\tenv = "A-B" } },\n]\n',
      `4:41: ${ONE}, targets number 2, credential.env: expected ${ENV}`,
    ],
    [
      `[[route]]\nmatch = { model = "a" }\n${TARGET}[[route]]\n${TARGET}model = "m"\n[route.targets.credential]\nenv = "sk-secret"\n`,
      `10:1: [[route]] number 2, targets number 1, credential.env: expected ${ENV}`,
    ],
    [
      `[[route]]\n${TARGET}[[route]]\nmatch = { model = "a" }\n${TARGET}`,
      "4:1: [[route]] number 2: expected a match that leaves it something: all its requests go to number 1",
    ],
    [
      `[[route]]\nmatch = { model = "GPT-4*" }\n${TARGET}[[route]]\nmatch = { model = "gpt-4*", path = "/v1/*" }\n${TARGET}`,
      "5:1: [[route]] number 2: expected a match that leaves it something: all its requests go to number 1",
    ],
  ])("%j", (toml, expected) => {
    const lines = linesOf(toml);
    expect(lines).toHaveLength(1);
    if (/[)?:] ?$|whose$|mean$|"api_key"$/.test(expected)) expect(lines[0]).toStartWith(expected);
    else expect(lines).toEqual([expected]);
    expect(lines[0]).not.toContain("secret");
  });

  const CREDENTIAL = `4:1: ${ONE}, targets number 1, credential: expected ${SOURCES}`;
  const inside = (key: string, expected: string) => `4:16: ${ONE}, targets number 1, credential.${key}: expected ${expected}`;
  test.each<[string, string]>([
    ['"sk-ant-api03-secret0secret0"', CREDENTIAL],
    ['["sk-secret"]', CREDENTIAL],
    ['{ api_key = "sk-secret" }', CREDENTIAL],
    ['{ value = "secret" }', CREDENTIAL],
    ["{ sk-proj-s3cret0s3cret0 = true }", CREDENTIAL],
    ["{}", `4:1: ${ONE}, targets number 1, credential: expected exactly one of env, file, claude, keychain`],
    ['{ env = "A", claude = true }', `4:1: ${ONE}, targets number 1, credential: expected exactly one of env, file, claude, keychain`],
    ['{ evn = "A" }', inside("evn", 'no key "evn"; did you mean env? (known: env, file, claude, keychain)')],
    ['{ env = "" }', inside("env", ENV)],
    ['{ env = "$OPENAI_API_KEY" }', inside("env", ENV)],
    ['{ env = "sk-ant-api03-secret-AAAA" }', inside("env", ENV)],
    ['{ env = "AIzaSyD0secret0secret0secret0secret0" }', inside("env", ENV)],
    ['{ env = "gsk_secret0secret0secret0secret" }', inside("env", ENV)],
    ['{ env = "dapi0123456789abcdef0123456789abcdef" }', inside("env", ENV)],
    ['{ env = "0123456789abcdef0123456789abcdef" }', inside("env", ENV)],
    ['{ env = "abcdef0123456789abcdef0123456789" }', inside("env", ENV)],
    ["{ env = 3 }", `4:16: ${ONE}, targets number 1, credential.env = 3: expected ${ENV}`],
    ['{ file = "" }', inside("file", FILE)],
    ['{ file = "sk-ant-api03-secret0secret0" }', inside("file", FILE)],
    ['{ file = "~bob/key" }', inside("file", FILE)],
    ['{ file = "a\\u0000b" }', inside("file", FILE)],
    ["{ claude = false }", `4:16: ${ONE}, targets number 1, credential.claude = false: expected true, or another source in its place`],
    ['{ claude = "yes" }', inside("claude", "true, or another source in its place")],
    ['{ keychain = " " }', inside("keychain", KEYCHAIN)],
    ['{ keychain = "sk-ant-api03-secret0secret0" }', inside("keychain", KEYCHAIN)],
  ])("of the credential %s", (credential, expected) => {
    const lines = linesOf(inTarget(`credential = ${credential}`));
    expect(lines).toEqual([expected]);
    expect(lines[0]).not.toMatch(/s[e3]cret|0123/);
  });

  test("and several are told at once, in their order", () => {
    const toml = `[[route]]
rescue = "all"
targets = [
  { provider = "opnai", retries = 99 },
  { provider = "google", credential = { evn = "A" } },
]
[[route]]
hold = { ms = "x" }
[[route.targets]]
model = "m"
`;
    expect(linesOf(toml).map((line) => line.replace(/: expected.*/, ""))).toEqual([
      "2:1: [[route]] number 1, rescue",
      "4:5: [[route]] number 1, targets number 1, provider",
      "4:25: [[route]] number 1, targets number 1, retries = 99",
      "5:41: [[route]] number 1, targets number 2, credential.evn",
      "8:10: [[route]] number 2, hold.ms",
      "9:1: [[route]] number 2, targets number 1",
    ]);
  });

  test("at most 256 routes are taken", () => {
    const route = (index: number) => `[[route]]\nmatch.model = "m${index}"\ntargets = [{ provider = "openai" }]\n`;
    const routes = (count: number) => Array.from({ length: count }, (_, index) => route(index)).join("");
    expect(linesOf(routes(256))).toEqual([]);
    expect(linesOf(routes(257))).toEqual(["769:1: [[route]] number 257: expected at most 256 routes"]);
  });
});

test("a route turns its part of the gateway on, and an empty list of them does not", () => {
  expect(readToml(`[[route]]\n${TARGET}`).settings.featureTables).toEqual(["route"]);
  const { settings, problems } = readToml("route = []\n");
  expect([settings.routes, settings.featureTables, problems]).toEqual([[], undefined, []]);
});

// ---- what is shown is what is read ----

const MS = fc.nat({ max: 2_000_000 });
const NAME = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme" }).filter((name) => /\S/.test(name));
const CREDENTIALS: fc.Arbitrary<CredentialSource> = fc.oneof(
  fc.record({ kind: fc.constant("env" as const), name: fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,20}$/) }),
  fc
    .record({ kind: fc.constant("file" as const), path: fc.stringMatching(/^(~\/)?[a-z ."\\'#]{1,12}$/) })
    .filter(({ path }) => /\S/.test(path)),
  fc.constant({ kind: "claude" } as const),
  fc.record({ kind: fc.constant("keychain" as const), service: fc.stringMatching(/^[a-z][a-z "#\]}]{0,10}[a-z]$/) }),
);
const TARGETS = fc.uniqueArray(
  fc.record(
    {
      provider: fc.constantFrom(...PROVIDER_NAMES),
      url: fc.constantFrom("simulated", "http://127.0.0.1:1/v1", "https://a.example"),
      model: NAME,
      // Google alone speaks gemini.
      dialect: fc.constantFrom(...DIALECT_NAMES.filter((name) => name !== "gemini")),
      credential: CREDENTIALS,
      timeoutMs: MS,
      firstTokenTimeoutMs: MS,
      idleTimeoutMs: MS,
      retries: fc.nat({ max: 10 }),
      contextWindow: fc.integer({ min: 1, max: 10_000_000 }),
      prefill: fc.boolean(),
    },
    { requiredKeys: ["provider"] },
  ),
  {
    minLength: 1,
    maxLength: 4,
    selector: (target) => JSON.stringify(target, Object.keys(target).sort().concat("kind", "name", "path", "service")),
  },
);
const ROUTE: fc.Arbitrary<RouteSetting> = fc.record(
  {
    match: fc.record({ provider: fc.constantFrom("openai", "*", "o?en*"), path: fc.constantFrom("/v1/*", "*") }, { requiredKeys: [] }),
    targets: TARGETS,
    timeoutMs: MS,
    rescue: fc.constantFrom(...RESCUES),
    buffer: fc.boolean(),
    contentFilter: fc.constantFrom("stop", "next"),
    maxWaitMs: MS,
    cooldownMs: MS,
    cooldownMaxMs: MS.map((ms) => ms + 2_000_000),
    hold: fc.record(
      { frames: fc.nat({ max: 100_000 }), bytes: fc.nat({ max: 1_000_000 }), ms: fc.nat({ max: 1_000 }) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ["match", "targets"] },
);
/** By models of their own each is reached. */
const ROUTE_LISTS = fc
  .array(ROUTE, { maxLength: 3 })
  .map((routes) => routes.map((route, index) => ({ ...route, match: { ...route.match, model: `m${index}-*` } })));

function shown(toml: string): { readonly inLine: string; readonly blocks: string } {
  const configuration = readConfiguration({
    options: { config: "/f.toml" },
    environment: {},
    files: { read: () => toml, readIfThere: () => undefined },
  });
  if (isInputError(configuration)) throw new Error(configuration.message);
  const key = effectiveKeys(configuration, {}).find((each) => each.key === "route");
  const blocks = (key?.blocks ?? []).flatMap(({ header, lines }) => [header, ...lines]);
  return { inLine: `route = ${key?.value}\n`, blocks: `${blocks.join("\n")}\n` };
}

test("what is shown of routes means the same when it is read again, in one line and as tables", () => {
  fc.assert(
    fc.property(ROUTE_LISTS, (routes) => {
      const { inLine, blocks } = shown(`route = ${ROUTES.toToml?.(routes)}\n`);
      expect(routesOf(inLine)).toEqual(routes);
      expect(routesOf(blocks)).toEqual(routes.length === 0 ? undefined : routes);
    }),
  );
});

test("each table of a route is shown below a line of its own", () => {
  const toml = `[[route]]\nrescue = "continue"\n${TARGET}timeout = 90\n${TARGET}[[limits.override]]\nkey = "my-own-secret"\nrequests_per_day = 1\n`;
  expect(shown(toml).blocks).toBe(
    '[[route]]\nrescue = "continue"\n[[route.targets]]\nprovider = "openai"\ntimeout = "90s"\n[[route.targets]]\nprovider = "openai"\n',
  );
});

describe("what people read of routes is what holds", () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/failover.md"), "utf8");
  const inCode = (text: string) => `\`${text}\``;
  const rows = Object.entries(ROUTE_COLUMNS).flatMap(([table, columns]) =>
    Object.entries(columns).map(([key, column]) => [`${table}.${key}`, key, column] as const),
  );

  test.each(rows)(
    "%s stands in failover.md with its default and what it means",
    (_, key, { summary, defaultText, isRequired, example }) => {
      const preset = isRequired
        ? "must be given"
        : defaultText === undefined
          ? "–"
          : example === undefined
            ? inCode(defaultText)
            : defaultText;
      expect(page).toContain(`\n| ${inCode(key)} | ${preset} | ${summary} |\n`);
    },
  );

  test("failover.md has no other keys", () => {
    const named = [...page.matchAll(/^\| `(\w+)` \| /gm)].map(([, key]) => key ?? "").sort();
    expect(named).toEqual(rows.map(([, key]) => key).sort());
  });

  test("the example file has every key of a route, and those with a default have it there", () => {
    const live = exampleFile().replace(/^#(?! )/gm, "");
    const [route] = readToml(live).settings.routes ?? [];
    const { match: _match, targets = [], ...rest } = route ?? {};
    expect(rest).toEqual(ROUTE_DEFAULTS);
    expect(targets).toMatchObject([ROUTE_TARGET_DEFAULTS]);
    expect(Object.keys(targets[0] ?? {}).sort()).toEqual(
      Object.values(ROUTE_COLUMNS["route.targets"])
        .map(({ name }) => name)
        .sort(),
    );
  });

  test("the mistakes that failover.md shows are told so", () => {
    const toml =
      '[[route]]\nrescue = "none"\ntargets = [\n  { provider = "opnai" },\n  { provider = "anthropic", credential = { env = "sk-secret" } },\n]\n';
    const told = [...page.matchAll(/^ {4}failover\.toml:(.*)$/gm)].map(([, line]) => line ?? "");
    expect(linesOf(toml)).toEqual(told);
  });
});
