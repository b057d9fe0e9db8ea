import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/** What is left when an exchange ends in an unusual way: nothing may run on, and no answer may reach somebody else. */
describe("ends of exchanges, with the wire engine", () => {
  let upstream: Upstream;
  let daemon: TestDaemon;
  let answer: (seen: Seen) => unknown;

  beforeEach(async () => {
    answer = ({ socket }) => socket.write(OK);
    upstream = await startRawUpstream((seen) => answer(seen));
    daemon = await startTestDaemon({ engine: "wire", args: ["--upstream", `openai=${upstream.url}`] });
  });
  afterEach(async () => {
    await daemon.stop();
    upstream.stop();
  });

  const running = async () => Number(((await daemon.command("ls")).body as { readonly running: number }).running);
  const nothingRuns = () => eventually(async () => ((await running()) === 0 ? true : undefined), "the end of all exchanges");
  const endless = ({ socket }: Seen) => {
    socket.write(CHUNKED);
    const timer = setInterval(() => socket.write("b\r\ndata: 1234\n\r\n"), 2);
    socket.on("close", () => clearInterval(timer));
    socket.on("error", () => {});
  };

  test("clients that reset while their further requests wait leave nothing behind", async () => {
    const block = `2000\r\n${"x".repeat(0x2000)}\r\n`;
    answer = ({ socket }) => {
      socket.write(CHUNKED);
      const pour = () => {
        while (!socket.destroyed && socket.write(block));
      };
      socket.on("drain", pour);
      socket.on("error", () => {});
      pour();
    };
    const behind = request("POST", "/v1/chat/completions", {}, "y".repeat(90_000));
    const clients = Array.from({ length: 60 }, () => {
      const socket: Socket = connect({ host: "127.0.0.1", port: daemon.port }, () => socket.write(request("GET", "/v1/models") + behind));
      let reads = 0;
      return new Promise<void>((resolve) => {
        socket.on("data", () => {
          if (++reads === 10) socket.resetAndDestroy();
        });
        socket.on("close", () => resolve());
        socket.on("error", () => {});
      });
    });
    await Promise.all(clients);
    await nothingRuns();
  });

  test("a connection on which an upload was not taken to its end takes no other request", async () => {
    await daemon.command("add c * model=none");
    answer = (seen) => {
      if (seen.method !== "POST") seen.socket.write(OK);
      else {
        seen.socket.pause();
        seen.socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n{}");
      }
    };
    const large = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, " ".repeat(20_000_000)), { until: complete });
    expect(large.status).toBe(413);
    const next = await raw(daemon.port, request("GET", "/v1/models"), { until: complete });
    expect(next.status).toBe(200);
    expect(upstream.seen[0]?.socket).not.toBe(upstream.seen[1]?.socket);
  });

  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\nContent-Length: 45\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n"],
  ])("a body that comes where none may (%s, %j) reaches nobody else", async (method, head) => {
    answer = ({ socket }) => {
      socket.write(head);
      answer = ({ socket: other }) => other.write(OK);
    };
    await raw(daemon.port, request(method, "/v1/models"), { until: (text) => text.includes("\r\n\r\n") });
    const next = raw(daemon.port, request("GET", "/v1/models"), { until: complete });
    upstream.seen[0]?.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    expect((await next).body).toBe("{}");
  });

  test("a client that leaves in the middle of an upload that hangs is noticed", async () => {
    await daemon.command("hang * path=*");
    const { socket } = rawConnection(daemon.port, request("POST", "/v1/files", { "content-length": "50000000" }, "x".repeat(3_000_000)));
    await eventually(async () => ((await running()) === 1 ? true : undefined), "the exchange");
    socket.end();
    await nothingRuns();
    await daemon.event(({ done }) => done === "hang");
  });

  test.each(["wrong_length * says=less side=upstream", "truncate_body * bytes=20 side=upstream"])(
    "%s: the target is not read to the end of a stream that has none",
    async (command) => {
      await daemon.command(command);
      answer = endless;
      const { socket } = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, '{"stream":true}'));
      const seen = await eventually(() => upstream.seen[0], "the request");
      expect(["fin", "rst"]).toContain(await seen.closed);
      socket.destroy();
    },
  );

  describe("of a tunnel", () => {
    const upgrade = request("GET", "/v1/responses", { connection: "Upgrade", upgrade: "websocket" });
    const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

    async function tunnel() {
      answer = ({ socket }) => socket.write(switched);
      const client = rawConnection(daemon.port, upgrade);
      await eventually(() => (client.text().includes("101") ? true : undefined), "the 101");
      const target = upstream.seen[0];
      if (target === undefined) throw new Error("no request");
      return { client, target };
    }

    test("the target's RST is a cut, and comes behind all that was sent before it", async () => {
      const { client, target } = await tunnel();
      // No more than the system holds: the target's own RST throws away what has not left it.
      const sent = "x".repeat(50_000);
      await new Promise<void>((resolve) => target.socket.write(sent, () => resolve()));
      target.socket.resetAndDestroy();
      expect(await client.ended.promise).toBe("rst");
      expect(client.text().length).toBe(switched.length + sent.length);
      await daemon.event(({ done }) => done === "cut");
    });

    test("the client's RST is a client that has left", async () => {
      const { client, target } = await tunnel();
      client.socket.resetAndDestroy();
      expect(["fin", "rst"]).toContain(await target.closed);
      await daemon.event(({ done }) => done === "client_gone");
    });
  });
});
