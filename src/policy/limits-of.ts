import type { Caller, Limit, LimitMetric, LimitNumbers, LimitScope, LimitWindow, StoreLossWay } from "../core/state-store.ts";
import { globMatches } from "../rules/glob.ts";

/** For all requests together; 0: none. */
export type LimitSettings = LimitNumbers & {
  readonly onStoreLoss: StoreLossWay;
  /** In the order of the file. */
  readonly overrides: readonly LimitOverride[];
};

/** For each member that matches, apart from the others. */
export type LimitOverride = Partial<LimitNumbers> & {
  readonly scope: Exclude<LimitScope, "global">;
  /** A glob; for `key` one of hashes. */
  readonly member: string;
  readonly onStoreLoss?: StoreLossWay;
};

const NUMBERS: readonly (readonly [name: keyof LimitNumbers, metric: LimitMetric, window: LimitWindow])[] = [
  ["requestsPerMinute", "requests", "minute"],
  ["tokensPerMinute", "tokens", "minute"],
  ["requestsPerDay", "requests", "day"],
  ["tokensPerDay", "tokens", "day"],
];

const OVERRIDE_SCOPES = ["provider", "model", "key", "user"] as const;

/**
 * What a request of this caller is held against: its override of each scope, and the limits for all, but for those that an
 * override stands above: a number above that for all, or 0 (none), is an allowance of its own.
 */
export function limitsOf(settings: LimitSettings, caller: Caller): readonly Limit[] {
  const known = remembered(settings);
  const name = nameOf(caller, known.scopes);
  const limits = known.recent.get(name) ?? known.older.get(name) ?? readLimits(settings, known.forAll, caller);
  if (name.length <= NAME_CHARACTERS_MAX && !known.recent.has(name)) {
    if (known.recent.size >= CALLERS_MAX) {
      known.older = known.recent;
      known.recent = new Map();
    }
    known.recent.set(name, limits);
  }
  return limits;
}

function readLimits(settings: LimitSettings, forAll: readonly NamedLimit[], caller: Caller): readonly Limit[] {
  const chosen = OVERRIDE_SCOPES.map((scope) => overrideOf(settings.overrides, scope, caller[scope])).filter((one) => one !== undefined);
  const isAllowance = (name: keyof LimitNumbers) =>
    chosen.some(({ [name]: number }) => number === 0 || (number !== undefined && number > settings[name]));
  return [
    ...forAll.filter(({ name }) => !isAllowance(name)).map(({ limit }) => limit),
    ...chosen.flatMap((override) => {
      // Case does not count in a glob; so it must not make a member of its own either.
      const member = caller[override.scope]?.toLowerCase() ?? "";
      const onStoreLoss = override.onStoreLoss ?? settings.onStoreLoss;
      return limitsFrom(override, override.scope, member, onStoreLoss).map(({ limit }) => limit);
    }),
  ];
}

type NamedLimit = { readonly name: keyof LimitNumbers; readonly limit: Limit };

function limitsFrom(numbers: Partial<LimitNumbers>, scope: LimitScope, member: string, onStoreLoss: StoreLossWay): readonly NamedLimit[] {
  return NUMBERS.flatMap(([name, metric, window]) => {
    const limit = numbers[name] ?? 0;
    return limit === 0 ? [] : [{ name, limit: { scope, member, metric, window, limit, onStoreLoss } }];
  });
}

/** Exact names before globs, then the order of the file. */
function overrideOf(
  overrides: readonly LimitOverride[],
  scope: LimitOverride["scope"],
  member: string | undefined,
): LimitOverride | undefined {
  if (member === undefined) return undefined;
  const matching = overrides.filter((override) => override.scope === scope && globMatches(override.member, member));
  return matching.find((override) => !/[*?]/.test(override.member)) ?? matching[0];
}

/** Callers that are remembered at a time, twice over; each takes some 300 bytes. */
const CALLERS_MAX = 50_000;

/** Models and users are whatever a client says: long ones are not kept. */
const NAME_CHARACTERS_MAX = 512;

type Remembered = {
  /** Those that overrides speak of: callers who differ in nothing else have the same limits. */
  readonly scopes: readonly LimitOverride["scope"][];
  readonly forAll: readonly NamedLimit[];
  recent: Map<string, readonly Limit[]>;
  older: ReadonlyMap<string, readonly Limit[]>;
};

/** Settings are values that a reload replaces; what was found out for old ones goes with them. */
const REMEMBERED = new WeakMap<LimitSettings, Remembered>();

function remembered(settings: LimitSettings): Remembered {
  const known = REMEMBERED.get(settings);
  if (known !== undefined) return known;
  const scopes = OVERRIDE_SCOPES.filter((scope) => settings.overrides.some((override) => override.scope === scope));
  const forAll = limitsFrom(settings, "global", "", settings.onStoreLoss);
  const fresh = { scopes, forAll, recent: new Map(), older: new Map() };
  REMEMBERED.set(settings, fresh);
  return fresh;
}

function nameOf(caller: Caller, scopes: readonly LimitOverride["scope"][]): string {
  const [first] = scopes;
  // Nobody is called by an empty name.
  if (scopes.length === 1 && first !== undefined) return caller[first] ?? "";
  let name = "";
  // The length keeps callers apart whatever is in their names.
  for (const scope of scopes) name += `${caller[scope]?.length ?? "-"}:${caller[scope] ?? ""}`;
  return name;
}
