import type { InputError } from "../core/errors.ts";
import type { Delivery, ForwardFailure, ForwardRequest, OpenResponse, Received } from "../core/exchange.ts";
import type { WirePorts } from "../core/ports.ts";
import type { ProviderName } from "../core/provider.ts";

export type ListenOptions = {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly provider: ProviderName | undefined;
  readonly nextId: () => number;
  readonly handle: (received: Received) => Promise<Delivery>;
};

export type Listener = {
  readonly port: number;
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
