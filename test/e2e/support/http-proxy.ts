import { connect, createServer, type Socket } from "node:net";
import { listening } from "./servers.ts";

/** How a proxy asks for credentials. */
export const DENIED =
  'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 6\r\n\r\ndenied';

/** An HTTP proxy as those in use are; `authorization` is the one that it takes. `heads` are of the requests to itself. */
export async function startHttpProxy(authorization?: string, accepted = "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n") {
  const heads: string[] = [];
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    client.on("error", () => {});
    let target: Socket | undefined;
    let isTunnel = false;
    client.on("close", () => target?.destroy());
    client.on("data", (data) => {
      if (isTunnel) {
        target?.write(data);
        return;
      }
      const text = data.toString("latin1");
      const head = text.slice(0, text.indexOf("\r\n\r\n") + 4);
      heads.push(head);
      if (authorization !== undefined && !head.includes(`\r\nProxy-Authorization: ${authorization}\r\n`)) {
        client.write(DENIED);
        return;
      }
      const [, method, host = "", port] = /^(\w+) (?:http:\/\/)?([^:/ ]+):(\d+)/.exec(head) ?? [];
      isTunnel = method === "CONNECT";
      if (target === undefined) {
        target = connect(Number(port), host);
        target.on("error", () => client.destroy());
        target.on("data", (answer) => client.write(answer));
        target.on("close", () => client.end());
        if (isTunnel) target.on("connect", () => client.write(accepted));
      }
      if (!isTunnel) target.write(text.replace(/^(\w+) http:\/\/[^/]+/, "$1 ").replace(/Proxy-Authorization: .*\r\n/, ""));
    });
  });
  const { port, stop } = await listening(server);
  return { port, stop, heads, connections: () => connections, [Symbol.dispose]: stop };
}
