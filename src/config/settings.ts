import type { ProviderName } from "../core/provider.ts";
import type { GatewaySettings } from "./gateway-settings.ts";

/** One more address to listen on; `provider` where all its requests are for one. */
export type ListenSetting = {
  readonly address:
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string };
  readonly provider: ProviderName | undefined;
};

/** What a target is asked for in place of the model that the client named: always one, or by that name (`*`: any other). `""` leaves it out. */
export type ModelSetting = string | Readonly<Record<string, string>>;

/** Where a table of the file says how a target is met: a provider's own, or the backend's. */
export type TargetScope = ProviderName | "backend";

/** How a target is met. What nobody has set is not there. */
export type TargetSetting = {
  /** Until the head of its response, the connection included; 0 = no limit. */
  readonly timeoutMs?: number;
  /** URL of an HTTP proxy, perhaps with credentials; empty: as the environment says. */
  readonly proxy?: string;
  /** Paths of PEM files: our certificate, its key, and the authorities that are trusted in place of the system's. */
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly caFile?: string;
  /** The name in its certificate where that is not the host's. */
  readonly serverName?: string;
  /** What it speaks; requests in another dialect are translated. */
  readonly dialect?: TargetDialect;
  readonly systemMessages?: "drop" | "instructions" | "input";
  readonly customTools?: "function" | "custom";
  readonly model?: ModelSetting;
  /** Refuse what cannot be translated, where it would be left out and named. */
  readonly strict?: boolean;
  /** By name; an empty value takes a field away. */
  readonly extraHeaders?: Readonly<Record<string, string>>;
  /** Members of the request's JSON, in place of those of the same name. */
  readonly extraBody?: Readonly<Record<string, unknown>>;
  /** What `GET /v1/models` answers. */
  readonly models?: readonly string[];
};

/** Dialects that others can be translated to. */
export const TARGET_DIALECTS = ["chat", "responses", "messages"] as const;
export type TargetDialect = (typeof TARGET_DIALECTS)[number];

/** All that `serve` can be told, after command line, environment, file and defaults are put together. */
export type Settings = GatewaySettings & {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** A command of the fault language to start with. */
  readonly mode: string | undefined;
  /** Read commands from standard input. */
  readonly stdin: boolean;
  /** Undefined: drawn at start and printed. */
  readonly seed: number | undefined;
  /** Path of the control socket; undefined: by the port, in the user's own folder. */
  readonly socket: string | undefined;
  /** A URL, or `simulated`, by provider. */
  readonly upstreams: Partial<Readonly<Record<ProviderName, string>>>;
  /** Own listener ports by provider. */
  readonly providerPorts: Partial<Readonly<Record<ProviderName, number>>>;
  /** URL that takes the place of every provider without an `upstream` of its own, or `simulated`. */
  readonly backend: string | undefined;
  readonly targets: Partial<Readonly<Record<TargetScope, TargetSetting>>>;
  readonly defaultProvider: ProviderName;
  /** The built-in provider answers for every provider. */
  readonly simulate: boolean;
  /** Of the built-in provider: delay before the first token, between tokens (ms), length of an answer. */
  readonly ttftMs: number;
  readonly betweenMs: number;
  readonly tokens: number;
  readonly logFormat: "pretty" | "json";
  readonly logLevel: "error" | "warn" | "info" | "debug" | "silent";
  readonly engine: "wire" | "serve";
  /** Addresses beside host and port. */
  readonly listen: readonly ListenSetting[];
  /** Of configurations for servers with several processes; one process serves all requests here. */
  readonly workers: number;
  /** Other processes may listen on the same ports. */
  readonly reusePort: boolean;
  /** Paths of PEM files: the certificate, with its chain, and the key that clients get to see. Undefined: no TLS. */
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  /** To targets: until a connection is ready, until the head of a response, between two pieces of it. 0 = no limit. */
  readonly connectTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
};
