import { readFileSync, readlinkSync } from "node:fs";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import type { ListenAddress } from "../engines/engine.ts";

/** The first descriptor that is handed over (sd_listen_fds(3)). */
const FIRST = 3;

export type HandedSocket = {
  readonly address: ListenAddress;
  /** By its name in LISTEN_FDNAMES. */
  readonly provider: ProviderName | undefined;
  /** Of a TCP socket, where the system tells it. */
  readonly port: number | undefined;
};

/** Sockets that listen already and were handed over by the service manager: LISTEN_FDS and LISTEN_PID, with names in LISTEN_FDNAMES. */
export function handedSockets(environment: Readonly<Record<string, string | undefined>>, pid: number): readonly HandedSocket[] {
  const count = Number(environment.LISTEN_FDS);
  if (!Number.isInteger(count) || count <= 0 || environment.LISTEN_PID !== String(pid)) return [];
  const names = (environment.LISTEN_FDNAMES ?? "").split(":");
  return Array.from({ length: count }, (_, index) => ({
    address: { kind: "fd", fd: FIRST + index } as const,
    provider: PROVIDER_NAMES.find((name) => name === names[index]),
    port: portOf(FIRST + index),
  }));
}

/** The port of a listening socket, as Linux tells it; undefined for others and elsewhere. */
function portOf(fd: number): number | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    const lines = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].flatMap((file) => readFileSync(file, "utf8").split("\n"));
    const columns = lines.map((line) => line.trim().split(/\s+/)).find((found) => found[9] === inode);
    const port = columns?.[1]?.split(":")[1];
    return inode === undefined || port === undefined ? undefined : Number.parseInt(port, 16);
  } catch {
    return undefined;
  }
}
