import { parse, TomlError } from "smol-toml";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { SETTING_ROWS, SETTINGS, type Setting } from "./schema.ts";
import type { Settings } from "./settings.ts";
import { positionOfKey, tomlPositions } from "./toml-positions.ts";
import { checkUpstream, withoutCredentials } from "./upstream.ts";
import { integer } from "./value-kinds.ts";

type Table = Readonly<Record<string, unknown>>;
type Refuse = (path: readonly string[], message: string) => InputError;

/** The settings in a TOML text, or its first mistake with file, line and column. */
export function settingsOfToml(toml: string, file: string): Partial<Settings> | InputError {
  let root: Table;
  try {
    root = parse(toml);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = (error.message.split("\n")[0] ?? "").replace("Invalid TOML document: ", "");
    return inputError(`${file}:${error.line}:${error.column}: not TOML: ${what}`);
  }
  const positions = tomlPositions(toml);
  const refuse: Refuse = (path, message) => {
    const { line, column } = positionOfKey(positions, path);
    return inputError(`${file}:${line}:${column}: ${message}`);
  };
  return readRoot(root, refuse);
}

const ROWS_BY_KEY = new Map(SETTING_ROWS.map(([name, setting]) => [setting.key, [name, setting] as const]));
const TABLES = ["providers", "simulator"] as const;

function readRoot(root: Table, refuse: Refuse): Partial<Settings> | InputError {
  const settings: Record<string, unknown> = {};
  const readKey = (path: readonly string[], value: unknown, known: readonly string[]): InputError | undefined => {
    const row = ROWS_BY_KEY.get(path.join("."));
    if (row === undefined) return unknownKey(path, known, refuse);
    const [name, setting] = row;
    const read = readValue(path, value, setting, refuse);
    if (isInputError(read)) return read;
    settings[name] = read;
    return undefined;
  };
  for (const [key, value] of Object.entries(root)) {
    if (key === "providers") {
      const read = readProviders(value, refuse);
      if (isInputError(read)) return read;
      Object.assign(settings, read);
    } else if (key === "simulator") {
      if (!isTable(value)) return refuse([key], "simulator is a table: [simulator]");
      for (const [inner, innerValue] of Object.entries(value)) {
        const mistake = readKey([key, inner], innerValue, keysUnder("simulator"));
        if (mistake !== undefined) return mistake;
      }
    } else {
      const mistake = readKey([key], value, isTable(value) ? TABLES : keysUnder(""));
      if (mistake !== undefined) return mistake;
    }
  }
  return settings as Partial<Settings>;
}

/** The keys of one table of the file. */
function keysUnder(table: string): readonly string[] {
  const prefix = table === "" ? "" : `${table}.`;
  return [...ROWS_BY_KEY.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .filter((key) => !key.includes("."));
}

function unknownKey(path: readonly string[], known: readonly string[], refuse: Refuse): InputError {
  const key = path.at(-1) ?? "";
  const table = path.slice(0, -1).join(".");
  const where = table === "" ? "" : ` in [${table}]`;
  return refuse(path, `unknown key "${key}"${where}${didYouMean(key, known)} (known: ${known.join(", ")})`);
}

function readValue(path: readonly string[], value: unknown, setting: Setting<unknown>, refuse: Refuse): unknown {
  const { tomlTypes, parse: parseText } = setting.value;
  const shown = `${path.join(".")} = ${typeof value === "string" ? JSON.stringify(withoutCredentials(value)) : String(value)}`;
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  const type = tomlTypes.find((candidate) => candidate === (isList ? "list" : typeof value));
  if (type === undefined) return refuse(path, `${shown}: expected ${tomlTypes.map((name) => TOML_TYPE_TEXTS[name]).join(" or ")}`);
  if (type === "boolean") return value;
  const parsed = parseText(String(value));
  return parsed.ok ? parsed.value : refuse(path, `${shown}: expected ${parsed.expected}`);
}

const TOML_TYPE_TEXTS = { number: "a number", string: "a text in quotes", boolean: "true or false", list: "a list of texts" } as const;

function readProviders(value: unknown, refuse: Refuse): Pick<Settings, "upstreams" | "providerPorts"> | InputError {
  const upstreams: Partial<Record<ProviderName, string>> = {};
  const providerPorts: Partial<Record<ProviderName, number>> = {};
  if (!isTable(value)) return refuse(["providers"], "providers holds a table for each provider, such as [providers.openai]");
  for (const [name, table] of Object.entries(value)) {
    const provider = PROVIDER_NAMES.find((candidate) => candidate === name);
    if (provider === undefined) return unknownKey(["providers", name], PROVIDER_NAMES, refuse);
    if (!isTable(table)) return refuse(["providers", name], `${name} is a table: [providers.${name}]`);
    for (const [key, inner] of Object.entries(table)) {
      const path = ["providers", name, key];
      if (key === "port") {
        const port = readValue(path, inner, { ...SETTINGS.port, value: integer("PORT", 0, 65_535) }, refuse);
        if (isInputError(port)) return port;
        providerPorts[provider] = port as number;
      } else if (key === "upstream") {
        const value = { hint: "URL", tomlTypes: ["string"] as const, parse: checkUpstream };
        const upstream = readValue(path, inner, { ...SETTINGS.upstreams, value }, refuse);
        if (isInputError(upstream)) return upstream;
        upstreams[provider] = inner as string;
      } else {
        return unknownKey(path, ["port", "upstream"], refuse);
      }
    }
  }
  return { upstreams, providerPorts };
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
