import { createServer, type Socket } from "node:net";

export type Seen = {
  readonly socket: Socket;
  /** Head with its blank line, as latin1 text. */
  readonly head: string;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  /** The body as framed on the wire, so far. */
  readonly body: () => string;
  /** How and that the peer ended the connection. */
  readonly closed: Promise<"fin" | "rst">;
};

/**
 * A target on raw sockets: `answer` is called when a head is complete and writes what it likes. The bytes of the request
 * are kept as they came.
 */
export async function startRawUpstream(answer: (seen: Seen) => unknown) {
  const seen: Seen[] = [];
  const server = createServer((socket) => {
    let unread = "";
    let current: { text: string; readonly complete: (text: string) => number | undefined } | undefined;
    const closed = Promise.withResolvers<"fin" | "rst">();
    socket.on("data", (chunk) => {
      unread += chunk.toString("latin1");
      for (;;) {
        if (current === undefined) {
          const border = unread.indexOf("\r\n\r\n");
          if (border < 0) return;
          const head = unread.slice(0, border + 4);
          unread = unread.slice(border + 4);
          const body = { text: "", complete: bodyEnd(head) };
          current = body;
          const one: Seen = { socket, head, ...parseHead(head), body: () => body.text, closed: closed.promise };
          seen.push(one);
          answer(one);
        }
        const end = current.complete(current.text + unread);
        const taken = end === undefined ? unread.length : end - current.text.length;
        current.text += unread.slice(0, taken);
        unread = unread.slice(taken);
        if (end === undefined) return;
        current = undefined;
      }
    });
    socket.on("end", () => closed.resolve("fin"));
    socket.on("error", () => closed.resolve("rst"));
    socket.on("close", () => closed.resolve("fin"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    seen,
    stop: () => server.close(),
  };
}

function parseHead(head: string): Pick<Seen, "method" | "target" | "headers"> {
  const [line = "", ...fields] = head.trimEnd().split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  return {
    method,
    target,
    headers: fields.map((field) => [field.slice(0, field.indexOf(":")), field.slice(field.indexOf(":") + 1).trim()] as const),
  };
}

/** Where the body ends in what has come of it, or undefined while it has not. */
function bodyEnd(head: string): (text: string) => number | undefined {
  if (/\r\ntransfer-encoding:/i.test(head)) {
    return (text) => (text.endsWith("0\r\n\r\n") ? text.length : undefined);
  }
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  return (text) => (text.length >= length ? length : undefined);
}
