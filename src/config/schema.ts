import { PROVIDER_NAMES } from "../core/provider.ts";
import { GATEWAY_SETTINGS } from "./gateway-schema.ts";
import type { Settings } from "./settings.ts";
import { ADDRESSES, choice, duration, integer, LOG_LEVEL, PEM_FILE, SWITCH, text, UPSTREAMS, type ValueKind } from "./value-kinds.ts";

/** One row of the table from which the options, the variables, the file's keys, their checks, the help and the manual are made. */
export type Setting<Value> = {
  /** In the file, a dot for a table; empty where `[providers.NAME]` has it. */
  readonly key: string;
  /** Other keys that mean the same. */
  readonly aliases?: readonly string[];
  /** On the command line, without dashes; none where only the file has it. */
  readonly option: string | undefined;
  readonly short?: string;
  /** The option may be given several times; the values are joined. */
  readonly repeatable?: boolean;
  /** A switch that is on unless told otherwise: option and variable say `no-`. */
  readonly negated?: boolean;
  /** The first that is set counts. */
  readonly variables: readonly string[];
  readonly value: ValueKind<Value>;
  readonly default: Value;
  /** In the help, where the value itself does not say it. */
  readonly defaultText?: string;
  readonly summary: string;
  /** In the file, where the option says it otherwise. */
  readonly fileSummary?: string;
  /** A value in TOML, for the file's example where the default would show nothing. */
  readonly example?: string;
  /** Takes effect at the start only; a reload leaves it as it is. */
  readonly onlyAtStart?: true;
};

/** What is set for the whole program; what is set for one target stands in target-schema.ts. */
export const SETTINGS: {
  readonly [Name in Exclude<keyof Settings, "providerPorts" | "targets" | "backend" | "featureTables">]: Setting<Settings[Name]>;
} = {
  port: {
    key: "port",
    aliases: ["server.port"],
    option: "port",
    short: "p",
    variables: ["FAULTPROXY_PORT", "PORT"],
    value: integer("PORT", 0, 65_535),
    default: 8888,
    summary: "port to listen on; 0 takes a free one",
    onlyAtStart: true,
  },
  host: {
    key: "host",
    aliases: ["server.host"],
    option: "host",
    variables: ["FAULTPROXY_HOST"],
    value: text("ADDRESS", "an address or host name of this machine, such as 127.0.0.1", /^[\w.:%-]+$/),
    default: "127.0.0.1",
    summary: "address to listen on",
    onlyAtStart: true,
  },
  mode: {
    key: "mode",
    option: "mode",
    short: "m",
    variables: ["FAULTPROXY_MODE"],
    value: text("COMMAND", 'a command, such as "c 3", "r 30%", "u *" or n', /\S/),
    default: undefined,
    defaultText: "n",
    summary: 'command to start with, such as "c 3", "r 30%" or "u *"',
    example: '"r 30%"',
    onlyAtStart: true,
  },
  stdin: {
    key: "stdin",
    option: "stdin",
    negated: true,
    variables: ["FAULTPROXY_NO_STDIN"],
    value: SWITCH,
    default: true,
    summary: "never read commands from standard input",
    fileSummary: "read commands from standard input",
    onlyAtStart: true,
  },
  seed: {
    key: "seed",
    option: "seed",
    variables: ["FAULTPROXY_SEED"],
    value: integer("N", 0, 2 ** 32 - 1),
    default: undefined,
    defaultText: "drawn, and printed",
    summary: "seed of all random decisions",
    example: "1",
    onlyAtStart: true,
  },
  socket: {
    key: "socket",
    option: "socket",
    variables: ["FAULTPROXY_SOCKET"],
    value: text("PATH", "a path", /\S/),
    default: undefined,
    defaultText: "by the port, in the user's folder",
    summary: "path of the control socket",
    example: '"/run/faultproxy/control.sock"',
    onlyAtStart: true,
  },
  upstreams: {
    key: "",
    option: "upstream",
    repeatable: true,
    variables: ["FAULTPROXY_UPSTREAM"],
    value: UPSTREAMS,
    default: {},
    defaultText: "the providers' own hosts",
    summary: "where a provider's requests go, or NAME=simulated; repeatable",
  },
  defaultProvider: {
    key: "default_provider",
    option: "default-provider",
    variables: ["FAULTPROXY_DEFAULT_PROVIDER"],
    value: choice("NAME", PROVIDER_NAMES),
    default: "openai",
    summary: "provider of requests that no other sign gives away",
  },
  simulate: {
    key: "simulate",
    option: "simulate",
    variables: ["FAULTPROXY_SIMULATE"],
    value: SWITCH,
    default: false,
    summary: "the built-in provider answers for every provider",
  },
  ttftMs: {
    key: "simulator.ttft",
    option: "ttft",
    variables: ["FAULTPROXY_TTFT"],
    value: duration("DURATION"),
    default: 0,
    summary: "built-in provider: time to the first token, such as 300ms",
  },
  betweenMs: {
    key: "simulator.between",
    option: "between",
    variables: ["FAULTPROXY_BETWEEN"],
    value: duration("DURATION"),
    default: 0,
    summary: "built-in provider: time between tokens",
  },
  tokens: {
    key: "simulator.tokens",
    option: "tokens",
    variables: ["FAULTPROXY_TOKENS"],
    value: integer("N", 1, 1_000_000),
    default: 24,
    summary: "built-in provider: tokens in an answer",
  },
  logFormat: {
    key: "log_format",
    aliases: ["logging.format"],
    option: "log-format",
    variables: ["FAULTPROXY_LOG_FORMAT"],
    value: choice("FORMAT", ["pretty", "json"]),
    default: "pretty",
    summary: "pretty for people, json for programs (one object a line)",
    onlyAtStart: true,
  },
  logLevel: {
    key: "log_level",
    aliases: ["logging.level"],
    option: "log-level",
    variables: ["FAULTPROXY_LOG_LEVEL"],
    value: LOG_LEVEL,
    default: "info",
    summary: "silent; error: the proxy's own errors; warn: injections too; info: every request; debug: every decision",
    onlyAtStart: true,
  },
  engine: {
    key: "engine",
    option: "engine",
    variables: ["FAULTPROXY_ENGINE"],
    value: choice("ENGINE", ["wire", "serve"]),
    default: "wire",
    summary: "wire: raw sockets, exact bytes, every fault; serve: Bun's own server and fetch",
    onlyAtStart: true,
  },
  listen: {
    key: "listen",
    option: "listen",
    repeatable: true,
    variables: ["FAULTPROXY_LISTEN"],
    value: ADDRESSES,
    default: [],
    defaultText: "host and port alone",
    summary: "listen here too: HOST:PORT or unix:PATH, NAME= before it for one provider; repeatable",
    fileSummary: "listen here too: HOST:PORT or unix:PATH, NAME= before it for one provider",
    example: '["127.0.0.1:8890", "google=unix:/run/faultproxy/google.sock"]',
    onlyAtStart: true,
  },
  workers: {
    key: "server.workers",
    option: undefined,
    variables: [],
    value: integer("N", 1, 1_024),
    default: 1,
    summary: "taken from configurations of servers with several processes, and without effect: one process serves all requests at once",
    onlyAtStart: true,
  },
  reusePort: {
    key: "reuse_port",
    option: "reuse-port",
    variables: ["FAULTPROXY_REUSE_PORT"],
    value: SWITCH,
    default: false,
    summary: "share the ports with other processes that do the same (SO_REUSEPORT)",
    onlyAtStart: true,
  },
  tlsCertFile: {
    key: "tls_cert",
    option: "tls-cert",
    variables: ["FAULTPROXY_TLS_CERT"],
    value: PEM_FILE,
    default: undefined,
    defaultText: "no TLS",
    summary: "speak TLS on all TCP ports, with this certificate (and its chain)",
    example: '"/etc/faultproxy/server.crt"',
    onlyAtStart: true,
  },
  tlsKeyFile: {
    key: "tls_key",
    option: "tls-key",
    variables: ["FAULTPROXY_TLS_KEY"],
    value: PEM_FILE,
    default: undefined,
    defaultText: "no TLS",
    summary: "the key of that certificate",
    example: '"/etc/faultproxy/server.key"',
    onlyAtStart: true,
  },
  connectTimeoutMs: {
    key: "connect_timeout",
    option: "connect-timeout",
    variables: ["FAULTPROXY_CONNECT_TIMEOUT"],
    value: duration("DURATION"),
    default: 10_000,
    defaultText: "10s",
    summary: "how long a connection to a target may take; 0: no limit",
  },
  headTimeoutMs: {
    key: "head_timeout",
    option: "head-timeout",
    variables: ["FAULTPROXY_HEAD_TIMEOUT"],
    value: duration("DURATION"),
    default: 0,
    summary: "how long a target may take to begin its response; 0: no limit",
  },
  idleTimeoutMs: {
    key: "idle_timeout",
    option: "idle-timeout",
    variables: ["FAULTPROXY_IDLE_TIMEOUT"],
    value: duration("DURATION"),
    default: 0,
    summary: "how long a target's response may pause; 0: no limit",
  },
  ...GATEWAY_SETTINGS,
};

export type SettingName = keyof typeof SETTINGS;

/** The table without the types of its values, to loop over. */
export const SETTING_ROWS = Object.entries(SETTINGS) as readonly (readonly [SettingName, Setting<unknown>])[];

/** The option and variable that name the file itself. */
export const CONFIG_OPTION = {
  option: "config",
  variable: "FAULTPROXY_CONFIG",
  hint: "FILE",
  summary: 'TOML file with settings; "" for none [faultproxy/config.toml, in the XDG configuration folders]',
} as const;
