import type { Via } from "../core/access.ts";
import type { InputError } from "../core/errors.ts";
import type { Delivery, ForwardFailure, ForwardRequest, OpenResponse, Received } from "../core/exchange.ts";
import type { WirePorts } from "../core/ports.ts";
import type { ProviderName } from "../core/provider.ts";
import type { Places } from "./places.ts";

export type ListenAddress =
  /** Port 0 = any free one. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  /** A socket that listens already, handed over by whoever started the process. */
  | { readonly kind: "fd"; readonly fd: number };

/** What a listener shows its clients, as PEM texts; the certificate with its chain. */
export type ServerCertificate = { readonly cert: string; readonly key: string };

export type ListenOptions = {
  readonly address: ListenAddress;
  readonly via: Via;
  /** Undefined: without TLS. */
  readonly certificate: ServerCertificate | undefined;
  /** Other processes may listen on the same port. */
  readonly reusePort: boolean;
  /** What to change where the address cannot be had, for the message. */
  readonly setting: string;
  readonly provider: ProviderName | undefined;
  readonly headBytesMax: number;
  /** As it is by now. */
  readonly bodyBytesMax: () => number;
  readonly places: Places;
  readonly nextId: () => number;
  readonly handle: (received: Received) => Promise<Delivery>;
};

export type Listener = {
  /** Undefined where the address has none, or none that is known. */
  readonly port: number | undefined;
  /** No new connections; resolves when those that run have ended, or breaks them off when told to. */
  readonly stop: (breakOff: boolean) => Promise<void>;
};

/** What takes requests, performs deliveries and reaches targets. The pipeline knows no engine. */
export type Engine = {
  readonly name: "wire" | "serve";
  readonly listen: (options: ListenOptions) => Listener | InputError;
  readonly forward: (request: ForwardRequest) => Promise<OpenResponse | ForwardFailure>;
  /** Undefined: wire faults cannot be had. */
  readonly wire: WirePorts | undefined;
};
