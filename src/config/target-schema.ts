import { PRESET_NAMES } from "./presets.ts";
import { TARGET_DIALECTS, type TargetScope, type TargetSetting } from "./settings.ts";
import {
  choice,
  HEADERS,
  integer,
  JSON_TABLE,
  MODEL,
  NAMES,
  PEM_FILE,
  PROXY,
  SECONDS,
  SERVER_NAME,
  SWITCH,
  UPSTREAM,
  type ValueKind,
} from "./value-kinds.ts";

/** One row of the keys that a target's table takes: `[providers.NAME]` and `[backend]`. They stand in the file alone. */
export type TargetRow = {
  /** Below the target's table. */
  readonly key: string;
  readonly aliases?: readonly string[];
  /** The one kind of table that has it; undefined: both. */
  readonly only?: "providers" | "backend";
  readonly value: ValueKind<unknown>;
  /** What counts where it is not set, for people. */
  readonly defaultText: string;
  readonly summary: string;
  /** A value in TOML. */
  readonly example: string;
  readonly onlyAtStart?: true;
};

/** Keys that are no part of `TargetSetting`: where it is, and the preset that others follow from. */
export type PlaceName = "upstream" | "endpoint" | "port" | "preset";

export const TARGET_SETTINGS: { readonly [Name in PlaceName | keyof TargetSetting]-?: TargetRow } = {
  upstream: {
    key: "upstream",
    only: "providers",
    value: UPSTREAM,
    defaultText: "the provider's own host",
    summary: "where the provider's requests go: a base URL, or simulated",
    example: '"https://gateway.example"',
  },
  endpoint: {
    key: "endpoint",
    only: "backend",
    value: UPSTREAM,
    defaultText: "must be given",
    summary: "the backend's API, as in a client's base URL: /responses and the like follow it; or simulated",
    example: '"https://lightspeed.example.com/v1"',
  },
  preset: {
    key: "preset",
    value: choice("NAME", PRESET_NAMES),
    defaultText: "none",
    summary: "the settings that a known kind of backend needs; keys beside it come before them",
    example: '"lightspeed"',
  },
  port: {
    key: "port",
    only: "providers",
    value: integer("PORT", 0, 65_535),
    defaultText: "none",
    summary: "a port for this provider alone",
    example: "8889",
    onlyAtStart: true,
  },
  timeoutMs: {
    key: "timeout",
    value: SECONDS,
    defaultText: "0",
    summary: "how long the target may take to begin its response, connecting included, in seconds or as 1m; 0: no limit; streams go on",
    example: "60",
  },
  proxy: {
    key: "proxy",
    value: PROXY,
    defaultText: '""',
    summary: "HTTP proxy on the way to the target; empty: as https_proxy, http_proxy and no_proxy say",
    example: '"http://user:password@proxy.example:3128"',
  },
  certFile: {
    key: "auth.cert_file",
    aliases: ["cert_file"],
    value: PEM_FILE,
    defaultText: "none",
    summary: "client certificate, with its chain (PEM); read again when the file changes",
    example: '"/etc/pki/consumer/cert.pem"',
  },
  keyFile: {
    key: "auth.key_file",
    aliases: ["key_file"],
    value: PEM_FILE,
    defaultText: "none",
    summary: "the key of that certificate (PEM, not encrypted); nobody else should be able to read it",
    example: '"/etc/pki/consumer/key.pem"',
  },
  caFile: {
    key: "auth.ca_file",
    aliases: ["ca_file"],
    value: PEM_FILE,
    defaultText: "the system's",
    summary: "authorities that are trusted, in place of the system's (PEM)",
    example: '"/etc/pki/tls/certs/backend-ca.pem"',
  },
  serverName: {
    key: "auth.server_name",
    aliases: ["server_name"],
    value: SERVER_NAME,
    defaultText: "the host of the URL",
    summary: "the name that is asked for and expected in the target's certificate",
    example: '"inner.example"',
  },
  dialect: {
    key: "dialect",
    value: choice("DIALECT", TARGET_DIALECTS),
    defaultText: "whatever it is asked in",
    summary:
      "what the target speaks; requests in another dialect are translated: responses, chat (Chat Completions) or messages (Anthropic)",
    example: '"responses"',
  },
  systemMessages: {
    key: "system_messages",
    value: choice("WAY", ["drop", "instructions", "input"]),
    defaultText: '"input"',
    summary: "system and developer messages: drop them, join them into the instructions, or keep them where they are (input)",
    example: '"instructions"',
  },
  customTools: {
    key: "custom_tools",
    value: choice("WAY", ["function", "custom"]),
    defaultText: '"function"',
    summary:
      "custom tools of Responses clients (Codex) before Chat Completions: as functions, which every server knows, or as custom tools",
    example: '"custom"',
  },
  model: {
    key: "model",
    value: MODEL,
    defaultText: "the one asked for",
    summary: 'the model that the target is asked for: one for all, a table by the name asked for ("*": any other), or "" to leave it out',
    example: '{ "gpt-4o" = "llama-3.3-70b", "*" = "" }',
  },
  strict: {
    key: "strict",
    value: SWITCH,
    defaultText: "false",
    summary: "refuse requests with something that the target's dialect cannot express; else it is left out and named in a header",
    example: "true",
  },
  extraHeaders: {
    key: "extra_headers",
    value: HEADERS,
    defaultText: "{}",
    summary: "header fields put into every inference request, in place of those of the same name; an empty value takes one away",
    example: '{ "X-Team" = "blue", "Authorization" = "" }',
  },
  extraBody: {
    key: "extra_body",
    value: JSON_TABLE,
    defaultText: "{}",
    summary: "members put into the JSON of every inference request, in place of those of the same name",
    example: "{ store = true }",
  },
  models: {
    key: "models",
    value: NAMES,
    defaultText: "the target is asked",
    summary: "what GET /v1/models answers, without asking the target",
    example: '["llama-3.3-70b"]',
  },
};

export type TargetRowName = keyof typeof TARGET_SETTINGS;

export const TARGET_ROWS = Object.entries(TARGET_SETTINGS) as readonly (readonly [TargetRowName, TargetRow])[];

/** The table of the file that is about a target. */
export function tableOf(scope: TargetScope): string {
  return scope === "backend" ? scope : `providers.${scope}`;
}
