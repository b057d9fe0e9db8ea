import { parse, TomlError } from "smol-toml";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { FEATURE_TABLES, type FeatureTable } from "./gateway-settings.ts";
import { withPreset } from "./presets.ts";
import { SETTING_ROWS } from "./schema.ts";
import type { Settings, TargetScope, TargetSetting } from "./settings.ts";
import { TABLES_HINT } from "./table-list.ts";
import { TARGET_ROWS, type TargetRowName, tableOf } from "./target-schema.ts";
import { isListOfTables } from "./toml-blocks.ts";
import { positionOfKey, type TomlPosition, tomlPositions } from "./toml-positions.ts";
import { tomlValue } from "./toml-value.ts";
import { withoutCredentials } from "./upstream.ts";
import { isTable, type Mistake, type Table, type ValueKind } from "./value-kinds.ts";

/** A mistake in the file. */
export type Problem = TomlPosition & {
  /** What is wrong, what was expected, and the nearest valid key where one was misspelt. Never a secret. */
  readonly message: string;
};

export type FileReading = {
  readonly settings: Partial<Settings>;
  /** Settings that a file made, by the keys of the schema: where they stand. */
  readonly written: ReadonlyMap<string, TomlPosition>;
  readonly problems: readonly Problem[];
};

/** What one key of the file means; aliases have an entry of their own with the same `key`. */
type Entry = { readonly key: string; readonly value: ValueKind<unknown>; readonly place: Place };
type Place = { readonly scope: undefined; readonly name: string } | { readonly scope: TargetScope; readonly name: TargetRowName };

/** By all ways to write them, the parts of a path joined by NUL: a part may hold a dot. */
const ENTRIES: ReadonlyMap<string, Entry> = new Map([
  ...entriesOfProgram(),
  ...(["backend", ...PROVIDER_NAMES] as const).flatMap(entriesOfTarget),
]);

function entriesOfProgram(): readonly (readonly [string, Entry])[] {
  return SETTING_ROWS.flatMap(([name, { key, aliases = [], value }]) =>
    key === "" ? [] : [key, ...aliases].map((path) => [nul(path), { key, value, place: { scope: undefined, name } }] as const),
  );
}

function entriesOfTarget(scope: TargetScope): readonly (readonly [string, Entry])[] {
  const table = tableOf(scope);
  return TARGET_ROWS.flatMap(([name, { key, aliases = [], only, value }]) => {
    if (only === (scope === "backend" ? "providers" : "backend")) return [];
    return [key, ...aliases].map((path) => [nul(`${table}.${path}`), { key: `${table}.${key}`, value, place: { scope, name } }] as const);
  });
}

const TABLES: ReadonlySet<string> = new Set(
  [...ENTRIES.keys()].flatMap((path) => {
    const parts = path.split("\0");
    return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join("\0"));
  }),
);

const LISTS_OF_TABLES: readonly string[] = [...ENTRIES].flatMap(([path, { value }]) => (value.hint === TABLES_HINT ? [path] : []));

/** More would help nobody; a file that is no configuration at all must not take long. */
const PROBLEMS_MAX = 100;

function nul(key: string): string {
  return key.replaceAll(".", "\0");
}

/** Reads a TOML text: every setting that is right, and every problem. */
export function readToml(toml: string): FileReading {
  let root: Table;
  try {
    root = parse(toml);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = (error.message.split("\n")[0] ?? "").replace("Invalid TOML document: ", "");
    return { settings: {}, written: new Map(), problems: [{ line: error.line, column: error.column, message: `not TOML: ${what}` }] };
  }
  const positions = tomlPositions(toml);
  const problems: Problem[] = [];
  const found = new Map<string, Found>();
  let further = 0;
  const refuse: Refuse = (path, message) => {
    if (problems.length < PROBLEMS_MAX) problems.push({ ...positionOfKey(positions, path), message: message() });
    else further++;
  };
  readTable([], root, found, refuse);
  const tables = new Set([...found.keys()].map((key) => key.split(".")[0]));
  const isThere = (table: FeatureTable) => tables.has(table) && !(table === "route" && isEmptyList(found.get(table)?.value));
  const featureTables = FEATURE_TABLES.filter(isThere);
  const settings = { ...settingsOf(found, refuse), ...(featureTables.length === 0 ? {} : { featureTables }) };
  // What is misspelt has been told already.
  const isMisspelt = isTable(root.backend) && Object.keys(root.backend).some((key) => !ENTRIES.has(`backend\0${key}`) && key !== "auth");
  if (isTable(root.backend) && root.backend.endpoint === undefined && !isMisspelt)
    refuse(["backend"], () => '[backend] needs endpoint, such as endpoint = "https://lightspeed.example.com/v1"');
  return {
    settings,
    written: new Map([...found].map(([key, { path }]) => [key, positionOfKey(positions, path)])),
    problems: [...problems.sort((a, b) => a.line - b.line || a.column - b.column), ...furtherProblems(problems, further)],
  };
}

/** Such as a file says that shows what holds without it. */
function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function furtherProblems(problems: readonly Problem[], further: number): readonly Problem[] {
  const last = problems.at(-1);
  return further === 0 || last === undefined ? [] : [{ ...last, message: `${further} further problems are not told` }];
}

/** The message is worked out only where it is told. */
type Refuse = (path: readonly string[], message: () => string) => void;

/** A value and where it was written. */
type Found = { readonly path: readonly string[]; readonly place: Place; readonly value: unknown };

function readTable(at: readonly string[], table: Table, found: Map<string, Found>, refuse: Refuse): void {
  for (const [key, value] of Object.entries(table)) {
    const path = [...at, key];
    const joined = path.join("\0");
    const entry = ENTRIES.get(joined);
    if (entry !== undefined) {
      const read = tomlValue(value, entry.value);
      const before = found.get(entry.key);
      if (!read.ok) for (const mistake of [read, ...(read.further ?? [])]) refuseValue(path, value, entry.value, mistake, refuse);
      else if (before !== undefined)
        refuse(path, () => `${path.join(".")} says the same as ${before.path.join(".")}; one of them is enough`);
      else found.set(entry.key, { path, place: entry.place, value: read.value });
    } else if (!TABLES.has(joined)) refuse(path, () => unknownKey(path, isTable(value) || isListOfTables(value)));
    else if (isTable(value)) readTable(path, value, found, refuse);
    else refuse(path, () => `${key} is a table: [${path.join(".")}]`);
  }
}

function unknownKey(path: readonly string[], isOfTable: boolean): string {
  const at = path.slice(0, -1);
  const key = path.at(-1) ?? "";
  const siblings = (all: Iterable<string>) => [
    ...new Set([...all].map((known) => known.split("\0")).flatMap((known) => (isBelow(known, at) ? [known[at.length] ?? ""] : []))),
  ];
  const tables = siblings([...TABLES, ...LISTS_OF_TABLES]);
  const keys = siblings([...ENTRIES].flatMap(([known, entry]) => (known === nul(entry.key) ? [known] : []))).filter(
    (name) => !tables.includes(name),
  );
  const known = isOfTable && tables.length > 0 ? tables : [...keys, ...(keys.length === 0 || at.length > 0 ? tables : [])];
  const where = at.length === 0 ? "" : ` in [${at.join(".")}]`;
  return `unknown key "${key}"${where}${didYouMean(key, known)} (known: ${known.join(", ")})`;
}

/** Is it exactly one part longer than `at`, or longer, and begins with it? */
function isBelow(known: readonly string[], at: readonly string[]): boolean {
  return known.length > at.length && at.every((part, index) => known[index] === part);
}

function refuseValue(path: readonly string[], value: unknown, kind: ValueKind<unknown>, { expected, at }: Mistake, refuse: Refuse): void {
  const what = () =>
    at === undefined ? `${path.join(".")} = ${kind.isSecret === true ? "…" : shown(path, value)}` : whatInside(path, at, value);
  refuse([...path, ...(at ?? [])], () => `${what()}: expected ${expected}`);
}

/** Of a list of tables: which of them, and what stands there, down to the part that is wrong. */
function whatInside(path: readonly string[], at: readonly string[], value: unknown): string {
  let held = value;
  let text = `[[${path.join(".")}]]`;
  let isBehindKey = false;
  for (const part of at) {
    const isNumber = Array.isArray(held);
    if (isNumber) text += ` number ${Number(part) + 1}`;
    else text += `${isBehindKey ? "." : ", "}${part}`;
    isBehindKey = !isNumber;
    held = Array.isArray(held) ? held[Number(part)] : isTable(held) && Object.hasOwn(held, part) ? held[part] : undefined;
  }
  // A text may be a key.
  return typeof held === "number" || typeof held === "boolean" ? `${text} = ${held}` : text;
}

/** Tables may hold keys and tokens. */
function shown(path: readonly string[], value: unknown): string {
  if (typeof value === "string") return JSON.stringify(withoutCredentials(value));
  if (isTable(value)) return path.at(-1) === "model" ? JSON.stringify(value) : "{…}";
  return String(value);
}

// ---- from keys to settings ----

function settingsOf(found: ReadonlyMap<string, Found>, refuse: Refuse): Partial<Settings> {
  const settings: Record<string, unknown> = {};
  const upstreams: Partial<Record<ProviderName, unknown>> = {};
  const providerPorts: Partial<Record<ProviderName, unknown>> = {};
  const targets: Partial<Record<TargetScope, Record<string, unknown>>> = {};
  for (const { place, value } of found.values()) {
    if (place.scope === undefined) settings[place.name] = value;
    else if (place.name === "endpoint") settings.backend = value;
    else if (place.scope !== "backend" && place.name === "upstream") upstreams[place.scope] = value;
    else if (place.scope !== "backend" && place.name === "port") providerPorts[place.scope] = value;
    else targets[place.scope] = { ...targets[place.scope], [place.name]: value };
  }
  const complete: Partial<Record<TargetScope, TargetSetting>> = {};
  for (const [scope, target] of Object.entries(targets) as [TargetScope, Record<string, unknown>][]) {
    const { preset, ...written } = target;
    complete[scope] = preset === undefined ? written : withPreset(preset as Parameters<typeof withPreset>[0], written);
    checkPair(scope, complete[scope], found, refuse);
  }
  return { ...settings, upstreams, providerPorts, targets: complete } as Partial<Settings>;
}

/** A certificate is nothing without its key, and a key nothing without its certificate. */
function checkPair(scope: TargetScope, { certFile, keyFile }: TargetSetting, found: ReadonlyMap<string, Found>, refuse: Refuse): void {
  if ((certFile === undefined) === (keyFile === undefined)) return;
  const [one, other] = certFile === undefined ? ["key_file", "cert_file"] : ["cert_file", "key_file"];
  const path = found.get(`${tableOf(scope)}.auth.${one}`)?.path ?? [...tableOf(scope).split(".")];
  refuse(path, () => `${path.join(".")} needs ${other} beside it`);
}
