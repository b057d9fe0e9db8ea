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
  /** TLS: what is wrong with the peer's certificate comes as an error of a handshake that was done. */
  readonly handshake?: (isDone: boolean, error: SocketError | null) => void;
  /** TLS: the peer has sent an alert, or no TLS; `close` follows without it. */
  readonly error?: (error: SocketError) => void;
};

export type SocketError = Error & { readonly code?: string };

/** For Bun: each event goes to whoever the socket belongs to at the time. */
export const DISPATCH = {
  data: (socket: Socket, bytes: Buffer) => socket.data.data(bytes),
  end: (socket: Socket) => socket.data.end(),
  close: (socket: Socket, error?: Error) => socket.data.close(error),
  drain: (socket: Socket) => socket.data.drain(),
  handshake: (socket: Socket, isDone: boolean, error: SocketError | null) => socket.data.handshake?.(isDone, error),
  error: (socket: Socket, error: SocketError) => socket.data.error?.(error),
};

/** FIN both ways, once what is written has gone. With TLS `end` alone would send no FIN, and wait for the peer's without end. */
export function closeSocket(socket: Socket): void {
  socket.shutdown();
  socket.end();
}

/** RST. */
export function resetSocket(socket: Socket): void {
  socket.terminate();
}
