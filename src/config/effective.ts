import type { ProviderName } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import type { Configuration, SettingOrigin, SettingsSources } from "./read-settings.ts";
import { SETTING_ROWS } from "./schema.ts";
import type { TargetScope } from "./settings.ts";
import { TABLES_HINT } from "./table-list.ts";
import { TARGET_ROWS, tableOf } from "./target-schema.ts";
import { type TomlBlock, tomlBlocks } from "./toml-blocks.ts";
import { tomlText } from "./toml-text.ts";
import { withoutCredentials } from "./upstream.ts";

/** One key of the configuration that is in force. */
export type EffectiveKey = {
  /** The table that it stands in; empty for none. */
  readonly table: string;
  readonly key: string;
  /** In TOML, secrets masked; undefined where nothing is set and the default is no value. */
  readonly value: string | undefined;
  /** Where it comes from, for people. */
  readonly origin: string;
  /** The same value as tables of their own, where it is a list of tables. */
  readonly blocks?: readonly TomlBlock[];
};

/** Every setting of the program, and all that is set for targets, table by table. */
export function effectiveKeys(
  { settings, origins, file }: Configuration,
  environment: SettingsSources["environment"],
): readonly EffectiveKey[] {
  const originOf = (key: string) => originText(origins.get(key) ?? { kind: "default" }, file);
  const program = SETTING_ROWS.flatMap(([name, { key, value, defaultText }]): readonly EffectiveKey[] => {
    if (key === "") return [];
    const set = settings[name];
    const [table, last] = split(key);
    if (set === undefined) return [{ table, key: last, value: undefined, origin: `${defaultText ?? "none"} (default)` }];
    const written = value.toToml?.(set) ?? tomlText(set);
    const blocks = value.hint === TABLES_HINT ? { blocks: tomlBlocks(key, written) } : {};
    return [{ table, key: last, value: written, origin: originOf(key), ...blocks }];
  });
  const providers = Object.keys(PROVIDERS) as ProviderName[];
  const targets = (["backend", ...providers] as const).flatMap((scope) => [
    ...placeKeys(scope, settings, environment, originOf),
    ...TARGET_ROWS.flatMap(([name, row]): readonly EffectiveKey[] => {
      const value = (settings.targets[scope] as Readonly<Record<string, unknown>> | undefined)?.[name];
      if (value === undefined) return [];
      const full = `${tableOf(scope)}.${row.key}`;
      const [table, key] = split(full);
      return [
        {
          table,
          key,
          value: row.value.toToml?.(value) ?? tomlText(masked(name, value)),
          origin: origins.has(full) ? originOf(full) : "preset",
        },
      ];
    }),
  ]);
  return [...program, ...targets];
}

function placeKeys(
  scope: TargetScope,
  { backend, upstreams, providerPorts, simulate }: Configuration["settings"],
  environment: SettingsSources["environment"],
  originOf: (key: string) => string,
): readonly EffectiveKey[] {
  const table = tableOf(scope);
  if (scope === "backend") {
    return backend === undefined ? [] : [{ table, key: "endpoint", value: tomlText(backend), origin: originOf("backend.endpoint") }];
  }
  const { hostVariable } = PROVIDERS[scope];
  const upstream = upstreams[scope];
  const host = environment[hostVariable] ?? "";
  const port = providerPorts[scope];
  return [
    ...(upstream !== undefined
      ? [{ table, key: "upstream", value: tomlText(upstream), origin: originOf(`${table}.upstream`) }]
      : host === "" || simulate
        ? []
        : [{ table, key: "upstream", value: tomlText(withoutCredentials(host)), origin: hostVariable }]),
    ...(port === undefined ? [] : [{ table, key: "port", value: String(port), origin: originOf(`${table}.port`) }]),
  ];
}

function split(key: string): readonly [table: string, last: string] {
  const dot = key.lastIndexOf(".");
  return dot < 0 ? ["", key] : [key.slice(0, dot), key.slice(dot + 1)];
}

function originText(origin: SettingOrigin, file: string | undefined): string {
  switch (origin.kind) {
    case "default":
      return "default";
    case "file":
      return `${file}:${origin.line}`;
    case "option":
    case "variable":
      return origin.name;
  }
}

// ---- secrets ----

const SECRET_NAME = /auth|key|token|secret|passw|cookie|credential|signature/i;
const SECRET_VALUE = /^(?:bearer|basic)\s|^(?:sk|pk|gh[a-z]|xox[a-z]|AKIA|AIza|dapi|eyJ)[-_\w]{8,}|^\S{32,}$/i;
export const MASK = "********";

/** Without what could let somebody in. */
function masked(name: string, value: unknown): unknown {
  if (name === "proxy") return withoutCredentials(String(value));
  if (name === "extraHeaders" || name === "extraBody") return maskedIn(value);
  return value;
}

function maskedIn(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((each) => maskedIn(each, name));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, maskedIn(member, key)]));
  }
  const isSecret = value !== "" && (SECRET_NAME.test(name) || (typeof value === "string" && SECRET_VALUE.test(value)));
  return isSecret && typeof value !== "boolean" ? MASK : value;
}
