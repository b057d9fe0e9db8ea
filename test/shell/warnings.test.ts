import { expect, test } from "bun:test";
import type { Settings } from "../../src/config/settings.ts";
import { isInputError } from "../../src/core/errors.ts";
import { targetsOf } from "../../src/shell/targets.ts";
import { warningsOf } from "../../src/shell/warnings.ts";
import { settings } from "./support.ts";

const TLS = { serverName: "x" };
const LOCAL = Object.fromEntries(
  ["openai", "anthropic", "google", "openrouter", "tetrate", "databricks"].map((name) => [name, "http://127.0.0.1:1"]),
);

test.each<[string, Partial<Settings>, Record<string, string>, readonly string[]]>([
  ["nothing", {}, {}, []],
  ["a proxy that can be used", {}, { https_proxy: "http://a:1" }, []],
  [
    "one that cannot, for the targets that would go through it",
    { upstreams: { ...LOCAL, google: "https://google.test", openai: "https://openai.test" } },
    { HTTPS_PROXY: "socks5://me:secret@a:1" },
    [
      "HTTPS_PROXY names a socks5 proxy, which is not spoken: expected http://[USER:PASSWORD@]HOST[:PORT]; requests to openai.test, google.test get a 502 (or name them in NO_PROXY)",
    ],
  ],
  ["one that cannot, where nothing goes through it", { simulate: true }, { ALL_PROXY: "socks5://a:1" }, []],
  ["one that cannot, where fetch reads the variables", { engine: "serve" }, { ALL_PROXY: "socks5://a:1" }, []],
  [
    "certificates for a target without TLS",
    { upstreams: LOCAL, targets: { openai: TLS } },
    {},
    ["providers.openai: http://127.0.0.1:1 is no https:// address; certificates and server name are not used"],
  ],
  ["certificates for a target with TLS", { targets: { openai: TLS } }, {}, []],
  ["certificates for a target that is built in", { simulate: true, targets: { openai: TLS } }, {}, []],
  [
    "settings of a provider whose requests go to the backend",
    { backend: "http://127.0.0.1:1", targets: { openai: { dialect: "chat" } } },
    {},
    ["providers.openai: its requests go to the backend, and what is set here is not used; give it an upstream of its own"],
  ],
  [
    "a backend that the built-in provider takes the place of",
    { backend: "http://127.0.0.1:1", simulate: true },
    {},
    ["backend: the built-in provider answers in its place (simulate)"],
  ],
  ["a backend that is the built-in provider", { backend: "simulated", simulate: true }, {}, []],
  [
    "a backend that nobody goes to",
    { backend: "http://127.0.0.1:1", upstreams: LOCAL },
    {},
    ["backend: every provider has an upstream of its own; the backend is never asked"],
  ],
  [
    "timeouts that the engine does not have",
    { simulate: true, engine: "serve", idleTimeoutMs: 1 },
    {},
    ["head_timeout and idle_timeout (--head-timeout, --idle-timeout) need the wire engine; with serve there is no limit"],
  ],
])("%s", (_, changes, environment, expected) => {
  const all = settings({ simulate: false, ...changes });
  const targets = targetsOf(all, {});
  if (isInputError(targets)) throw new Error(targets.message);
  expect(warningsOf(all, targets, environment)).toEqual([...expected]);
});
