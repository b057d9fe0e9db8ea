import { type InputError, inputError } from "../../core/errors.ts";
import type { Listener, ListenOptions } from "../engine.ts";
import { ClientConnection, type ClientSide } from "./client-connection.ts";
import { CONNECTION_LIMITS, type ConnectionLimits, SWEEP_MS } from "./limits.ts";
import { refusal } from "./refusal.ts";
import { DISPATCH, type Socket, type SocketEvents } from "./socket.ts";

/** Opens the port on raw sockets. */
export function listen(options: ListenOptions, limits: ConnectionLimits = CONNECTION_LIMITS): Listener | InputError {
  const connections = new Set<ClientConnection>();
  let isDraining = false;
  let nowMs = performance.now();
  let sweeper: Timer | undefined;
  const ended = Promise.withResolvers<void>();

  const side: ClientSide = {
    ...options,
    limits,
    isDraining: () => isDraining,
    nowMs: () => nowMs,
    closed(connection) {
      connections.delete(connection);
      if (connections.size > 0) return;
      clearInterval(sweeper);
      sweeper = undefined;
      if (isDraining) ended.resolve();
    },
  };
  const open = (socket: Socket) => {
    socket.setNoDelay(true);
    if (connections.size >= limits.connections) {
      socket.data = REFUSED;
      socket.write(refusal(503, "too_many_connections", `more than ${limits.connections} connections are open`));
      socket.end();
      return;
    }
    if (sweeper === undefined) {
      nowMs = performance.now();
      sweeper = setInterval(() => {
        nowMs = performance.now();
        for (const connection of connections) connection.sweep(nowMs);
      }, SWEEP_MS);
    }
    const connection = new ClientConnection(socket, side);
    socket.data = connection;
    connections.add(connection);
  };

  try {
    const server = Bun.listen<SocketEvents>({
      hostname: options.host,
      port: options.port,
      allowHalfOpen: true,
      exclusive: true,
      data: REFUSED,
      socket: { ...DISPATCH, open },
    });
    return {
      port: server.port,
      async stop(breakOff) {
        if (!isDraining) server.stop();
        isDraining = true;
        for (const connection of [...connections]) {
          if (breakOff) connection.breakOff();
          else connection.drainConnection();
        }
        if (connections.size === 0) ended.resolve();
        await ended.promise;
      },
    };
  } catch (error) {
    return listenError(error, options);
  }
}

/** Of connections above the limit. */
const REFUSED: SocketEvents = { data() {}, end() {}, close() {}, drain() {} };

function listenError(error: unknown, { host, port, provider }: ListenOptions): InputError {
  const choose = provider === undefined ? "choose another with --port" : `choose another for providers.${provider}.port`;
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (code === "EADDRINUSE") return inputError(`port ${port} on ${host} is in use; ${choose}, or 0 for a free one`);
  if (code === "EACCES") return inputError(`port ${port} needs more rights than this user has; ${choose}, above 1023`);
  if (["EADDRNOTAVAIL", "ENOTFOUND", "EINVAL", ""].includes(code))
    return inputError(`${host} is not an address of this machine; choose one with --host, such as 127.0.0.1`);
  return inputError(`cannot listen on ${host}:${port} (${code})`);
}
