import { connect, createServer, type Server, type Socket } from "node:net";
import { eventually } from "./daemon.ts";

/** What `answering` answers. */
export const OK = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/** Answers every request on a connection, plain or TLS. */
export function answering(socket: Socket, told: (head: string) => void = () => {}): void {
  let unread = "";
  socket.on("error", () => {});
  socket.on("data", (data) => {
    unread += data.toString("latin1");
    for (;;) {
      const border = unread.indexOf("\r\n\r\n");
      const head = unread.slice(0, border + 4);
      const end = border + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (border < 0 || unread.length < end) return;
      unread = unread.slice(end);
      told(head);
      socket.write(OK);
    }
  });
}

export async function listening(server: Server, host = "127.0.0.1") {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { port: address.port, stop: () => void server.close() };
}

/** A port that nobody listens on, for now. */
export async function freePort(): Promise<number> {
  const { port, stop } = await listening(createServer());
  stop();
  return port;
}

/** Waits until somebody listens. */
export async function reachable(port: number): Promise<void> {
  await eventually(async () => {
    const { promise, resolve } = Promise.withResolvers<true | undefined>();
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(undefined));
    const is = await promise;
    socket.destroy();
    return is;
  }, `a server on port ${port}`);
}
