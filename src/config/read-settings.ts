import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { settingsOfToml } from "./read-file.ts";
import { CONFIG_OPTION, SETTING_ROWS, SETTINGS, type Setting, type SettingName } from "./schema.ts";
import type { Settings } from "./settings.ts";
import { withoutCredentials } from "./upstream.ts";

export type SettingsSources = {
  /** By option name, as typed; switches as booleans. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string | InputError;
  /** In place of the table's defaults. */
  readonly defaults?: Partial<Settings>;
  /** Settings that neither the environment nor the file decides. */
  readonly onlyByOption?: readonly SettingName[];
};

/** Puts the sources together: command line before environment before file before defaults. Gives the first mistake. */
export function readSettings(sources: SettingsSources): Settings | InputError {
  const { options, environment, readFile, defaults = {}, onlyByOption = [] } = sources;
  const byOption = settingsOfOptions(options);
  if (isInputError(byOption)) return byOption;
  const rest = SETTING_ROWS.filter(([name]) => !onlyByOption.includes(name));
  const byVariable = settingsOfEnvironment(environment, rest);
  if (isInputError(byVariable)) return byVariable;

  const option = options[CONFIG_OPTION.option];
  const file = typeof option === "string" ? option : environment[CONFIG_OPTION.variable];
  const toml = file === undefined || file === "" ? "" : readFile(file);
  if (isInputError(toml)) return toml;
  const byFile = settingsOfToml(toml, file ?? "");
  if (isInputError(byFile)) return byFile;
  const keptOfFile = Object.fromEntries(Object.entries(byFile).filter(([name]) => !onlyByOption.includes(name as SettingName)));

  const base = Object.fromEntries(SETTING_ROWS.map(([name, setting]) => [name, setting.default]));
  const merged = { ...base, ...defaults, ...keptOfFile, ...byVariable, ...byOption } as Settings;
  return { ...merged, upstreams: { ...ofFile(byFile.upstreams, environment), ...byVariable.upstreams, ...byOption.upstreams } };
}

/** A variable comes before the file: `{PROVIDER}_REAL_HOST` says the same as a provider's `upstream` there. */
function ofFile(upstreams: Settings["upstreams"] = {}, environment: SettingsSources["environment"]): Settings["upstreams"] {
  return Object.fromEntries(
    Object.entries(upstreams).filter(([name]) => (environment[PROVIDERS[name as ProviderName].hostVariable] ?? "") === ""),
  );
}

function settingsOfOptions(options: SettingsSources["options"]): Partial<Settings> | InputError {
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of SETTING_ROWS) {
    const value = setting.option === undefined ? undefined : options[setting.option];
    if (value === undefined) continue;
    const read = typeof value === "boolean" ? value : readText(setting, value, `--${setting.option} `);
    if (isInputError(read)) return read;
    settings[name] = read;
  }
  return settings as Partial<Settings>;
}

function settingsOfEnvironment(environment: SettingsSources["environment"], rows: typeof SETTING_ROWS): Partial<Settings> | InputError {
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of rows) {
    // An empty variable is as good as none: that is how a shell takes one away for a single command.
    const variable = setting.variables.find((candidate) => (environment[candidate] ?? "") !== "");
    if (variable === undefined) continue;
    const value = environment[variable] ?? "";
    const read = readText(setting, value, `${variable}=`);
    if (isInputError(read)) return read;
    settings[name] = setting.negated ? !read : read;
  }
  return settings as Partial<Settings>;
}

function readText(setting: Setting<unknown>, text: string, where: string): unknown {
  const parsed = setting.value.parse(text);
  return parsed.ok ? parsed.value : inputError(`${where}${withoutCredentials(text)}: expected ${parsed.expected}`);
}

/** Every variable of ours that means something. */
export const KNOWN_VARIABLES: readonly string[] = [
  ...Object.values(SETTINGS).flatMap((setting) => setting.variables),
  CONFIG_OPTION.variable,
];
