import { ROUTE_COLUMNS } from "./route-schema.ts";
import { SETTING_ROWS, SETTINGS } from "./schema.ts";
import type { Columns } from "./table-list.ts";
import { TARGET_ROWS, type TargetRow } from "./target-schema.ts";
import { tomlText } from "./toml-text.ts";

/** A file with every key: what it means, and its default or an example, commented out. Lines that begin with `#` and no space behind it are TOML. */
export function exampleFile(): string {
  const rows = SETTING_ROWS.map(([, setting]) => setting).filter(({ key }) => key !== "" && key !== SETTINGS.routes.key);
  const inTable = (table: string) => rows.filter(({ key }) => key.split(".").slice(0, -1).join(".") === table);
  const program = (table: string) =>
    inTable(table).flatMap((setting) => {
      const names = [
        ...setting.variables.slice(0, 1),
        ...(setting.option === undefined ? [] : [`--${setting.negated ? "no-" : ""}${setting.option}`]),
      ];
      const { key, summary, fileSummary, defaultText } = setting;
      const sources = names.length > 0 && setting.negated ? `${names.join(", ")} (the reverse)` : names.join(", ");
      const what = `${fileSummary ?? summary}${setting.default === undefined ? ` [${defaultText ?? "none"}]` : ""}`;
      const value = setting.example ?? setting.value.toToml?.(setting.default) ?? tomlText(setting.default);
      return entry(what, sources, `${key.split(".").at(-1)} = ${value}`);
    });
  return [
    "# Configuration of faultproxy. Everything may be left out: behind a single # stands the default, or an example.",
    "# faultproxy-config(5) tells more, and faultproxy check finds mistakes. The command line comes before variables,",
    "# variables before this file. A running proxy reads it again at: faultproxy ctl reload",
    "",
    ...program(""),
    "#[server]",
    ...program("server"),
    "#[simulator]",
    ...program("simulator"),
    ...GATEWAY_TABLES.flatMap((table) => [`#[${table}]`, ...program(table)]),
    ...routeLines(),
    "# One server in place of every provider that has no upstream of its own.",
    "#[backend]",
    ...targetLines("backend", false),
    "#[backend.auth]",
    ...targetLines("backend", true),
    "# A provider: openai, anthropic, google, openrouter, tetrate, databricks.",
    "#[providers.openai]",
    ...targetLines("providers", false),
    "#[providers.openai.auth]",
    ...targetLines("providers", true),
  ]
    .join("\n")
    .replace(/\n*$/, "\n");
}

/** A key of any of the first five turns its feature on. */
const GATEWAY_TABLES = ["limits", "limits.estimation", "retry", "breaker", "cors", "cost", "state"] as const;

function targetLines(kind: "backend" | "providers", isAuth: boolean): readonly string[] {
  return TARGET_ROWS.map(([, row]) => row)
    .filter((row) => row.only === undefined || row.only === kind)
    .filter(({ key }) => key.startsWith("auth.") === isAuth)
    .flatMap((row) => entry(targetSummary(row), "", `${row.key.replace("auth.", "")} = ${row.example}`));
}

function routeLines(): readonly string[] {
  const { key, summary } = SETTINGS.routes;
  const { targets: _targets, ...ofRoute } = ROUTE_COLUMNS.route;
  const { summary: ofTargets = "" } = ROUTE_COLUMNS.route.targets ?? {};
  return [
    ...wrapped(summary).map((text) => `# ${text}`),
    `#[[${key}]]`,
    ...columnLines(ofRoute),
    ...wrapped(ofTargets).map((text) => `# ${text}`),
    `#[[${key}.targets]]`,
    ...columnLines(ROUTE_COLUMNS["route.targets"]),
  ];
}

function columnLines(columns: Columns): readonly string[] {
  return Object.entries(columns).flatMap(([key, { summary = "", defaultText = "must be given", example }]) =>
    example === undefined ? entry(summary, "", `${key} = ${defaultText}`) : entry(`${summary} [${defaultText}]`, "", `${key} = ${example}`),
  );
}

/** What a key of a target's table means, and what holds without it. */
export function targetSummary({ summary, defaultText }: TargetRow): string {
  return `${summary} [${defaultText}]`;
}

function entry(what: string, sources: string, line: string): readonly string[] {
  return [...wrapped(what).map((text) => `# ${text}`), ...(sources === "" ? [] : [`# ${sources}`]), `#${line}`, ""];
}

const WIDTH = 110;

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
