import { readFileSync, readlinkSync } from "node:fs";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The first descriptor that is handed over (sd_listen_fds(3)). */
const FIRST = 3;

/** By which the sockets are told; they mean the process with this id and none that it starts. */
const VARIABLES: ReadonlySet<string> = new Set(["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]);

export type HandedSocket = {
  readonly fd: number;
  /** By its name in LISTEN_FDNAMES. */
  readonly provider: ProviderName | undefined;
  /** Where it listens, where the system tells it. */
  readonly at: SocketAddress | undefined;
};

export type SocketAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Sockets that listen already and were handed over by the service manager: LISTEN_FDS and LISTEN_PID, with names in LISTEN_FDNAMES. */
export function handedSockets(environment: Environment, pid: number): readonly HandedSocket[] {
  const { LISTEN_FDS: count, LISTEN_PID: meant, LISTEN_FDNAMES: list } = environment;
  if (meant !== String(pid) || count === undefined || !/^\d{1,3}$/.test(count)) return [];
  const names = (list ?? "").split(":");
  return Array.from({ length: Number(count) }, (_, index) => ({
    fd: FIRST + index,
    provider: PROVIDER_NAMES.find((name) => name === names[index]),
    at: addressOf(FIRST + index),
  }));
}

/** The environment for processes that are started from here. */
export function withoutHandedSockets(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !VARIABLES.has(name)));
}

/** As Linux tells it; undefined elsewhere. */
function addressOf(fd: number): SocketAddress | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    if (inode === undefined) return undefined;
    for (const file of ["tcp", "tcp6"]) {
      const row = rowsOf(file).find((columns) => columns[9] === inode);
      if (row?.[1] !== undefined) return tcpAddress(row[1]);
    }
    const path = rowsOf("unix").find((columns) => columns[6] === inode)?.[7];
    return path === undefined ? undefined : { kind: "unix", path };
  } catch {
    return undefined;
  }
}

function rowsOf(file: string): readonly (readonly string[])[] {
  return readFileSync(`/proc/self/net/${file}`, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}

/** `0100007F:22B8` → 127.0.0.1, 8888. Addresses stand there as words of four bytes in the machine's order (proc_net_tcp). */
export function tcpAddress(text: string): SocketAddress {
  const [address = "", port = ""] = text.split(":");
  const bytes = [...address.matchAll(/.{8}/g)].flatMap(([word]) => [...Buffer.from(word, "hex")].reverse());
  const groups = bytes.flatMap((byte, index) => (index % 2 === 0 ? [((byte << 8) | (bytes[index + 1] ?? 0)).toString(16)] : []));
  const host = bytes.length === 4 ? bytes.join(".") : new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
  return { kind: "tcp", host, port: Number.parseInt(port, 16) };
}
