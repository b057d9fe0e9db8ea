import { DIALECT_NAMES } from "../core/dialect.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES } from "../core/provider.ts";
import { RESCUES } from "../core/route.ts";
import { globMatches } from "../rules/glob.ts";
import { CREDENTIAL, CREDENTIAL_COLUMNS } from "./credential-kind.ts";
import {
  CONTENT_FILTER_WAYS,
  ROUTE_DEFAULTS,
  ROUTE_TARGET_DEFAULTS,
  type RouteHoldSetting,
  type RouteMatchSetting,
  type RouteSetting,
  type RouteTargetSetting,
} from "./route-settings.ts";
import { type Columns, innerTable, mapped, type TableKind, tableList } from "./table-list.ts";
import { durationText, tomlText } from "./toml-text.ts";
import { choice, integer, type Mistake, SECONDS, SWITCH, text, UPSTREAM, type ValueKind } from "./value-kinds.ts";

/** More would be asked by nobody's patience. */
const TARGETS_MAX = 16;
const ROUTES_MAX = 256;

const PROVIDER_GLOB: ValueKind<string> = {
  hint: "GLOB",
  tomlTypes: ["string"],
  parse(value) {
    if (value !== "" && PROVIDER_NAMES.some((name) => globMatches(value, name))) return { ok: true, value };
    const expected = `one of ${PROVIDER_NAMES.join(", ")}, or a glob that matches one of them${didYouMean(value, PROVIDER_NAMES)}`;
    return { ok: false, expected };
  },
};

const MATCH_COLUMNS: Columns = {
  provider: {
    name: "provider",
    value: PROVIDER_GLOB,
    summary: "the provider that the request is for",
    defaultText: "any",
    example: '"openai"',
  },
  model: {
    name: "model",
    value: text("GLOB", "a model's name, or a glob such as gpt-4*", /\S/),
    summary: "the model that it asks for",
    defaultText: "any",
    example: '"gpt-4*"',
  },
  path: {
    name: "path",
    value: text("GLOB", "a path, or a glob such as /v1/chat/*, that begins with / or *", /^[/*?]/),
    summary: "its path, without the query",
    defaultText: "any",
    example: '"/v1/chat/*"',
  },
};

const MATCH = innerTable<RouteMatchSetting>(
  MATCH_COLUMNS,
  'a table of globs, such as { provider = "openai", model = "gpt-4*", path = "/v1/chat/*" }',
);

const seconds = (name: string, summary: string, preset: number) =>
  ({ name, value: SECONDS, summary, defaultText: durationText(preset) }) as const;

const TARGET_COLUMNS: Columns = {
  provider: {
    name: "provider",
    value: choice("NAME", PROVIDER_NAMES),
    summary: "the provider whose API the target has",
    isRequired: true,
    example: '"openai"',
  },
  url: {
    name: "url",
    value: UPSTREAM,
    summary: "where it is: a base URL, or simulated",
    defaultText: "where requests to that provider go otherwise",
    example: '"https://eu.gateway.example/v1"',
  },
  model: {
    name: "model",
    value: text("NAME", "a model's name", /\S/),
    summary: "the model that it is asked for",
    defaultText: "the one that the client asks for",
    example: '"gpt-4o"',
  },
  dialect: {
    name: "dialect",
    value: choice("DIALECT", DIALECT_NAMES),
    summary: "what it is asked in; requests in another dialect are translated",
    defaultText: "the client's own where the provider speaks it, else the provider's usual one",
    example: '"chat"',
  },
  credential: {
    name: "credential",
    value: CREDENTIAL,
    summary: "where its key comes from, which takes the place of the client's",
    defaultText: "the client's own, where it is one for this provider",
    example: '{ env = "OPENAI_API_KEY" }',
  },
  timeout: seconds(
    "timeoutMs",
    "how long it may take to begin its response, connecting included; 0: no limit",
    ROUTE_TARGET_DEFAULTS.timeoutMs,
  ),
  first_token_timeout: seconds(
    "firstTokenTimeoutMs",
    "how long a stream may take to its first output, from the sending of the request; 0: no limit",
    ROUTE_TARGET_DEFAULTS.firstTokenTimeoutMs,
  ),
  idle_timeout: seconds(
    "idleTimeoutMs",
    "how long its response may pause; what only keeps the connection alive ends no pause; 0: no limit",
    ROUTE_TARGET_DEFAULTS.idleTimeoutMs,
  ),
  retries: {
    name: "retries",
    value: integer("N", 0, 10),
    summary: "how often it is asked again before the next one is",
    defaultText: "as [retry] says",
    example: "1",
  },
  context_window: {
    name: "contextWindow",
    value: integer("TOKENS", 1, 1_000_000_000),
    summary: "tokens that fit into its context window",
    defaultText: "not known: nothing goes there that was too long for another target",
    example: "128000",
  },
  prefill: {
    name: "prefill",
    value: SWITCH,
    summary: 'does it go on behind the beginning of an answer, for rescue = "continue"',
    defaultText: "as far as it is known of its model",
    example: "true",
  },
};

const TARGETS: TableKind<readonly RouteTargetSetting[]> = tableList<RouteTargetSetting>(TARGET_COLUMNS, undefined, (targets) => {
  if (targets.length === 0) return "at least one target";
  const strange = targets.findIndex(({ provider, dialect }) => dialect === "gemini" && provider !== "google");
  if (strange >= 0) return { expected: "chat, responses or messages: Google alone speaks gemini", at: [String(strange), "dialect"] };
  if (targets.length > TARGETS_MAX) return { expected: `at most ${TARGETS_MAX} targets`, at: [String(TARGETS_MAX)] };
  return secondOf(
    targets.map((target) => TARGETS.toToml([target])),
    (first) => `a target that differs from number ${first + 1}: it would be asked twice`,
  );
});

/** The first that is there already. */
function secondOf(all: readonly string[], expected: (first: number) => string): Mistake | undefined {
  const index = all.findIndex((each, at) => all.indexOf(each) < at);
  return index < 0 ? undefined : { expected: expected(all.indexOf(all[index] ?? "")), at: [String(index)] };
}

const HOLD_COLUMNS: Columns = {
  frames: { name: "frames", value: integer("N", 0, 100_000), summary: "frames at most", defaultText: String(ROUTE_DEFAULTS.hold.frames) },
  bytes: { name: "bytes", value: integer("N", 0, 16_777_216), summary: "bytes at most", defaultText: String(ROUTE_DEFAULTS.hold.bytes) },
  ms: {
    name: "ms",
    value: integer("N", 0, 86_400_000),
    summary: "milliseconds at most; 0: until the target's first_token_timeout is over",
    defaultText: String(ROUTE_DEFAULTS.hold.ms),
  },
};

const HOLD = innerTable<RouteHoldSetting>(HOLD_COLUMNS, "a table such as { frames = 256, bytes = 262144, ms = 0 }");

const COLUMNS: Columns = {
  match: {
    name: "match",
    value: MATCH,
    summary: "the requests that it is for: globs, and all that are there must match",
    defaultText: "every request for inference",
    example: '{ provider = "openai", model = "gpt-4*", path = "/v1/chat/*" }',
  },
  targets: {
    name: "targets",
    value: TARGETS,
    summary: `its targets in the order in which they are asked, one to ${TARGETS_MAX} tables`,
    isRequired: true,
  },
  timeout: seconds("timeoutMs", "time for the whole search, until a target's output has begun; 0: no limit", ROUTE_DEFAULTS.timeoutMs),
  rescue: {
    name: "rescue",
    value: choice("WAY", RESCUES),
    summary:
      "a stream whose target fails after its output has begun breaks off (none), begins anew at the next target, which it can where nothing of it has gone out (restart), or is gone on with there (continue)",
    defaultText: tomlText(ROUTE_DEFAULTS.rescue),
  },
  buffer: {
    name: "buffer",
    value: SWITCH,
    summary: "keep streams back until they are whole",
    defaultText: String(ROUTE_DEFAULTS.buffer),
  },
  content_filter: {
    name: "contentFilter",
    value: choice("WAY", CONTENT_FILTER_WAYS),
    summary: "a refusal for its content goes to the client (stop), or the request to the next target (next)",
    defaultText: tomlText(ROUTE_DEFAULTS.contentFilter),
  },
  max_wait: seconds(
    "maxWaitMs",
    "a target that wants to be left alone for longer is not waited for where there is another",
    ROUTE_DEFAULTS.maxWaitMs,
  ),
  cooldown: seconds("cooldownMs", "how long a target is left alone that does not say it itself", ROUTE_DEFAULTS.cooldownMs),
  cooldown_max: seconds("cooldownMaxMs", "how long a target is left alone at most, whatever it says", ROUTE_DEFAULTS.cooldownMaxMs),
  hold: {
    name: "hold",
    value: HOLD,
    summary: "how much of the beginning of a stream is kept back until its first output, so that another target may take its place",
    defaultText: tomlText(ROUTE_DEFAULTS.hold),
  },
};

/** The tables of a route by the names under which they stand in the file. */
export const ROUTE_COLUMNS = {
  route: COLUMNS,
  "route.match": MATCH_COLUMNS,
  "route.targets": TARGET_COLUMNS,
  "route.targets.credential": CREDENTIAL_COLUMNS,
  "route.hold": HOLD_COLUMNS,
} as const;

type Written = Omit<RouteSetting, "match"> & { readonly match?: RouteMatchSetting };

/** `[[route]]` */
export const ROUTES: ValueKind<readonly RouteSetting[]> = mapped(
  tableList<Written>(COLUMNS, cooldownMistake, (routes) => {
    if (routes.length > ROUTES_MAX) return { expected: `at most ${ROUTES_MAX} routes`, at: [String(ROUTES_MAX)] };
    return neverReached(routes.map(({ match = {} }) => match));
  }),
  (routes) => routes.map((route) => ({ match: {}, ...route })),
  (routes) => routes.map(({ match, ...rest }) => (Object.keys(match).length === 0 ? rest : { match, ...rest })),
);

/** A number that would be cut to the default of another must not look as if it held. */
function cooldownMistake({ cooldownMs = 0, cooldownMaxMs }: Written): Mistake | undefined {
  const most = cooldownMaxMs ?? ROUTE_DEFAULTS.cooldownMaxMs;
  if (cooldownMs <= most) return undefined;
  const why = cooldownMaxMs === undefined ? `${durationText(most)} where nothing is said` : durationText(most);
  return { expected: `at most cooldown_max, which is ${why}`, at: ["cooldown"] };
}

/** The first route whose requests all go to an earlier one, as far as that can be seen from the globs. */
function neverReached(matches: readonly RouteMatchSetting[]): Mistake | undefined {
  for (const [index, match] of matches.entries()) {
    const earlier = matches.slice(0, index).findIndex((each) => takesAllOf(each, match));
    if (earlier >= 0)
      return { expected: `a match that leaves it something: all its requests go to number ${earlier + 1}`, at: [String(index)] };
  }
  return undefined;
}

function takesAllOf(one: RouteMatchSetting, other: RouteMatchSetting): boolean {
  return (["provider", "model", "path"] as const).every((key) => {
    const glob = one[key];
    return glob === undefined || /^\*+$/.test(glob) || glob.toLowerCase() === other[key]?.toLowerCase();
  });
}
