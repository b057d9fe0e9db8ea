import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { ENGINES, eventually, startTestDaemon } from "./support/daemon.ts";
import { type Conversation, complete, converse, raw } from "./support/raw-client.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";
import { listening, OK } from "./support/servers.ts";

type Target = Awaited<ReturnType<typeof startRawTarget>>;

const clients: Conversation[] = [];
const targets: Target[] = [];
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  for (const target of targets.splice(0)) target.stop();
});

function client(port: number, bytes: string): Conversation {
  const opened = converse(port, bytes);
  clients.push(opened);
  return opened;
}

/** One that answers when the whole request has come. */
async function startTarget(answer?: (arrived: Arrived) => unknown): Promise<Target> {
  const whole = async ({ complete, connection }: Arrived) => {
    await complete;
    connection.write(OK);
  };
  const target = await startRawTarget(answer ?? whole);
  targets.push(target);
  return target;
}

const head = (fields: readonly string[], path = "/openai/v1/chat/completions") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${fields.map((line) => `${line}\r\n`).join("")}\r\n`;
const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked";
const errorOf = (text: string) => /x-faultproxy-error: (\w+)/i.exec(text)?.[1];
const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);

describe.each(ENGINES)("the size of a head, with the %s engine", (engine) => {
  test("is bounded by max_head_bytes", async () => {
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"], toml: "[server]\nmax_head_bytes = 2048\n" });
    const get = (bytes: number) => {
      const start = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Fill: ";
      return `${start}${"x".repeat(bytes - start.length - 4)}\r\n\r\n`;
    };
    const came = async (bytes: number) => {
      const { text } = await raw(daemon.port, get(bytes));
      return [statusOf(text), errorOf(text)];
    };
    expect(await came(engine === "wire" ? 2_048 : 2_000)).toEqual([200, undefined]);
    expect(await came(engine === "wire" ? 2_049 : 2_200)).toEqual([431, "head_too_large"]);
    expect(await came(10_000)).toEqual([431, "head_too_large"]);
  });

  // Bun's server takes 16 KiB and no more.
  test.skipIf(engine === "serve")("may be more than it usually is", async () => {
    const upstream = await startTarget();
    const toml = `[server]\nmax_head_bytes = 300000\n[providers.openai]\nupstream = "${upstream.url}"\n`;
    await using daemon = await startTestDaemon({ engine, toml });
    const many = (bytes: number) => raw(daemon.port, head(["Content-Length: 0", `X-Fill: ${"x".repeat(bytes)}`]), { until: complete });
    expect((await many(250_000)).status).toBe(200);
    expect(upstream.arrivals[0]?.head.length).toBeGreaterThan(250_000);
    expect((await many(300_000)).status).toBe(431);
  });
});

describe.each(ENGINES)("the size of a body, with the %s engine", (engine) => {
  const bounded = async (answer?: (arrived: Arrived) => unknown, more = "") => {
    const upstream = await startTarget(answer);
    const toml = `[server]\nmax_body_bytes = 200000\n[providers.openai]\nupstream = "${upstream.url}"\n${more}`;
    const daemon = await startTestDaemon({ engine, toml, environment: { XDG_STATE_HOME: "/nonexistent" } });
    return { upstream, daemon };
  };

  test("a length above max_body_bytes is refused before a byte of the body has come, in the provider's shape", async () => {
    const { upstream, daemon } = await bounded();
    await using _ = daemon;
    // Bun's server says 100 Continue before anybody is asked.
    const expecting = engine === "wire" ? [["Content-Length: 200001", "Expect: 100-continue"]] : [];
    for (const fields of [["Content-Length: 200001"], ["Content-Length: 999999999999"], ...expecting]) {
      const one = client(daemon.port, head(fields));
      await one.until((text) => text.includes("max_body_bytes"));
      expect([statusOf(one.text()), errorOf(one.text())]).toEqual([413, "request_too_large"]);
      expect(one.text()).not.toContain("100 Continue");
    }
    const messages = client(daemon.port, head(["Content-Length: 200001"], "/anthropic/v1/messages"));
    await messages.until((text) => text.includes('"type":"request_too_large"'));
    expect(upstream.arrivals.length).toBe(0);
    const fits = await raw(daemon.port, head(["Content-Length: 200000"]) + "x".repeat(200_000), { until: complete });
    expect(fits.status).toBe(200);
    const events = (await daemon.events()).map(({ status, error }) => [status, error]);
    expect(events[0]).toEqual([413, "request_too_large"]);
  });

  test("chunks are counted as they come, and as what is in them", async () => {
    const { upstream, daemon } = await bounded();
    await using _ = daemon;
    const fits = await raw(daemon.port, `${head([CHUNKED])}${chunk(1).repeat(1_000)}${chunk(199_000)}0\r\n\r\n`, { until: complete });
    expect(fits.status).toBe(200);
    expect(upstream.arrivals.length).toBe(1);

    const one = client(daemon.port, `${head([CHUNKED])}${chunk(100_000)}`);
    await eventually(() => (upstream.arrivals[1]?.body().length ? true : undefined), "the beginning");
    one.send(chunk(100_001));
    await one.until((text) => text.includes("max_body_bytes"));
    expect([statusOf(one.text()), errorOf(one.text())]).toEqual([413, "request_too_large"]);
    expect(one.text()).toMatch(/\r\nconnection: close\r\n/i);
    // The target sees that the rest will not come, and never more than the bound.
    await upstream.arrivals[1]?.connection.ended;
    expect(upstream.arrivals[1]?.body()).not.toContain("0\r\n\r\n");
    expect(upstream.arrivals[1]?.body().length).toBeLessThan(200_100);
    await daemon.event(({ status, error }) => status === 413 && error === "request_too_large");
  });

  test.each([
    ["goes through the gateway", "[breaker]\nfailure_threshold = 5\n"],
    ["is translated", 'dialect = "responses"\n'],
    ["is answered by a rule that looks at the model", ""],
  ])("a body of chunks that %s is bounded as well", async (what, more) => {
    const { upstream, daemon } = await bounded(undefined, more);
    await using _ = daemon;
    if (what.includes("rule")) await daemon.command("r * model=none");
    const one = client(daemon.port, head([CHUNKED, "Content-Type: application/json"]) + chunk(150_000) + chunk(60_000));
    await one.until((text) => text.includes("max_body_bytes"));
    expect([statusOf(one.text()), errorOf(one.text())]).toEqual([413, "request_too_large"]);
    expect(upstream.arrivals.length).toBe(0);
    const circuits = await fetch("http://localhost/v1/events?follow=false", { unix: daemon.socket }).then((answer) => answer.text());
    expect(circuits).not.toContain('"type":"retry"');
  });

  test("a client that goes on sending can read the answer", async () => {
    const { daemon } = await bounded();
    await using _ = daemon;
    for (const fields of [["Content-Length: 50000000"], [CHUNKED]]) {
      const answer = await new Promise<string>((resolve, reject) => {
        let text = "";
        const socket = connect(daemon.port, "127.0.0.1");
        const block = fields.includes(CHUNKED) ? chunk(10_000) : "x".repeat(10_000);
        socket.write(head(fields));
        // As an upload of ten megabytes a second would.
        const timer = setInterval(() => socket.write(block), 1);
        const over = () => {
          clearInterval(timer);
          socket.destroy();
          resolve(text);
        };
        socket.on("data", (bytes) => {
          text += bytes.toString("latin1");
          if (complete(text)) over();
        });
        socket.on("end", over);
        socket.on("error", (error) => {
          clearInterval(timer);
          reject(error);
        });
      });
      expect([statusOf(answer), errorOf(answer)]).toEqual([413, "request_too_large"]);
    }
  });

  test("an answer that has begun is cut, and no connection is left behind", async () => {
    const { upstream, daemon } = await bounded(({ connection }) =>
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    );
    await using _ = daemon;
    const one = client(daemon.port, head([CHUNKED]) + chunk(1_000));
    await one.until((text) => text.includes("hello"));
    for (let each = 0; each < 30; each++) one.send(chunk(10_000));
    expect(["fin", "rst"]).toContain(await one.end());
    expect(one.text()).not.toContain("0\r\n\r\n");
    await upstream.arrivals[0]?.connection.ended;
    await daemon.event(({ done, status }) => done === "cut" && status === 200);
  });

  test("changes with a reload", async () => {
    const { daemon } = await bounded();
    await using _ = daemon;
    writeFileSync(daemon.config, "simulate = true\n[server]\nmax_body_bytes = 2000\n");
    expect((await daemon.command("reload")).status).toBe(200);
    for (const bytes of [head(["Content-Length: 2001"]), `${head([CHUNKED])}${chunk(2_001)}`]) {
      const one = client(daemon.port, bytes);
      await one.until((text) => text.includes("max_body_bytes"));
      expect(statusOf(one.text())).toBe(413);
    }
  });
});

describe.each(ENGINES)("by default, with the %s engine", (engine) => {
  test.each([
    ["with a length", false],
    ["in chunks", true],
  ])(
    "a body of 500 MB %s goes through",
    async (_, isChunked) => {
      const MB = 1_000_000;
      let bytes = 0;
      const counting = createServer((socket) => {
        socket.on("error", () => {});
        let tail = "";
        socket.on("data", (data: Buffer) => {
          bytes += data.length;
          tail = (tail + data.subarray(-5).toString("latin1")).slice(-5);
          if (isChunked ? tail === "0\r\n\r\n" : bytes >= 500 * MB) socket.end(OK);
        });
      });
      const { port, stop } = await listening(counting);
      await using daemon = await startTestDaemon({ engine, args: ["--upstream", `openai=http://127.0.0.1:${port}`] });
      const block = Buffer.from(isChunked ? chunk(MB) : "x".repeat(MB));
      const one = client(daemon.port, "");
      one.send(head(isChunked ? [CHUNKED] : [`Content-Length: ${500 * MB}`]));
      for (let each = 0; each < 500; each++) {
        if (!one.socket.write(block)) await new Promise((resolve) => one.socket.once("drain", resolve));
      }
      if (isChunked) one.send("0\r\n\r\n");
      await one.until(complete);
      expect(statusOf(one.text())).toBe(200);
      expect(bytes).toBeGreaterThanOrEqual(500 * MB);
      stop();
    },
    60_000,
  );

  test("a length above 1 GiB does not", async () => {
    await using daemon = await startTestDaemon({ engine, args: ["--simulate"] });
    const status = async (length: number) => {
      const one = client(daemon.port, head([`Content-Length: ${length}`]));
      await one.until(complete);
      return [statusOf(one.text()), one.text().includes("larger than 1024 MiB")];
    };
    expect(await status(2 ** 30 + 1)).toEqual([413, true]);
    // The built-in provider looks at no such body.
    expect(await status(2 ** 30)).toEqual([400, false]);
  });
});

describe.each(ENGINES)("requests at a time, with the %s engine", (engine) => {
  test("above max_streams there is a 503 that says when to come again, and whoever is done makes room", async () => {
    const upstream = await startTarget(() => {});
    const toml = `[server]\nmax_streams = 2\n[providers.openai]\nupstream = "${upstream.url}"\n`;
    await using daemon = await startTestDaemon({ engine, toml });
    const bytes = `${head(["Content-Length: 2"])}{}`;
    const [first, second] = [client(daemon.port, bytes), client(daemon.port, bytes)];
    await eventually(() => (upstream.arrivals.length === 2 ? true : undefined), "two requests");
    for (let turn = 0; turn < 3; turn++) {
      const third = await raw(daemon.port, bytes, { until: complete });
      expect([third.status, errorOf(third.text)]).toEqual([503, "too_many_requests_running"]);
      expect(third.text).toMatch(/\r\nretry-after: 1\r\n/i);
      expect(JSON.parse(third.body)).toMatchObject({ error: { code: "too_many_requests_running" } });
    }
    // One is answered, one leaves.
    upstream.arrivals[0]?.connection.write(OK);
    await eventually(() => (complete(first.text()) || complete(second.text()) ? true : undefined), "an answer");
    const fourth = client(daemon.port, bytes);
    await eventually(() => (upstream.arrivals.length === 3 ? true : undefined), "a third request");
    for (const { socket } of [first, second, fourth]) socket.destroy();
    await eventually(async () => {
      const ended = (await daemon.events()).filter(({ done }) => done === "client_gone");
      return ended.length === 2 ? true : undefined;
    }, "two clients that left");
    const last = client(daemon.port, bytes);
    await eventually(() => (upstream.arrivals.length === 4 ? true : undefined), "a fourth request");
    last.socket.destroy();
  });

  test("refused ones hold no place, and a reload changes the number", async () => {
    const upstream = await startTarget();
    const settings = (streams: number) =>
      `[server]\nmax_streams = ${streams}\napi_keys = ["a-key-of-the-proxy"]\n[providers.openai]\nupstream = "${upstream.url}"\n`;
    await using daemon = await startTestDaemon({ engine, toml: settings(1) });
    // Uploads that never come, of clients that nobody knows.
    for (let each = 0; each < 20; each++) {
      const stranger = client(daemon.port, head(["Content-Length: 100000"]));
      await stranger.until((text) => text.includes("api_key_required"));
    }
    const keyed = "x-faultproxy-key: a-key-of-the-proxy";
    expect((await raw(daemon.port, `${head([keyed, "Content-Length: 2"])}{}`, { until: complete })).status).toBe(200);
    writeFileSync(daemon.config, settings(5));
    expect((await daemon.command("reload")).status).toBe(200);
    await eventually(() => (daemon.log().includes("server.max_streams changed") ? true : undefined), "the change in the log");
  });
});

describe("connections", () => {
  test("are counted over all addresses; above max_connections there is a 503, and whoever leaves makes room", async () => {
    await using daemon = await startTestDaemon({
      engine: "wire",
      args: ["--simulate", "--listen", "127.0.0.1:0"],
      toml: "[server]\nmax_connections = 3\n[providers.anthropic]\nport = 0\n",
    });
    const { addresses, providers } = JSON.parse(daemon.printed().split("\n")[0] ?? "") as {
      addresses: readonly string[];
      providers: { anthropic: { port: number } };
    };
    const ports = [daemon.port, Number(/:(\d+)$/.exec(addresses[0] ?? "")?.[1]), providers.anthropic.port];
    const get = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const three = ports.map((port) => client(port, get));
    for (const one of three) await one.until(complete);
    for (const port of ports) {
      const above = await raw(port, get);
      expect([above.status, errorOf(above.text), above.end]).toEqual([503, "too_many_connections", "fin"]);
      expect(above.text).toContain("more than 3 connections are open (max_connections in [server])");
    }
    three[0]?.socket.end();
    await three[0]?.end();
    const next = client(ports[2] ?? 0, get);
    await next.until(complete);
    expect(statusOf(next.text())).toBe(200);
  });
});
