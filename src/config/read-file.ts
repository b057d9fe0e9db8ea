import { parse, TomlError } from "smol-toml";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { SETTING_ROWS } from "./schema.ts";
import type { Settings, TlsSetting } from "./settings.ts";
import { positionOfKey, tomlPositions } from "./toml-positions.ts";
import { checkUpstream, withoutCredentials } from "./upstream.ts";
import { integer, PEM_FILE, text, type ValueKind } from "./value-kinds.ts";

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
    const read = readValue(path, value, setting.value, refuse);
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

function readValue(path: readonly string[], value: unknown, { tomlTypes, parse: parseText }: ValueKind<unknown>, refuse: Refuse): unknown {
  const shown = `${path.join(".")} = ${typeof value === "string" ? JSON.stringify(withoutCredentials(value)) : String(value)}`;
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  const type = tomlTypes.find((candidate) => candidate === (isList ? "list" : typeof value));
  if (type === undefined) return refuse(path, `${shown}: expected ${tomlTypes.map((name) => TOML_TYPE_TEXTS[name]).join(" or ")}`);
  if (type === "boolean") return value;
  const parsed = parseText(String(value));
  return parsed.ok ? parsed.value : refuse(path, `${shown}: expected ${parsed.expected}`);
}

const TOML_TYPE_TEXTS = { number: "a number", string: "a text in quotes", boolean: "true or false", list: "a list of texts" } as const;

/** The keys under a provider. */
const PROVIDER_KEYS: Readonly<Record<string, ValueKind<unknown>>> = {
  port: integer("PORT", 0, 65_535),
  // Kept as it was written: where it points to is told with its name.
  upstream: { hint: "URL", tomlTypes: ["string"], parse: (url) => (checkUpstream(url).ok ? { ok: true, value: url } : checkUpstream(url)) },
  cert_file: PEM_FILE,
  key_file: PEM_FILE,
  ca_file: PEM_FILE,
  server_name: text("NAME", "a host name, such as api.example.com", /^(?=.*[a-z])[a-z\d]([\w.-]*[a-z\d])?$/i),
};

function readProviders(value: unknown, refuse: Refuse): Pick<Settings, "upstreams" | "providerPorts" | "tls"> | InputError {
  const upstreams: Partial<Record<ProviderName, string>> = {};
  const providerPorts: Partial<Record<ProviderName, number>> = {};
  const tls: Partial<Record<ProviderName, TlsSetting>> = {};
  if (!isTable(value)) return refuse(["providers"], "providers holds a table for each provider, such as [providers.openai]");
  for (const [name, table] of Object.entries(value)) {
    const provider = PROVIDER_NAMES.find((candidate) => candidate === name);
    if (provider === undefined) return unknownKey(["providers", name], PROVIDER_NAMES, refuse);
    if (!isTable(table)) return refuse(["providers", name], `${name} is a table: [providers.${name}]`);
    const read = readProvider(provider, table, refuse);
    if (isInputError(read)) return read;
    const { upstream, port, cert_file: certFile, key_file: keyFile, ca_file: caFile, server_name: serverName } = read;
    if (upstream !== undefined) upstreams[provider] = upstream;
    if (port !== undefined) providerPorts[provider] = port;
    if ([certFile, keyFile, caFile, serverName].some((each) => each !== undefined))
      tls[provider] = { certFile, keyFile, caFile, serverName };
  }
  return { upstreams, providerPorts, tls };
}

type ProviderTable = { readonly port?: number } & {
  readonly [Key in "upstream" | "cert_file" | "key_file" | "ca_file" | "server_name"]?: string;
};

function readProvider(provider: ProviderName, table: Table, refuse: Refuse): ProviderTable | InputError {
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    const path = ["providers", provider, key];
    const kind = PROVIDER_KEYS[key];
    if (kind === undefined) return unknownKey(path, Object.keys(PROVIDER_KEYS), refuse);
    const found = readValue(path, value, kind, refuse);
    if (isInputError(found)) return found;
    read[key] = found;
  }
  for (const [one, other] of CERTIFICATE_KEYS) {
    if (one in read && !(other in read))
      return refuse(["providers", provider, one], `providers.${provider}.${one} needs ${other} beside it`);
  }
  return read;
}

const CERTIFICATE_KEYS = [
  ["cert_file", "key_file"],
  ["key_file", "cert_file"],
] as const;

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
