import { FEATURE_TABLES } from "../config/gateway-settings.ts";
import { SETTING_ROWS, SETTINGS } from "../config/schema.ts";
import type { Settings, TargetScope } from "../config/settings.ts";
import { TARGET_ROWS, tableOf } from "../config/target-schema.ts";

export type ChangedSettings = {
  /** Keys that are in force now. */
  readonly applied: readonly string[];
  /** Keys that are looked at when the program starts, and then no more. */
  readonly atNextStart: readonly string[];
};

/** What differs between two settings, by the keys of the file. */
export function changedSettings(before: Settings, after: Settings): ChangedSettings {
  const applied: string[] = [];
  const atNextStart: string[] = [];
  const compare = (key: string, one: unknown, other: unknown, onlyAtStart = false) => {
    if (!isSame(one, other)) (onlyAtStart ? atNextStart : applied).push(key);
  };
  for (const [name, { key, onlyAtStart }] of SETTING_ROWS) if (key !== "") compare(key, before[name], after[name], onlyAtStart);
  // A table that says what holds anyway turns its feature on all the same.
  for (const table of FEATURE_TABLES.filter((each) => each !== SETTINGS.routes.key))
    compare(`[${table}]`, before.featureTables.includes(table), after.featureTables.includes(table));
  compare("backend.endpoint", before.backend, after.backend);
  for (const scope of scopesOf(before, after)) {
    const table = tableOf(scope);
    if (scope !== "backend") {
      compare(`${table}.upstream`, before.upstreams[scope], after.upstreams[scope]);
      compare(`${table}.port`, before.providerPorts[scope], after.providerPorts[scope], true);
    }
    for (const [name, { key }] of TARGET_ROWS) {
      if (name === "upstream" || name === "endpoint" || name === "port" || name === "preset") continue;
      compare(`${table}.${key}`, before.targets[scope]?.[name], after.targets[scope]?.[name]);
    }
  }
  return { applied, atNextStart };
}

function scopesOf(...all: readonly Settings[]): readonly TargetScope[] {
  const scopes = all.flatMap(({ targets, upstreams, providerPorts }) => [targets, upstreams, providerPorts].flatMap(Object.keys));
  return [...new Set(scopes)] as readonly TargetScope[];
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
