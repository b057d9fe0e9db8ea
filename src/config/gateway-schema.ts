import { KEY_HASH, KEY_HASH_DIGITS } from "../core/key-hash.ts";
import { PROVIDER_NAMES } from "../core/provider.ts";
import { STORE_LOSS_WAYS } from "../core/state-store.ts";
import { DEGRADED_SIGNAL } from "../policy/degraded-answer.ts";
import type { GatewaySettings, LimitOverrideSetting, PriceSetting } from "./gateway-settings.ts";
import { ROUTE_COLUMNS, ROUTES } from "./route-schema.ts";
import type { Setting } from "./schema.ts";
import { type Column, type Columns, tableList } from "./table-list.ts";
import {
  choice,
  inFile as inFileKind,
  integer,
  isTable,
  ORIGINS,
  POSITIVE_SECONDS,
  REDIS_URL,
  SECONDS,
  SECRETS,
  SWITCH,
  text,
  type ValueKind,
  WORDS,
} from "./value-kinds.ts";

type Rows = { readonly [Name in Exclude<keyof GatewaySettings, "featureTables">]: Setting<GatewaySettings[Name]> };

/** A table of the file with a row for each of its keys. */
function inFile<Value, Preset extends Value | undefined>(
  key: string,
  value: ValueKind<Value>,
  preset: Preset,
  summary: string,
  more: Partial<Pick<Setting<Value>, "aliases" | "defaultText" | "example" | "onlyAtStart">> = {},
) {
  return { key, option: undefined, variables: [], value, default: preset, summary, ...more };
}

/** More than any account has, and still exact. */
const LIMIT_MAX = 1_000_000_000_000;
const LIMIT = integer("N", 0, LIMIT_MAX);
const RETRIES = integer("N", 0, 10);
const MIB = 1024 * 1024;

const isLimit = (value: unknown) => (Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= LIMIT_MAX ? value : undefined);
const isFilled = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const oneOf = (choices: readonly string[]) => (value: unknown) => choices.find((each) => each === value);
const isPrice = (value: unknown) => (typeof value === "number" && value >= 0 && value <= 1_000_000 ? value : undefined);

const column = (name: string, hint: string, expected: string, read: (value: unknown) => unknown): Column => ({
  name,
  value: inFileKind(hint, expected, read),
});
const limitColumn = (name: string) => column(name, "N", `a whole number from 0 (none) to ${LIMIT_MAX}`, isLimit);
const priceColumn = (name: string) => column(name, "PRICE", "a price in USD for a million tokens, 0 or above", isPrice);

const OVERRIDE_COLUMNS: Columns = {
  provider: column("provider", "NAME", `one of ${PROVIDER_NAMES.join(", ")}, or a glob such as *`, (value) =>
    /[*?]/.test(String(value)) ? isFilled(value) : oneOf(PROVIDER_NAMES)(value),
  ),
  model: column("model", "GLOB", "a model's name, or a glob such as gpt-5*", isFilled),
  key: {
    ...column(
      "key",
      "KEY",
      `a client's key, its hash of ${KEY_HASH_DIGITS} digits as faultproxy cost shows it, or * for each key`,
      isFilled,
    ),
    isSecret: (value) => value !== "*" && !KEY_HASH.test(String(value)),
  },
  user: column("user", "GLOB", "a user's name, or a glob such as *", isFilled),
  requests_per_minute: limitColumn("requestsPerMinute"),
  tokens_per_minute: limitColumn("tokensPerMinute"),
  requests_per_day: limitColumn("requestsPerDay"),
  tokens_per_day: limitColumn("tokensPerDay"),
  on_store_loss: column("onStoreLoss", "WAY", `one of ${STORE_LOSS_WAYS.join(", ")}`, oneOf(STORE_LOSS_WAYS)),
};

const OVERRIDES = tableList<LimitOverrideSetting>(OVERRIDE_COLUMNS, ({ provider, model, key, user, onStoreLoss: _way, ...numbers }) => {
  const named = [provider, model, key, user].filter((each) => each !== undefined).length;
  if (named !== 1) return "exactly one of provider, model, key and user in each table";
  return Object.keys(numbers).length === 0
    ? "at least one of requests_per_minute, tokens_per_minute, requests_per_day, tokens_per_day"
    : undefined;
});

const PRICE_COLUMNS: Columns = {
  provider: column("provider", "NAME", `one of ${PROVIDER_NAMES.join(", ")}`, oneOf(PROVIDER_NAMES)),
  model: { ...column("model", "GLOB", "a model's name, or a glob such as my-*", isFilled), isRequired: true },
  input_per_million: { ...priceColumn("inputPerMillion"), isRequired: true },
  output_per_million: { ...priceColumn("outputPerMillion"), isRequired: true },
  cache_read_per_million: priceColumn("cacheReadPerMillion"),
  cache_write_per_million: priceColumn("cacheWritePerMillion"),
};

const PRICES = tableList<PriceSetting>(PRICE_COLUMNS);

/** The keys of each table in a list of tables, by the key of the list; and of those inside. The manual has them from here too. */
export const LIST_COLUMNS = { "limits.override": OVERRIDE_COLUMNS, "cost.price": PRICE_COLUMNS, ...ROUTE_COLUMNS } as const;

const CHARS_EXPECTED = `a table from providers (${PROVIDER_NAMES.join(", ")}) to numbers above 0, such as { openai = 5, anthropic = 3 }`;

const CHARS_PER_PROVIDER: ValueKind<GatewaySettings["providerCharsPerToken"]> = {
  hint: "TABLE",
  tomlTypes: [],
  parse: () => ({ ok: false, expected: CHARS_EXPECTED }),
  fromToml(value) {
    const isRight =
      isTable(value) &&
      Object.entries(value).every(
        ([name, each]) => PROVIDER_NAMES.some((provider) => provider === name) && typeof each === "number" && each > 0 && each <= 1_000,
      );
    return isRight ? { ok: true, value: value as GatewaySettings["providerCharsPerToken"] } : { ok: false, expected: CHARS_EXPECTED };
  },
};

/** Everything of `[limits]`, `[retry]`, `[breaker]`, `[cors]`, `[cost]`, `[state]` and `[[route]]`, and of `[server]` what says who may use it. */
export const GATEWAY_SETTINGS: Rows = {
  gateway: {
    key: "gateway",
    option: "gateway",
    variables: ["FAULTPROXY_GATEWAY"],
    value: SWITCH,
    default: false,
    summary: "survive real failures: retries, circuit breaker, costs, CORS, /health and /metrics, and limits where they are set",
  },
  apiKeys: {
    key: "server.api_keys",
    option: undefined,
    variables: ["FAULTPROXY_API_KEYS"],
    value: SECRETS,
    default: [],
    summary: "keys of which clients must show one, as x-faultproxy-key; each a text of at least 16 characters, or sha256: and its digest",
    example: '["a-long-random-text-of-your-own"]',
  },
  open: {
    key: "server.open",
    option: "open",
    variables: ["FAULTPROXY_OPEN"],
    value: SWITCH,
    default: false,
    summary: "let everybody who reaches it use it, also on addresses that other machines reach",
    onlyAtStart: true,
  },
  names: inFile(
    "server.names",
    WORDS,
    [],
    'host names that it is asked by, beside localhost, addresses, and names without a dot; "*" for any',
    {
      example: '["llm.example.com"]',
    },
  ),
  headBytesMax: inFile("server.max_head_bytes", integer("N", 1_024, MIB), 64 * 1_024, "bytes that the head of a request may have", {
    onlyAtStart: true,
  }),
  bodyBytesMax: inFile("server.max_body_bytes", integer("N", 1_024, 2 ** 50), 1_024 * MIB, "bytes that the body of a request may have"),
  connectionsMax: inFile("server.max_connections", integer("N", 1, 1_000_000), 16_384, "connections of clients at a time", {
    onlyAtStart: true,
  }),
  streamsMax: inFile("server.max_streams", integer("N", 1, 1_000_000), 16_384, "requests that are being answered at a time"),

  requestsPerMinute: inFile("limits.requests_per_minute", LIMIT, 0, "requests of all clients within any minute; 0: no limit"),
  tokensPerMinute: inFile("limits.tokens_per_minute", LIMIT, 0, "input tokens of all clients within any minute; 0: no limit"),
  requestsPerDay: inFile("limits.requests_per_day", LIMIT, 0, "requests of all clients within any 24 hours; 0: no limit"),
  tokensPerDay: inFile("limits.tokens_per_day", LIMIT, 0, "input tokens of all clients within any 24 hours; 0: no limit"),
  onStoreLoss: inFile(
    "limits.on_store_loss",
    choice("WAY", STORE_LOSS_WAYS),
    "share",
    "while the shared store is away: this instance's share of each limit, open (no limit), or closed (nothing passes)",
  ),
  userHeader: inFile(
    "limits.user_header",
    text("NAME", "the name of a header field", /^[!#$%&'*+.^_`|~\w-]+$/),
    "x-user-id",
    "header field that names the user; without it the request's own user field counts",
  ),
  limitOverrides: inFile(
    "limits.override",
    OVERRIDES,
    [],
    "limits of one provider, model, key or user, or with * of each; above the number for all they are an allowance of their own",
    { example: '[{ key = "*", requests_per_minute = 60 }]' },
  ),
  maxSampleBytes: inFile(
    "limits.estimation.max_sample_bytes",
    integer("N", 0, 32 * MIB),
    20_000,
    "tokens of bodies up to this size are estimated from their text, of larger ones from their bytes",
  ),
  bytesPerToken: inFile("limits.estimation.bytes_per_token", integer("N", 1, 1_000), 4, "bytes of a body for one token"),
  charsPerToken: inFile("limits.estimation.chars_per_token", integer("N", 1, 1_000), 4, "characters of text for one token"),
  providerCharsPerToken: inFile(
    "limits.estimation.provider_chars_per_token",
    CHARS_PER_PROVIDER,
    { openai: 5, anthropic: 3 },
    "the same by provider; faultproxy estimate measures it",
  ),

  maxTransientRetries: inFile(
    "retry.max_transient_retries",
    RETRIES,
    2,
    "how often a request is tried again after the target failed (5xx, transport)",
    {
      aliases: ["breaker.max_transient_retries"],
    },
  ),
  maxRateLimitRetries: inFile("retry.max_rate_limit_retries", RETRIES, 2, "how often a request is tried again after a rate limit", {
    aliases: ["breaker.max_rate_limit_retries"],
  }),
  transientDelayMs: inFile(
    "retry.transient_delay",
    SECONDS,
    500,
    "wait before the first retry after a failure, in seconds; doubles with each",
  ),
  rateLimitDelayMs: inFile(
    "retry.rate_limit_delay",
    SECONDS,
    1_000,
    "wait before the first retry after a rate limit that says nothing itself",
  ),
  retryAfterMaxMs: inFile(
    "retry.max_retry_after",
    SECONDS,
    60_000,
    "a target that asks for a longer wait than this is not waited for; the client gets its answer",
  ),
  retryBodyBytesMax: inFile(
    "retry.max_body_bytes",
    integer("N", 0, 32 * MIB),
    10 * MIB,
    "larger request bodies are not kept, and sent once",
  ),

  breakerMode: inFile(
    "breaker.mode",
    choice<"off" | "log" | "enforce">("MODE", ["off", "log", "enforce"]),
    undefined,
    "log only counts and tells; enforce answers in the place of a target that does not work",
    {
      defaultText: "enforce with --gateway, [[route]] or another key of [breaker], else off",
      example: '"enforce"',
    },
  ),
  failureThreshold: inFile("breaker.failure_threshold", integer("N", 1, 1_000), 5, "failures within the window that open a circuit"),
  windowMs: inFile("breaker.window_seconds", POSITIVE_SECONDS, 120_000, "the window in which they are counted"),
  cooldownMs: inFile("breaker.cooldown_seconds", POSITIVE_SECONDS, 300_000, "how long a circuit stays open before one request may try"),
  retryContributionMode: inFile(
    "breaker.retry_contribution_mode",
    choice("MODE", ["off", "log", "on"]),
    "log",
    "do failures count that a retry healed: on counts them, log only tells",
  ),
  escalationMs: inFile(
    "breaker.global_rate_limit_escalation_window",
    POSITIVE_SECONDS,
    60_000,
    "rate limits of a whole account that last longer than this count as failures",
  ),
  degradedSignal: inFile(
    "breaker.degraded_signal",
    text("TEXT", "a text of at most 256 characters", /^.{0,256}$/s),
    DEGRADED_SIGNAL,
    "the marker in the text of the degraded answer",
  ),
  testMode: inFile(
    "breaker.test_mode_enabled",
    SWITCH,
    false,
    "obey x-llm-proxy-test-mode and llm_proxy_test_mode: force_degraded, force_transient_recover",
  ),
  providerOpenModels: inFile(
    "breaker.provider_open_models",
    integer("N", 0, 1_000),
    0,
    "so many open models of a provider stand for all of them; 0: each for itself",
  ),

  corsOrigins: inFile("cors.allowed_origins", ORIGINS, ["*"], 'origins whose pages may call the data plane; "*" for any', {
    example: '["https://app.example.com"]',
  }),

  ledgerFile: inFile(
    "cost.ledger",
    text("FILE", "the path of a file, or an empty text for none", /^$|\S/),
    undefined,
    "SQLite file with a row for each inference request; empty for none",
    {
      defaultText: "faultproxy/ledger.sqlite in the state folder",
      example: '"/var/lib/faultproxy/ledger.sqlite"',
      onlyAtStart: true,
    },
  ),
  ledgerKeepDays: inFile("cost.keep_days", integer("DAYS", 1, 3_650), 90, "older rows are taken out", { onlyAtStart: true }),
  ledgerLinesFile: inFile(
    "cost.json_lines",
    text("FILE", "the path of a file", /\S/),
    undefined,
    "the same rows as JSON, one a line, appended to this file",
    {
      defaultText: "none",
      example: '"/var/lib/faultproxy/exchanges.jsonl"',
      onlyAtStart: true,
    },
  ),
  includeUsage: inFile(
    "cost.include_usage",
    SWITCH,
    true,
    "ask Chat Completions streams for their usage where the client did not, and take the extra chunk out again",
  ),
  prices: inFile("cost.price", PRICES, [], "prices in USD for a million tokens, before those that are known", {
    example: '[{ model = "m*", input_per_million = 1, output_per_million = 2 }]',
  }),

  stateUrl: {
    key: "state.url",
    option: undefined,
    variables: ["FAULTPROXY_STATE_URL"],
    value: REDIS_URL,
    default: undefined,
    defaultText: "in memory",
    summary: "Redis or Valkey that several instances share for limits and circuits: redis://… or rediss://…",
    example: '"redis://:password@redis.example:6379/0"',
    onlyAtStart: true,
  },
  statePrefix: inFile(
    "state.prefix",
    text("TEXT", "letters, digits, - and _", /^[\w-]{1,64}$/),
    "faultproxy",
    "with which all keys in the store begin",
    { onlyAtStart: true },
  ),

  routes: inFile("route", ROUTES, [], "which targets a request may go to, one after the other; the first that matches counts"),
};
