import type { InputError } from "../../core/errors.ts";
import type { Listener, ListenOptions } from "../engine.ts";
import { listenError } from "../listen-error.ts";
import { ClientConnection, type ClientSide } from "./client-connection.ts";
import { CONNECTION_LIMITS, type ConnectionLimits, SWEEP_MS } from "./limits.ts";
import { refusal } from "./refusal.ts";
import { closeSocket, DISPATCH, type Socket, type SocketEvents } from "./socket.ts";

/** Opens the port on raw sockets. */
export function listen(options: ListenOptions, limits: ConnectionLimits = CONNECTION_LIMITS): Listener | InputError {
  const { certificate, places } = options;
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
      places.free();
      if (connections.size > 0) return;
      clearInterval(sweeper);
      sweeper = undefined;
      if (isDraining) ended.resolve();
    },
  };
  const open = (socket: Socket) => {
    socket.setNoDelay(true);
    if (!places.take()) {
      socket.data = REFUSED;
      // Nothing can be said before the handshake, and to wait for it would be a connection more.
      if (certificate === undefined)
        socket.write(refusal(503, "too_many_connections", `more than ${places.max} connections are open (max_connections in [server])`));
      closeSocket(socket);
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
      ...listenAddress(options),
      ...(certificate === undefined ? {} : { tls: { ...certificate, ALPNProtocols: Buffer.from("\x08http/1.1") } }),
      allowHalfOpen: true,
      data: REFUSED,
      socket: { ...DISPATCH, open },
    });
    return {
      port: options.address.kind === "tcp" ? server.port : undefined,
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

/** As Bun.listen takes it; its types know TCP only with a port, and do not know descriptors. */
function listenAddress({ address, reusePort }: ListenOptions): { readonly hostname: string; readonly port: number } {
  const options = () => {
    switch (address.kind) {
      case "tcp":
        return { hostname: address.host, port: address.port, reusePort, exclusive: !reusePort };
      case "unix":
        return { unix: address.path };
      case "fd":
        return { fd: address.fd };
    }
  };
  return options() as { readonly hostname: string; readonly port: number };
}
