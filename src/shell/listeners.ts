import type { Settings } from "../config/settings.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import type { ProviderName } from "../core/provider.ts";
import type { Engine, ListenAddress, Listener, ListenOptions, ServerCertificate } from "../engines/engine.ts";
import { createPlaces } from "../engines/places.ts";
import { exposureMistake, UNKNOWN_ADDRESS } from "./access.ts";
import { handedSockets, type SocketAddress } from "./handed-sockets.ts";
import { originOf, type Scheme } from "./origin.ts";
import { removeStale } from "./stale-socket.ts";

export type Listening = {
  readonly host: string;
  /** 0 where it was handed sockets, and none of them is a TCP port for all providers. */
  readonly port: number;
  /** Where it listens beside host and port, for people. */
  readonly addresses: readonly string[];
  readonly providerPorts: Partial<Readonly<Record<ProviderName, number>>>;
  /** What nobody knows of whether other machines reach it, for people; undefined: there is none. */
  readonly exposed: string | undefined;
  /** No new connections; resolves when those that run have ended, or breaks them off when told to. */
  readonly stop: (breakOff: boolean) => Promise<void>;
};

type Opening = {
  readonly engine: Engine;
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly certificate: ServerCertificate | undefined;
} & Pick<ListenOptions, "bodyBytesMax" | "nextId" | "handle">;

/** Opens all that the settings name, or what a service manager hands over in the place of host and port; all or nothing. */
export async function openListeners({ engine, settings, environment, certificate, ...each }: Opening): Promise<Listening | InputError> {
  const scheme: Scheme = certificate === undefined ? "http" : "https";
  const listeners: Listener[] = [];
  const places = createPlaces(settings.connectionsMax);
  const stop = async (breakOff: boolean) => {
    await Promise.all(listeners.map((listener) => listener.stop(breakOff)));
  };
  const open = async (
    address: ListenAddress,
    provider: ProviderName | undefined,
    setting: string,
    isTcp = address.kind === "tcp",
  ): Promise<Listener | InputError> => {
    const mistake = address.kind === "unix" ? await removeStale(address.path, setting) : undefined;
    const listener =
      mistake ??
      engine.listen({
        ...each,
        address,
        via: !isTcp ? "unix" : certificate === undefined ? "tcp" : "tls",
        certificate: isTcp ? certificate : undefined,
        reusePort: settings.reusePort,
        setting,
        provider,
        headBytesMax: settings.headBytesMax,
        places,
      });
    if (isInputError(listener)) void stop(true);
    else listeners.push(listener);
    return listener;
  };

  const handed = handedSockets(environment, process.pid);
  const handedMain = handed.find(({ at, provider }) => at?.kind === "tcp" && provider === undefined)?.at;
  let main: { readonly host: string; readonly port: number } | undefined = handedMain?.kind === "tcp" ? handedMain : undefined;
  const exposed = handed.some(({ at }) => at === undefined) ? UNKNOWN_ADDRESS : undefined;
  const addresses: string[] = [];
  const providerPorts: Partial<Record<ProviderName, number>> = {};
  /** A provider's clients are told its own port, which they join to the host that all are told. */
  const note = (at: SocketAddress | undefined, provider: ProviderName | undefined) => {
    if (provider === undefined && at === main) return;
    const shown = at === undefined ? "a socket that was handed over" : at.kind === "unix" ? `unix:${at.path}` : originOf({ scheme, ...at });
    addresses.push(provider === undefined ? shown : `${provider} ${shown}`);
    if (provider !== undefined && at?.kind === "tcp" && at.host === (main?.host ?? settings.host)) providerPorts[provider] ??= at.port;
  };
  for (const { fd, provider, at } of handed) {
    const listener = await open({ kind: "fd", fd }, provider, "the socket unit", at?.kind !== "unix");
    if (isInputError(listener)) return listener;
    const mistake = at === undefined ? exposureMistake(UNKNOWN_ADDRESS, settings) : undefined;
    if (mistake !== undefined) {
      void stop(true);
      return mistake;
    }
    note(at, provider);
  }
  if (handed.length === 0) {
    const listener = await open({ kind: "tcp", host: settings.host, port: settings.port }, undefined, "--port");
    if (isInputError(listener)) return listener;
    main = { host: settings.host, port: listener.port ?? settings.port };
    for (const [provider, port] of Object.entries(settings.providerPorts) as [ProviderName, number][]) {
      const own = await open({ kind: "tcp", host: settings.host, port }, provider, `providers.${provider}.port`);
      if (isInputError(own)) return own;
      providerPorts[provider] = own.port ?? port;
    }
  }
  for (const { address, provider } of settings.listen) {
    const listener = await open(address, provider, "--listen");
    if (isInputError(listener)) return listener;
    note(address.kind === "unix" ? address : { ...address, port: listener.port ?? address.port }, provider);
  }
  return { host: main?.host ?? settings.host, port: main?.port ?? 0, addresses, providerPorts, exposed, stop };
}
