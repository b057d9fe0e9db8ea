import { expect, test } from "bun:test";
import type { Settings } from "../../src/config/settings.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import type { RouteTargetState } from "../../src/shell/route-states.ts";
import { routeWarnings } from "../../src/shell/route-warnings.ts";
import type { Targets } from "../../src/shell/targets.ts";
import { settings } from "./support.ts";

const URLS = Object.fromEntries(PROVIDER_NAMES.map((name) => [name, { kind: "url", base: `https://${name}.example` }])) as Targets;
const TARGETS: Targets = { ...URLS, databricks: { kind: "missing", variable: "DATABRICKS_HOST" } };

type Credential = NonNullable<RouteTargetState["credential"]>;

const MISSING: Credential = {
  kind: "env",
  source: "env KEY",
  state: "missing",
  expires: null,
  detail: "the environment variable KEY is not set where faultproxy was started; set it and start it again",
};
const READY: Credential = { ...MISSING, state: "ready", detail: null };
const LENT = { match: {}, targets: [{ provider: "openai", credential: { kind: "env", name: "KEY" } }] } as const;
const LENT_TEXT =
  "the credentials of [[route]] are lent to requests from this machine alone, for there are no [server] api_keys that others could show";

test.each<[string, Partial<Settings>, Readonly<Record<string, Credential | undefined>>, readonly string[]]>([
  ["nothing", {}, {}, []],
  ["targets that can be asked", { routes: [LENT] }, { openai: READY, google: undefined }, []],
  [
    "a credential that is missing, once for all of its targets",
    { routes: [LENT] },
    { openai: MISSING, "openai/gpt-4o": MISSING, google: READY },
    [`${MISSING.detail}; until then the targets openai, openai/gpt-4o of routes are passed over`],
  ],
  [
    "credentials that are not to be used, each for itself",
    { routes: [LENT] },
    { openai: MISSING, anthropic: { ...MISSING, source: "claude", state: "expired", detail: "the login expired; use claude once" } },
    [
      `${MISSING.detail}; until then the target openai of a route is passed over`,
      "the login expired; use claude once; until then the target anthropic of a route is passed over",
    ],
  ],
  [
    "a target that is nowhere",
    { routes: [LENT, { match: {}, targets: [{ provider: "databricks" }, { provider: "databricks", model: "m" }] }] },
    {},
    ["[[route]] number 2: its target at databricks is never asked, for its host is not known; set DATABRICKS_HOST, or its url"],
  ],
  [
    "a target with a place of its own",
    { routes: [{ match: {}, targets: [{ provider: "databricks", url: "http://127.0.0.1:1" }] }] },
    {},
    [],
  ],
  ["credentials that others than this machine cannot borrow", { routes: [LENT], open: true }, {}, [LENT_TEXT]],
  ["credentials that others borrow with a key", { routes: [LENT], open: true, apiKeys: ["k"] }, {}, []],
  ["an open proxy without credentials", { routes: [{ match: {}, targets: [{ provider: "openai" }] }], open: true }, {}, []],
])("%s", (_, changes, credentials, expected) => {
  const targets = Object.entries(credentials).map(([name, credential]) => ({
    ...{ name, credential, circuit: undefined, cooldown: undefined, passedOver: undefined },
  }));
  const states = targets.length === 0 ? [] : [{ match: {}, targets, isServed: true }];
  expect(routeWarnings(settings(changes), TARGETS, states)).toEqual([...expected]);
});
