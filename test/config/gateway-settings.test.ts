import { describe, expect, test } from "bun:test";
import { exampleFile } from "../../src/config/example.ts";
import { readToml } from "../../src/config/read-file.ts";
import { readConfiguration } from "../../src/config/read-settings.ts";
import { isInputError } from "../../src/core/errors.ts";

const linesOf = (toml: string) => readToml(toml).problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);

describe("nonsense is refused with its place, and without secrets", () => {
  test.each([
    ["[limits]\nrequests_per_minute = -1\n", "2:1: limits.requests_per_minute = -1: expected a whole number from 0 to 1000000000000"],
    ["[limits]\ntokens_per_day = 1.5\n", "2:1: limits.tokens_per_day = 1.5: expected a whole number from 0 to 1000000000000"],
    ["[limits]\nrequests_per_minut = 1\n", '2:1: unknown key "requests_per_minut" in [limits]; did you mean requests_per_minute?'],
    [
      '[[limits.override]]\nmodel = "a"\nrequests_per_minute = 1\n\n[[limits.override]]\nmodel = "b"\ntokens_per_minute = -5\n',
      "7:1: [[limits.override]] number 2, tokens_per_minute = -5: expected a whole number from 0 (none) to 1000000000000",
    ],
    [
      '[[limits.override]]\nmodel = "a"\nkey = "sk-secret-secret-secret"\nrequests_per_minute = 1\n',
      "1:1: [[limits.override]] number 1: expected exactly one of provider, model, key and user in each table",
    ],
    ['[[limits.override]]\nkey = "*"\n', "1:1: [[limits.override]] number 1: expected at least one of requests_per_minute"],
    ['[[limits.override]]\nmodell = "*"\n', '2:1: [[limits.override]] number 1, modell: expected no key "modell"; did you mean model?'],
    [
      '[[limits.override]]\nprovider = "opnai"\nrequests_per_minute = 1\n',
      "2:1: [[limits.override]] number 1, provider: expected one of openai, anthropic",
    ],
    ['[server]\napi_keys = [""]\n', "2:1: server.api_keys = …: expected a list of keys"],
    ["[limits]\noverride = 3\n", "2:1: limits.override = 3: expected a list of tables"],
    ['[limits]\non_store_loss = "fail"\n', "expected one of share, open, closed"],
    ["[breaker]\nwindow_seconds = 0\n", "2:1: breaker.window_seconds = 0: expected seconds above 0"],
    ["[breaker]\nfailure_threshold = 0\n", "expected a whole number from 1 to 1000"],
    ['[breaker]\nmode = "enforced"\n', "expected one of off, log, enforce; did you mean enforce?"],
    ["[retry]\nmax_transient_retries = 99\n", "expected a whole number from 0 to 10"],
    [
      '[[cost.price]]\nmodel = "m"\ninput_per_million = -1\noutput_per_million = 1\n',
      "3:1: [[cost.price]] number 1, input_per_million = -1: expected a price in USD for a million tokens, 0 or above",
    ],
    ['[[cost.price]]\nmodel = "m"\ninput_per_million = 1\n', "1:1: [[cost.price]] number 1: expected output_per_million in each table"],
    ["[cost]\nkeep_days = 0\n", "expected a whole number from 1 to 3650"],
    ['[state]\nurl = "http://:secret@host"\n', "2:1: state.url = …: expected redis://"],
    ['[server]\napi_keys = ["short-secret"]\n', "2:1: server.api_keys = …: expected a list of keys, each at least 16 characters"],
    ['[cors]\nallowed_origins = ["https://a.example/path"]\n', "expected a list of origins"],
  ])("%p", (toml, expected) => {
    const lines = linesOf(toml);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
    expect(lines[0]).not.toContain("secret");
  });
});

function settingsOf(toml: string, environment: Readonly<Record<string, string>> = {}) {
  const files = { read: () => toml, readIfThere: () => undefined };
  const configuration = readConfiguration({ options: { config: "/f.toml" }, environment, files });
  if (isInputError(configuration)) throw new Error(configuration.message);
  return configuration.settings;
}

test("a table in which something is set turns its feature on", () => {
  expect(settingsOf("").featureTables).toEqual([]);
  expect(settingsOf("[breaker]\nfailure_threshold = 2\n[limits]\nrequests_per_minute = 3\n").featureTables).toEqual(["limits", "breaker"]);
});

test("retries stand in [breaker] too, as other gateways have them", () => {
  expect(settingsOf("[breaker]\nmax_transient_retries = 1\nmax_rate_limit_retries = 0\n")).toMatchObject({
    maxTransientRetries: 1,
    maxRateLimitRetries: 0,
  });
});

test("lists of tables are read whole", () => {
  const toml = '[[limits.override]]\nkey = "*"\nrequests_per_minute = 60\n[[limits.override]]\nuser = "ann"\ntokens_per_day = 0\n';
  expect(settingsOf(toml).limitOverrides).toEqual([
    { key: "*", requestsPerMinute: 60 },
    { user: "ann", tokensPerDay: 0 },
  ]);
});

test("keys and the store's URL come by the environment too, and a mistake does not show them", () => {
  const environment = { FAULTPROXY_API_KEYS: "0123456789abcdef,fedcba9876543210", FAULTPROXY_STATE_URL: "redis://:secret@localhost:1/0" };
  expect(settingsOf("", environment)).toMatchObject({
    apiKeys: ["0123456789abcdef", "fedcba9876543210"],
    stateUrl: "redis://:secret@localhost:1/0",
  });
  expect(() => settingsOf("", { FAULTPROXY_API_KEYS: "secret" })).toThrow("FAULTPROXY_API_KEYS=…: expected a list of keys");
});

test("the example file, with every key of the gateway turned on, is right", () => {
  const lines = exampleFile().split("\n");
  const from = lines.indexOf("#[limits]");
  const to = lines.findIndex((line) => line.startsWith("# One server in place"));
  const toml = lines
    .slice(from, to)
    .filter((line) => /^#[^ ]/.test(line))
    .map((line) => line.slice(1))
    .join("\n");
  expect(toml).toContain("[limits.estimation]");
  expect(readToml(toml).problems).toEqual([]);
});
