import { connect, type Socket } from "node:net";

/** How the peer ended the connection. */
export type End = "fin" | "rst";

/** One end of a TCP connection in a test's hands. Bytes are Latin-1 text. */
export type WireEnd = {
  readonly socket: Socket;
  readonly write: (text: string) => void;
  /** Everything that has come. */
  readonly text: () => string;
  readonly bytesReceived: () => number;
  /** Waits until this has come, or this many bytes, or what a function asks for; fails when the peer ends first, or after four seconds. */
  readonly has: (wanted: string | number | ((text: string) => boolean)) => Promise<void>;
  /** How the peer ended it; waits for that. */
  readonly ended: Promise<End>;
  readonly hasEnded: () => boolean;
  readonly fin: () => void;
  readonly rst: () => void;
};

const WAIT_MS_MAX = 4_000;

export function wireEnd(socket: Socket): WireEnd {
  let received: string[] = [];
  let bytesReceived = 0;
  let isOver = false;
  let waiting: { readonly isThere: () => boolean; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<End>();
  const text = () => {
    if (received.length > 1) received = [received.join("")];
    return received[0] ?? "";
  };
  const look = () => {
    if (waiting.length === 0) return;
    const still = waiting.filter((one) => {
      if (one.isThere()) one.resolve();
      else if (isOver) one.reject(new Error(`the connection ended behind ${JSON.stringify(text().slice(-400))}`));
      else return true;
      return false;
    });
    waiting = still;
  };
  const over = (how: End) => {
    isOver = true;
    end(how);
    look();
  };
  socket.setNoDelay(true);
  socket.on("data", (bytes: Buffer) => {
    received.push(bytes.toString("latin1"));
    bytesReceived += bytes.length;
    look();
  });
  socket.on("end", () => over("fin"));
  socket.on("error", () => over("rst"));
  socket.on("close", () => over("fin"));
  return {
    socket,
    write: (more) => void socket.write(Buffer.from(more, "latin1")),
    text,
    bytesReceived: () => bytesReceived,
    has(wanted) {
      const isThere = () => {
        if (typeof wanted === "number") return bytesReceived >= wanted;
        return typeof wanted === "string" ? text().includes(wanted) : wanted(text());
      };
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`did not come within 4 s; what came: ${JSON.stringify(text().slice(-400))}`)),
          WAIT_MS_MAX,
        );
        const settle = (then: () => void) => () => {
          clearTimeout(timer);
          then();
        };
        waiting.push({
          isThere,
          resolve: settle(resolve),
          reject: (error) => settle(() => reject(error))(),
        });
        look();
      });
    },
    ended,
    hasEnded: () => isOver,
    fin: () => void socket.end(),
    rst: () => void socket.resetAndDestroy(),
  };
}

/** A client that says what it is told to. It may end its own direction and still read. */
export function openClient(port: number, text = ""): WireEnd {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const client = wireEnd(socket);
  if (text !== "") client.write(text);
  return client;
}
