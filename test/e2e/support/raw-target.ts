import { createServer } from "node:net";
import { type Message, messageScan, requestFraming } from "./http-message.ts";
import { type WireEnd, wireEnd } from "./wire-end.ts";

/** A request whose head has reached the target. */
export type Arrived = Pick<Message, "head" | "startLine" | "headers"> & {
  readonly connection: WireEnd;
  /** What has come of the body, as framed on the wire. */
  readonly body: () => string;
  /** The request when it is complete; waits for that, without end where it never is. */
  readonly complete: Promise<Message>;
};

/** A target on raw sockets: `answer` gets every request when its head is complete, and writes what it likes. */
export async function startRawTarget(answer: (arrived: Arrived) => unknown) {
  const arrivals: Arrived[] = [];
  const connections: WireEnd[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const end = wireEnd(socket);
    let isTunnel = false;
    const connection: WireEnd = {
      ...end,
      write(text) {
        // Behind a 101 there are no messages.
        isTunnel ||= text.includes("HTTP/1.1 101 ");
        end.write(text);
      },
    };
    connections.push(connection);
    let current: { message?: Message; readonly complete: PromiseWithResolvers<Message> } | undefined;
    const scan = messageScan(requestFraming, (head) => {
      const own: NonNullable<typeof current> = { complete: Promise.withResolvers<Message>() };
      current = own;
      const body = () => own.message?.body ?? (current === own ? scan.body() : "");
      const arrived: Arrived = { ...head, connection, body, complete: own.complete.promise };
      arrivals.push(arrived);
      answer(arrived);
    });
    // In a tunnel each direction ends by itself.
    socket.on("end", () => !isTunnel && socket.end());
    socket.on("data", (bytes: Buffer) => {
      if (isTunnel) return;
      for (const message of scan.push(bytes.toString("latin1"))) {
        if (current === undefined) continue;
        current.message = message;
        current.complete.resolve(message);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    authority: `127.0.0.1:${address.port}`,
    url: `http://127.0.0.1:${address.port}`,
    arrivals,
    connections,
    stop() {
      server.close();
      for (const { socket } of connections) socket.destroy();
    },
  };
}
