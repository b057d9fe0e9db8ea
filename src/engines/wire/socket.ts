/** A socket of either side, plain or TLS, with whoever gets its events. */
export type Socket = Bun.Socket<SocketEvents>;

/** What happens on a socket. */
export type SocketEvents = {
  readonly data: (bytes: Buffer) => void;
  /** FIN. */
  readonly end: () => void;
  /** Over, both ways; with an error where it was not by a FIN. */
  readonly close: (error: Error | undefined) => void;
  /** There is room for more output. */
  readonly drain: () => void;
  readonly handshake?: (isTrusted: boolean, error: (Error & { readonly code?: string }) | null) => void;
};

/** For Bun: each event goes to whoever the socket belongs to at the time. */
export const DISPATCH = {
  data: (socket: Socket, bytes: Buffer) => socket.data.data(bytes),
  end: (socket: Socket) => socket.data.end(),
  close: (socket: Socket, error?: Error) => socket.data.close(error),
  drain: (socket: Socket) => socket.data.drain(),
  handshake: (socket: Socket, isTrusted: boolean, error: Error | null) => socket.data.handshake?.(isTrusted, error),
  // `close` follows and has it too.
  error: () => {},
};

/** FIN both ways, once what is written has gone. */
export function closeSocket(socket: Socket): void {
  socket.end();
}

/** RST. */
export function resetSocket(socket: Socket): void {
  socket.terminate();
}
