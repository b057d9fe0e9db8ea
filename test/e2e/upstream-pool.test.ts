import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";
import { answering, listening, OK } from "./support/servers.ts";

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));

describe("kept connections", () => {
  let upstream: Upstream;
  let daemon: TestDaemon;
  let answer: (seen: Seen) => unknown;

  beforeAll(async () => {
    upstream = await startRawUpstream((seen) => answer(seen));
    daemon = await startTestDaemon({ engine: "wire", args: ["--upstream", `openai=${upstream.url}`] });
  });
  afterAll(async () => {
    await daemon.stop();
    upstream.stop();
  });
  beforeEach(() => {
    // Nothing is left of the test before.
    for (const { socket } of upstream.seen) socket.destroy();
    upstream.seen.length = 0;
    answer = ({ socket }) => void socket.write(OK);
  });

  const send = (method: string, body = "") => raw(daemon.port, request(method, "/v1/x", {}, body), { until: complete });
  /** For each request that came, the number of its connection. */
  const connections = () => {
    const sockets = [...new Set(upstream.seen.map(({ socket }) => socket))];
    return upstream.seen.map(({ socket }) => sockets.indexOf(socket));
  };
  const statusOf = (text: string) => Number(text.split(" ")[1]);

  test("one after the other they are used again, by all clients", async () => {
    for (const method of ["POST", "GET", "HEAD", "DELETE", "POST"]) {
      answer = ({ socket }) => void socket.write(method === "HEAD" ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" : OK);
      const until = method === "HEAD" ? (text: string) => text.includes("\r\n\r\n") : complete;
      expect((await raw(daemon.port, request(method, "/v1/x"), { until })).status).toBe(200);
    }
    // Behind an answer to HEAD that announces a body one may come after all: that connection is not trusted again.
    expect(connections()).toEqual([0, 0, 0, 1, 1]);
  });

  test.each([
    ["chunks", "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
    ["chunks and trailers", "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n"],
    ["an empty body", "content-length: 0\r\n\r\n"],
  ])("also after %s", async (_, rest) => {
    answer = ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
    const until = (text: string) => text.endsWith("\r\n\r\n");
    for (let turn = 0; turn < 3; turn++) await raw(daemon.port, request("GET", "/v1/x"), { until });
    expect(connections()).toEqual([0, 0, 0]);
  });

  test.each<[string, string]>([
    ["Connection: close", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"],
    ["Connection: x, Close", "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\n{}"],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
    ["bytes behind the answer", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n"],
    ["Keep-Alive: timeout=1, of which nothing is left on the way", `${OK.replace("\r\n\r\n", "\r\nkeep-alive: timeout=1\r\n\r\n")}`],
  ])("not after %s", async (_, bytes) => {
    answer = ({ socket }) => void socket.write(bytes);
    for (let turn = 0; turn < 3; turn++) expect((await send("POST", "{}")).body).toBe("{}");
    expect(connections()).toEqual([0, 1, 2]);
  });

  test("not for longer than Keep-Alive says", async () => {
    answer = ({ socket }) => void socket.write(OK.replace("\r\n\r\n", "\r\nKeep-Alive: max=100, timeout=2\r\n\r\n"));
    await send("POST");
    await send("POST");
    await Bun.sleep(1_100);
    await send("POST");
    expect(connections()).toEqual([0, 0, 1]);
  });

  test("not where the answer came before the end of the upload", async () => {
    const { socket, ended } = rawConnection(daemon.port, "POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf", complete);
    await ended.promise;
    socket.destroy();
    expect(["fin", "rst"]).toContain((await upstream.seen[0]?.closed) ?? "open");
    await send("POST");
    expect(connections()).toEqual([0, 1]);
  });

  test("not where the client left in the middle of the answer", async () => {
    answer = ({ socket }) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    const { socket, text } = rawConnection(daemon.port, request("GET", "/v1/x"));
    await eventually(() => (text().includes("half") ? true : undefined), "the beginning");
    socket.destroy();
    expect(["fin", "rst"]).toContain((await upstream.seen[0]?.closed) ?? "open");
    answer = ({ socket }) => void socket.write(OK);
    await send("GET");
    expect(connections()).toEqual([0, 1]);
  });

  test.each<[string, (seen: Seen) => unknown]>([
    ["closed", ({ socket }) => socket.end()],
    ["reset", ({ socket }) => socket.resetAndDestroy()],
    ["talked on", ({ socket }) => socket.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")],
  ])("one that the target %s while nothing was asked is never used", async (_, end) => {
    for (let turn = 0; turn < 10; turn++) {
      expect((await send("POST", "{}")).status).toBe(200);
      const seen = upstream.seen.at(-1);
      if (seen === undefined) throw new Error("no request came");
      end(seen);
      await Bun.sleep(10);
    }
    expect(new Set(connections()).size).toBe(10);
  });

  describe("that the target closes just as a request is sent", () => {
    const closing = (times: number) => {
      let left = times;
      answer = ({ socket }) => (left-- > 0 ? socket.resetAndDestroy() : socket.write(OK));
    };

    test.each([
      ["GET", "", 200, 2],
      ["HEAD", "", 200, 2],
      ["PUT", "{}", 200, 2],
      ["DELETE", "", 200, 2],
      ["OPTIONS", "", 200, 2],
      ["POST", "{}", 502, 1],
      ["POST", "", 502, 1],
      ["PATCH", "{}", 502, 1],
    ])("%s with the body %j gets a %d", async (method, body, status, times) => {
      await send("POST");
      upstream.seen.length = 0;
      closing(1);
      const until = method === "HEAD" ? (text: string) => text.includes("\r\n\r\n") : complete;
      const got = await raw(daemon.port, request(method, "/v1/x", {}, body), { until });
      expect([got.status, upstream.seen.length]).toEqual([status, times]);
      if (status === 502) {
        expect(got.text).toContain("x-faultproxy-error: upstream_closed_early");
        expect(got.body).toContain("closed the kept connection as the request was sent");
      }
    });

    test("a GET is sent again once", async () => {
      await send("POST");
      upstream.seen.length = 0;
      closing(2);
      expect((await send("GET")).status).toBe(502);
      expect(upstream.seen.length).toBe(2);
    });

    test("a PUT whose body was sent as it came is not sent again", async () => {
      await send("POST");
      upstream.seen.length = 0;
      closing(1);
      const { socket, ended, text } = rawConnection(
        daemon.port,
        "PUT /v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        complete,
      );
      await ended.promise;
      socket.destroy();
      expect([statusOf(text()), upstream.seen.length]).toEqual([502, 1]);
    });

    test("nothing is sent again on a connection that is new", async () => {
      closing(1);
      expect((await send("GET")).status).toBe(502);
      expect(upstream.seen.length).toBe(1);
    });

    test("nothing is sent again when an answer has begun", async () => {
      await send("POST");
      upstream.seen.length = 0;
      answer = ({ socket }) => socket.end("HTTP/1.1 200 OK\r\ncontent-le");
      expect((await send("GET")).status).toBe(502);
      expect(upstream.seen.length).toBe(1);
    });

    // The process stands still, so that the request is there before the end of the connection, and both are found together.
    test.skipIf(process.platform === "win32").each<[string, "fin" | "rst", string, number]>([
      ["a POST of which nothing could be written is sent again", "rst", "POST", 200],
      ["a POST that was written behind a FIN is not", "fin", "POST", 502],
      ["a GET that was written behind a FIN is", "fin", "GET", 200],
    ])("%s", async (_, how, method, status) => {
      await send("POST");
      const kept = upstream.seen[0]?.socket;
      const { socket, ended, text } = rawConnection(daemon.port, "", complete);
      await eventually(() => (socket.readyState === "open" ? true : undefined), "the connection");
      await Bun.sleep(20);
      process.kill(daemon.pid, "SIGSTOP");
      socket.write(request(method, "/v1/x"));
      await Bun.sleep(50);
      if (how === "rst") kept?.resetAndDestroy();
      else kept?.destroy();
      await Bun.sleep(50);
      process.kill(daemon.pid, "SIGCONT");
      await ended.promise;
      socket.destroy();
      expect(statusOf(text())).toBe(status);
    });
  });
});

describe.each(ENGINES)("the address of a target, with the %s engine", (engine) => {
  test.skipIf(!HAS_IPV6).each([
    ["[::1]", "::1"],
    ["localhost", "::1"],
    ["localhost", "127.0.0.1"],
  ])("%s, where only %s listens", async (host, address) => {
    const heads: string[] = [];
    const target = await listening(
      createServer((socket) => answering(socket, (head) => heads.push(head))),
      address,
    );
    const daemon = await startTestDaemon({ engine, args: ["--upstream", `openai=http://${host}:${target.port}`] });
    const got = await raw(daemon.port, request("POST", "/v1/x", {}, "{}"), { until: complete });
    await daemon.stop();
    target.stop();
    expect(got.status).toBe(200);
    expect(heads[0]?.toLowerCase()).toContain(`\r\nhost: ${host}:${target.port}\r\n`);
  });
});
