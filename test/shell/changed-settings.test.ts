import { describe, expect, test } from "bun:test";
import { readToml } from "../../src/config/read-file.ts";
import { SETTING_ROWS } from "../../src/config/schema.ts";
import type { Settings } from "../../src/config/settings.ts";
import { TARGET_ROWS } from "../../src/config/target-schema.ts";
import { changedSettings } from "../../src/shell/changed-settings.ts";
import { settings } from "./support.ts";

const NONE = { applied: [], atNextStart: [] };

function read(toml: string): Settings {
  const { settings: found, problems } = readToml(toml);
  expect(problems).toEqual([]);
  return settings(found);
}

describe("changed settings", () => {
  test.each<[string, string, string, Partial<ReturnType<typeof changedSettings>>]>([
    ["nothing", "seed = 1", "# the same\nseed = 1", {}],
    ["a backend that comes", "", '[backend]\nendpoint = "http://a"', { applied: ["backend.endpoint"] }],
    ["a backend that goes", '[backend]\nendpoint = "http://a"\ntimeout = 1', "", { applied: ["backend.endpoint", "backend.timeout"] }],
    ["a table that says what holds anyway", "", '[cors]\nallowed_origins = ["*"]', { applied: ["[cors]"] }],
    ["such a table that goes", "[breaker]\nfailure_threshold = 5", "", { applied: ["[breaker]"] }],
    ["a route that comes", "", '[[route]]\ntargets = [{ provider = "openai" }]', { applied: ["route"] }],
    [
      "a key of a route's target",
      '[[route]]\ntargets = [{ provider = "openai" }]',
      '[[route]]\n[[route.targets]]\nprovider = "openai"\nretries = 1',
      { applied: ["route"] },
    ],
    [
      "a route that is written otherwise",
      '[[route]]\ntargets = [{ provider = "openai", timeout = 60 }]',
      '[[route]]\n[[route.targets]]\nprovider = "openai"\ntimeout = "1m"',
      {},
    ],
    ["a key of a target", "[providers.openai]\ntimeout = 1", "[providers.openai]\ntimeout = 2", { applied: ["providers.openai.timeout"] }],
    ["one that is written otherwise", "[providers.openai]\ntimeout = 60", '[providers.openai]\ntimeout = "1m"', {}],
    [
      "a table in another order",
      '[backend]\nendpoint = "http://a"\nmodels = ["a", "b"]',
      '[backend]\nendpoint = "http://a"\nmodels = ["b", "a"]',
      { applied: ["backend.models"] },
    ],
    [
      "a preset, by what follows from it",
      '[backend]\nendpoint = "http://a"',
      '[backend]\nendpoint = "http://a"\npreset = "lightspeed"\nextra_headers = { "X-LCS-Merge-Server-Tools" = "false" }',
      {
        applied: [
          "backend.auth.cert_file",
          "backend.auth.key_file",
          "backend.dialect",
          "backend.system_messages",
          "backend.extra_headers",
          "backend.extra_body",
          "backend.models",
        ],
      },
    ],
    [
      "an upstream and a port",
      "",
      '[providers.google]\nupstream = "http://a"\nport = 1',
      { applied: ["providers.google.upstream"], atNextStart: ["providers.google.port"] },
    ],
    [
      "two sorts at once",
      'port = 1\nsimulate = false\nlog_level = "info"',
      'port = 2\nsimulate = true\nlog_level = "warn"',
      { applied: ["simulate"], atNextStart: ["port", "log_level"] },
    ],
  ])("%s", (_, before, after, expected) => {
    expect(changedSettings(read(before), read(after))).toEqual({ ...NONE, ...expected });
  });

  test("every setting of the program is told by its key, and by when it counts", () => {
    const before = settings();
    for (const [name, { key, onlyAtStart }] of SETTING_ROWS) {
      if (key === "") continue;
      const expected = onlyAtStart ? { ...NONE, atNextStart: [key] } : { ...NONE, applied: [key] };
      expect(changedSettings(before, { ...before, [name]: "something else" })).toEqual(expected);
    }
  });

  test("every setting of a target is told by its key", () => {
    const before = settings();
    for (const [name, { key }] of TARGET_ROWS) {
      if (["upstream", "endpoint", "port", "preset"].includes(name)) continue;
      for (const [scope, table] of [
        ["backend", "backend"],
        ["google", "providers.google"],
      ] as const) {
        const after = { ...before, targets: { [scope]: { [name]: "something" } } } as unknown as Settings;
        const expected = { ...NONE, applied: [`${table}.${key}`] };
        expect([changedSettings(before, after), changedSettings(after, before)]).toEqual([expected, expected]);
      }
    }
  });
});
