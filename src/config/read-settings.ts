import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { configCandidates } from "./locate.ts";
import { type FileReading, readToml } from "./read-file.ts";
import { CONFIG_OPTION, SETTING_ROWS, SETTINGS, type Setting, type SettingName } from "./schema.ts";
import type { Settings } from "./settings.ts";
import { withoutCredentials } from "./upstream.ts";

export type SettingsSources = {
  /** By option name, as typed; switches as booleans. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly files: ConfigFiles;
  /** In place of the table's defaults. */
  readonly defaults?: Partial<Settings>;
  /** Settings that neither the environment nor the file decides. */
  readonly onlyByOption?: readonly SettingName[];
};

export type ConfigFiles = {
  /** A file that somebody named. */
  readonly read: (path: string) => string | InputError;
  /** A file at a usual place; undefined where there is none, or none that may be read. */
  readonly readIfThere: (path: string) => string | undefined;
};

/** Where a setting comes from. */
export type SettingOrigin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly line: number }
  | { readonly kind: "option" | "variable"; readonly name: string };

export type Configuration = {
  readonly settings: Settings;
  /** Path of the file; undefined where none was found. */
  readonly file: string | undefined;
  /** Of the settings of the whole program, and of what the file says of targets, by the keys of the schema. */
  readonly origins: ReadonlyMap<string, SettingOrigin>;
};

/** Puts the sources together: command line before environment before file before defaults. Of the file all mistakes are told, else the first. */
export function readConfiguration(sources: SettingsSources): Configuration | InputError {
  const { environment, defaults = {}, onlyByOption = [] } = sources;
  const byOption = settingsOfOptions(sources.options);
  if (isInputError(byOption)) return byOption;
  const rest = SETTING_ROWS.filter(([name]) => !onlyByOption.includes(name));
  const byVariable = settingsOfEnvironment(environment, rest);
  if (isInputError(byVariable)) return byVariable;
  const found = configFile(sources);
  if (isInputError(found)) return found;
  const reading: FileReading = readToml(found?.toml ?? "");
  if (reading.problems.length > 0) return inputError(problemLines(found?.path ?? "", reading).join("\n"));

  const byFile = Object.fromEntries(Object.entries(reading.settings).filter(([name]) => !onlyByOption.includes(name as SettingName)));
  const base = Object.fromEntries(SETTING_ROWS.map(([name, setting]) => [name, setting.default]));
  const merged = { ...NO_TARGETS, ...base, ...defaults, ...byFile, ...byVariable.settings, ...byOption.settings } as Settings;
  const upstreams = {
    ...withoutHosts(reading.settings.upstreams, environment),
    ...byVariable.settings.upstreams,
    ...byOption.settings.upstreams,
  };
  const fromFile = [...reading.written].map(([key, { line }]) => [key, { kind: "file", line }] as const);
  return {
    settings: { ...merged, upstreams },
    file: found?.path,
    origins: new Map<string, SettingOrigin>([...fromFile, ...byVariable.origins, ...byOption.origins]),
  };
}

const NO_TARGETS: Pick<Settings, "backend" | "providerPorts" | "targets" | "featureTables"> = {
  backend: undefined,
  providerPorts: {},
  targets: {},
  featureTables: [],
};

/** A line for each problem: the file, line and column, what is wrong. */
export function problemLines(path: string, { problems }: Pick<FileReading, "problems">): readonly string[] {
  return problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
}

/** The file that counts, and its text. */
export function configFile({
  options,
  environment,
  files,
}: Pick<SettingsSources, "options" | "environment" | "files">): { readonly path: string; readonly toml: string } | undefined | InputError {
  const option = options[CONFIG_OPTION.option];
  const variable = environment[CONFIG_OPTION.variable];
  const named = typeof option === "string" ? option : variable === "" ? undefined : variable;
  if (named === "") return undefined;
  if (named !== undefined) {
    const toml = files.read(named);
    return isInputError(toml) ? toml : { path: named, toml };
  }
  for (const path of configCandidates(environment)) {
    const toml = files.readIfThere(path);
    if (toml !== undefined) return { path, toml };
  }
  return undefined;
}

/** A variable comes before the file: `{PROVIDER}_REAL_HOST` says the same as a provider's `upstream` there. */
function withoutHosts(upstreams: Settings["upstreams"] = {}, environment: SettingsSources["environment"]): Settings["upstreams"] {
  return Object.fromEntries(
    Object.entries(upstreams).filter(([name]) => (environment[PROVIDERS[name as ProviderName].hostVariable] ?? "") === ""),
  );
}

type FromSource = { readonly settings: Partial<Settings>; readonly origins: readonly (readonly [string, SettingOrigin])[] };

function settingsOfOptions(options: SettingsSources["options"]): FromSource | InputError {
  const settings: Record<string, unknown> = {};
  const origins: [string, SettingOrigin][] = [];
  for (const [name, setting] of SETTING_ROWS) {
    const value = setting.option === undefined ? undefined : options[setting.option];
    // A switch that is on unless told otherwise is told by being off.
    if (value === undefined || (setting.negated === true && value === true)) continue;
    const read = typeof value === "boolean" ? value : readText(setting, value, `--${setting.option} `);
    if (isInputError(read)) return read;
    settings[name] = read;
    for (const key of keysOf(setting, read))
      origins.push([key, { kind: "option", name: `--${setting.negated ? "no-" : ""}${setting.option}` }]);
  }
  return { settings: settings as Partial<Settings>, origins };
}

function settingsOfEnvironment(environment: SettingsSources["environment"], rows: typeof SETTING_ROWS): FromSource | InputError {
  const settings: Record<string, unknown> = {};
  const origins: [string, SettingOrigin][] = [];
  for (const [name, setting] of rows) {
    // An empty variable is as good as none: that is how a shell takes one away for a single command.
    const variable = setting.variables.find((candidate) => (environment[candidate] ?? "") !== "");
    if (variable === undefined) continue;
    const value = environment[variable] ?? "";
    const read = readText(setting, value, `${variable}=`);
    if (isInputError(read)) return read;
    settings[name] = setting.negated ? !read : read;
    for (const key of keysOf(setting, read)) origins.push([key, { kind: "variable", name: variable }]);
  }
  return { settings: settings as Partial<Settings>, origins };
}

/** Upstreams are given for several providers at once, and stand in the file with each. */
function keysOf({ key }: Setting<unknown>, value: unknown): readonly string[] {
  return key === "" ? Object.keys(value as Settings["upstreams"]).map((name) => `providers.${name}.upstream`) : [key];
}

function readText(setting: Setting<unknown>, text: string, where: string): unknown {
  const parsed = setting.value.parse(text);
  const shown = setting.value.isSecret === true ? "…" : withoutCredentials(text);
  return parsed.ok ? parsed.value : inputError(`${where}${shown}: expected ${parsed.expected}`);
}

/** Every variable of ours that means something. */
export const KNOWN_VARIABLES: readonly string[] = [
  ...Object.values(SETTINGS).flatMap((setting) => setting.variables),
  CONFIG_OPTION.variable,
];
