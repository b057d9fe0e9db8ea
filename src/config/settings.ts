import type { ProviderName } from "../core/provider.ts";

/** One more address to listen on; `provider` where all its requests are for one. */
export type ListenSetting = {
  readonly address:
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string };
  readonly provider: ProviderName | undefined;
};

/** How a provider's target is met over TLS: paths of PEM files, and the name in its certificate where that is not the host's. */
export type TlsSetting = {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Authorities that are trusted in place of the system's. */
  readonly caFile: string | undefined;
  readonly serverName: string | undefined;
};

/** All that `serve` can be told, after command line, environment, file and defaults are put together. */
export type Settings = {
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
  /** By provider. */
  readonly tls: Partial<Readonly<Record<ProviderName, TlsSetting>>>;
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
