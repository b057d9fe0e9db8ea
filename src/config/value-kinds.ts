import { KEY_FIELD } from "../core/access.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { type Parsed, parseDuration, parseInteger, parseSwitch } from "../rules/values.ts";
import type { ListenSetting, ModelSetting } from "./settings.ts";
import { durationText, tomlText } from "./toml-text.ts";
import { checkUpstream, withoutCredentials } from "./upstream.ts";

/** How a setting's value is written: one parser for the command line, the environment and the file. */
export type ValueKind<Value> = {
  /** What stands for the value in the help. */
  readonly hint: string;
  readonly choices?: readonly string[];
  /** Types that the value may have in a TOML file. */
  readonly tomlTypes: readonly ("number" | "string" | "boolean" | "list")[];
  readonly parse: (text: string) => Parsed<Value>;
  /** Reads values that are no texts: tables of the file. In place of `tomlTypes` and `parse`. */
  readonly fromToml?: (value: unknown) => TomlParsed<Value>;
  /** The value as it is written in the file, where that is not what it looks like. */
  // A method: the tables hold kinds of many values.
  toToml?(value: Value): string;
  /** A mistake in it is told without what was written. */
  readonly isSecret?: true;
};

/** What is wrong, and where inside the value. */
export type Mistake = { readonly expected: string; readonly at?: readonly string[] };

/** A value of the file may have several mistakes. */
export type TomlParsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | ({ readonly ok: false; readonly further?: readonly Mistake[] } & Mistake);

export function integer(hint: string, minimum: number, maximum: number): ValueKind<number> {
  return { hint, tomlTypes: ["number"], parse: (text) => parseInteger(text, minimum, maximum) };
}

export function duration(hint: string): ValueKind<number> {
  return { hint, tomlTypes: ["number", "string"], parse: (text) => parseDuration(text), toToml: durationText };
}

export function text(hint: string, expected: string, pattern: RegExp): ValueKind<string> {
  return { hint, tomlTypes: ["string"], parse: (value) => (pattern.test(value) ? { ok: true, value } : { ok: false, expected }) };
}

/** A duration whose bare number counts seconds, as `timeout` does everywhere. */
export const SECONDS: ValueKind<number> = {
  hint: "SECONDS",
  tomlTypes: ["number", "string"],
  parse(value) {
    const parsed = parseDuration(value, "s");
    return parsed.ok ? parsed : { ok: false, expected: "seconds such as 60, or a duration such as 1m, of at most 24 days" };
  },
  toToml: durationText,
};

export const POSITIVE_SECONDS: ValueKind<number> = {
  ...SECONDS,
  parse(value) {
    const parsed = SECONDS.parse(value);
    return parsed.ok && parsed.value < 1 ? { ok: false, expected: "seconds above 0, such as 60, or a duration such as 1m" } : parsed;
  },
};

export const PEM_FILE = text("FILE", "the path of a PEM file", /\S/);

export function choice<Choice extends string>(hint: string, choices: readonly Choice[]): ValueKind<Choice> {
  return {
    hint,
    choices,
    tomlTypes: ["string"],
    parse(value) {
      const found = choices.find((candidate) => candidate === value.toLowerCase());
      if (found !== undefined) return { ok: true, value: found };
      return { ok: false, expected: `${choices.length > 1 ? "one of " : ""}${choices.join(", ")}${didYouMean(value, choices)}` };
    },
  };
}

const LOG_LEVELS = choice("LEVEL", ["silent", "error", "warn", "info", "debug"]);
/** Python's names, which configurations of other proxies have. */
const LOG_LEVELS_OF_PYTHON: Readonly<Record<string, string>> = { critical: "error", warning: "warn", notset: "debug" };

export const LOG_LEVEL: typeof LOG_LEVELS = {
  ...LOG_LEVELS,
  parse: (value) =>
    LOG_LEVELS.parse(
      Object.hasOwn(LOG_LEVELS_OF_PYTHON, value.toLowerCase()) ? (LOG_LEVELS_OF_PYTHON[value.toLowerCase()] ?? value) : value,
    ),
};

const ADDRESS_EXPECTED = "HOST:PORT, [IPV6]:PORT or unix:PATH, with NAME= before it where it is for one provider";

/** `127.0.0.1:9000,anthropic=unix:/run/a.sock` */
export const ADDRESSES: ValueKind<readonly ListenSetting[]> = {
  hint: "[NAME=]ADDRESS",
  tomlTypes: ["list", "string"],
  parse(list) {
    const settings: ListenSetting[] = [];
    // An empty list of the file.
    if (list === "") return { ok: true, value: settings };
    for (const item of list.split(",").map((part) => part.trim())) {
      const [, typed, rest = ""] = /^(?:([a-z]+)=)?(.*)$/i.exec(item) ?? [];
      const provider = PROVIDER_NAMES.find((name) => name === typed?.toLowerCase());
      if (typed !== undefined && provider === undefined)
        return { ok: false, expected: `a provider before the "=" (${PROVIDER_NAMES.join(", ")})${didYouMean(typed, PROVIDER_NAMES)}` };
      const address = addressOf(rest);
      if (address === undefined) return { ok: false, expected: ADDRESS_EXPECTED };
      settings.push({ address, provider });
    }
    return { ok: true, value: settings };
  },
  toToml: (settings) => tomlText(settings.map(addressText)),
};

function addressText({ address, provider }: ListenSetting): string {
  const { kind } = address;
  const host = kind === "tcp" && address.host.includes(":") ? `[${address.host}]` : kind === "tcp" ? address.host : "";
  return `${provider === undefined ? "" : `${provider}=`}${kind === "unix" ? `unix:${address.path}` : `${host}:${address.port}`}`;
}

function addressOf(text: string): ListenSetting["address"] | undefined {
  const path = /^unix:(.+)$/i.exec(text)?.[1];
  if (path !== undefined) return { kind: "unix", path };
  const [, v6, name, digits] = /^(?:\[([\da-f:.%]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  return host === undefined || port > 65_535 ? undefined : { kind: "tcp", host, port };
}

export const SWITCH: ValueKind<boolean> = { hint: "on|off", tomlTypes: ["boolean"], parse: parseSwitch };

/** `openai=https://…,google=simulated` */
export const UPSTREAMS: ValueKind<Partial<Record<ProviderName, string>>> = {
  hint: "NAME=URL",
  tomlTypes: [],
  parse(list) {
    const upstreams: Partial<Record<ProviderName, string>> = {};
    for (const item of list.split(",").map((part) => part.trim())) {
      const equals = item.indexOf("=");
      if (equals <= 0) return { ok: false, expected: "NAME=URL, such as openai=http://127.0.0.1:9000 or openai=simulated" };
      const typed = item.slice(0, equals);
      const name = PROVIDER_NAMES.find((candidate) => candidate === typed.toLowerCase());
      if (name === undefined) {
        return { ok: false, expected: `a provider before the "=" (${PROVIDER_NAMES.join(", ")})${didYouMean(typed, PROVIDER_NAMES)}` };
      }
      if (upstreams[name] !== undefined) return { ok: false, expected: `${name} only once` };
      const upstream = checkUpstream(item.slice(equals + 1));
      if (!upstream.ok) return upstream;
      upstreams[name] = item.slice(equals + 1);
    }
    return { ok: true, value: upstreams };
  },
};

/** A value that only the file can have, by its own reader. */
export function inFile<Value>(hint: string, expected: string, read: (value: unknown) => Value | undefined): ValueKind<Value> {
  return {
    hint,
    tomlTypes: [],
    parse: () => ({ ok: false, expected }),
    fromToml(value) {
      const found = read(value);
      return found === undefined ? { ok: false, expected } : { ok: true, value: found };
    },
  };
}

export type Table = Readonly<Record<string, unknown>>;

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function textTable(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isTable(value)) return undefined;
  return Object.values(value).every((each) => typeof each === "string") ? (value as Readonly<Record<string, string>>) : undefined;
}

export const MODEL: ValueKind<ModelSetting> = inFile(
  "NAME",
  'a name, "" to leave it out, or a table from names to names such as { "gpt-4o" = "llama-3", "*" = "" }',
  (value) => (typeof value === "string" ? value : textTable(value)),
);

const HEADERS_EXPECTED = 'a table of header fields, such as { "X-Team" = "blue" }';

export const HEADERS: ValueKind<Readonly<Record<string, string>>> = {
  hint: "TABLE",
  tomlTypes: [],
  parse: () => ({ ok: false, expected: HEADERS_EXPECTED }),
  fromToml(value) {
    const table = textTable(value);
    if (table === undefined) return { ok: false, expected: `${HEADERS_EXPECTED}; every value is a text` };
    // The name alone: a value may be a key.
    const wrong = Object.entries(table).find((field) => !isField(field))?.[0];
    if (wrong === undefined) return { ok: true, value: table };
    const why =
      OF_MESSAGE.test(wrong) || wrong.toLowerCase() === KEY_FIELD
        ? "belongs to the message itself"
        : "is no field that can be sent: its name or its value has other characters";
    return { ok: false, expected: `${HEADERS_EXPECTED}; ${JSON.stringify(wrong)} ${why}` };
  },
};

/** Fields that say how the message itself is sent, which no setting changes. */
const OF_MESSAGE = /^(host|connection|content-length|content-encoding|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/i;

/** Name and value as RFC 9110 section 5 has them. */
function isField([name, value]: readonly [string, string]): boolean {
  return (
    /^[!#$%&'*+.^_`|~\w-]+$/.test(name) &&
    !OF_MESSAGE.test(name) &&
    name.toLowerCase() !== KEY_FIELD &&
    /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/.test(value)
  );
}

export const JSON_TABLE: ValueKind<Readonly<Record<string, unknown>>> = inFile(
  "TABLE",
  "a table of what is put into the request's JSON, such as { store = true }; dates only as texts",
  (value) => (isTable(value) && isJson(value) ? value : undefined),
);

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (isTable(value)) return Object.values(value).every(isJson);
  return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}

export const NAMES: ValueKind<readonly string[]> = inFile("LIST", 'a list of names, such as ["gpt-5", "gpt-5-mini"]', (value) =>
  Array.isArray(value) && value.every((each) => typeof each === "string" && each !== "") ? value : undefined,
);

/** Kept as it was written: where it points to is told with its name. */
export const UPSTREAM: ValueKind<string> = {
  hint: "URL",
  tomlTypes: ["string"],
  parse(url) {
    const checked = checkUpstream(url);
    return checked.ok ? { ok: true, value: url } : checked;
  },
};

export const PROXY: ValueKind<string> = {
  hint: "URL",
  tomlTypes: ["string"],
  parse(value) {
    const isProxy = value === "" || (/^http:\/\/[^/]/i.test(value) && URL.canParse(value) && new URL(value).pathname === "/");
    return isProxy
      ? { ok: true, value }
      : { ok: false, expected: 'http://[USER:PASSWORD@]HOST[:PORT], or "" for what the environment says' };
  },
};

export const SERVER_NAME = text("NAME", "a host name, such as api.example.com", /^(?=.*[a-z])[a-z\d]([\w.-]*[a-z\d])?$/i);

/** A list of texts, or one text with commas between them. */
function listOf(hint: string, expected: string, isItem: (item: string) => boolean): ValueKind<readonly string[]> {
  return {
    hint,
    tomlTypes: ["list", "string"],
    parse(list) {
      const items = list === "" ? [] : list.split(",").map((item) => item.trim());
      return items.every(isItem) ? { ok: true, value: items } : { ok: false, expected };
    },
  };
}

export const WORDS = listOf("NAMES", 'a list of host names, such as ["llm.example.com"], or ["*"]', (name) =>
  /^(\*|[a-z\d]([\w.-]*[a-z\d])?)$/i.test(name),
);

export const ORIGINS = listOf(
  "ORIGINS",
  'a list of origins, such as ["https://app.example.com"], without paths, or ["*"]',
  (origin) => origin === "*" || (URL.canParse(origin) && new URL(origin).origin.toLowerCase() === origin.toLowerCase()),
);

/** Shorter ones can be guessed. */
const KEY_CHARACTERS_MIN = 16;

/** Keys that are compared with what clients show. They are never printed. */
const KEYS_EXPECTED = `a list of keys, each at least ${KEY_CHARACTERS_MIN} characters without spaces or commas, or sha256: and 64 hexadecimal digits`;

const isKey = (key: unknown) =>
  typeof key === "string" &&
  (key.startsWith("sha256:") ? /^sha256:[0-9a-f]{64}$/i.test(key) : key.length >= KEY_CHARACTERS_MIN && /^[!-+\--~]+$/.test(key));

export const SECRETS: ValueKind<readonly string[]> = {
  ...listOf("KEYS", KEYS_EXPECTED, isKey),
  // An empty text among them is a mistake, and not no key at all.
  fromToml(value) {
    const keys = typeof value === "string" ? value.split(",").map((key) => key.trim()) : value;
    return Array.isArray(keys) && keys.every(isKey) ? { ok: true, value: keys } : { ok: false, expected: KEYS_EXPECTED };
  },
  toToml: (keys) => tomlText(keys.map(() => "********")),
  isSecret: true,
};

export const REDIS_URL: ValueKind<string> = {
  hint: "URL",
  tomlTypes: ["string"],
  parse(url) {
    const isRight = /^(rediss?|valkeys?):\/\/[^/]/i.test(url) && URL.canParse(url);
    return isRight
      ? { ok: true, value: url }
      : { ok: false, expected: "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS" };
  },
  toToml: (url) => tomlText(withoutCredentials(url)),
  isSecret: true,
};
