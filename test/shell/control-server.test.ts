import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isInputError } from "../../src/core/errors.ts";
import { askDaemon, findDaemon, isUnreachable, openAnswer } from "../../src/shell/control-client.ts";
import { type ControlServer, openControlServer } from "../../src/shell/control-server.ts";
import { type Daemon, startDaemon } from "../../src/shell/daemon.ts";
import { type Status, statusOf } from "../../src/shell/status.ts";
import { settings, temporaryFolder, until } from "./support.ts";

let folder: ReturnType<typeof temporaryFolder>;
let socket: string;
const running: { readonly daemon: Daemon; readonly control: ControlServer | undefined }[] = [];
let quits = 0;

async function start(path = socket): Promise<Daemon | string> {
  const daemon = await startDaemon(settings(), {}, () => {});
  if (isInputError(daemon)) return daemon.message;
  const control = await openControlServer(
    daemon,
    settings({ socket: path }),
    {},
    {
      quit: () => quits++,
      reload: () => ({ file: "a.toml", isGone: false, applied: [], atNextStart: [] }),
      status: (opened) => statusOf(daemon, settings(), undefined, opened),
    },
  );
  running.push({ daemon, control: isInputError(control) ? undefined : control });
  return isInputError(control) ? control.message : daemon;
}

async function started(path = socket): Promise<Daemon> {
  const daemon = await start(path);
  if (typeof daemon === "string") throw new Error(daemon);
  return daemon;
}

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }> {
  const answer = await askDaemon(socket, method, path, body);
  if (isUnreachable(answer)) throw new Error(answer.code);
  return answer as { status: number; body: never };
}

/** A socket file whose owner has gone without removing it. */
function leaveStale(path: string): void {
  const code = 'Bun.listen({ unix: process.argv[1], socket: { data() {} } }); process.kill(process.pid, "SIGKILL");';
  Bun.spawnSync([process.execPath, "-e", code, path]);
  expect(lstatSync(path).isSocket()).toBe(true);
}

beforeEach(() => {
  folder = temporaryFolder();
  socket = join(folder.path, "control.sock");
  quits = 0;
});
afterEach(async () => {
  for (const { daemon, control } of running.splice(0)) {
    await control?.stop();
    await daemon.stop(true);
  }
  folder.remove();
});

describe("the socket file", () => {
  test("is for its user only, and goes when the server stops", async () => {
    await started();
    expect(lstatSync(socket).isSocket()).toBe(true);
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    await running[0]?.control?.stop();
    expect(existsSync(socket)).toBe(false);
  });

  test("opening it leaves the umask as it was", async () => {
    const before = process.umask();
    await started();
    expect(process.umask()).toBe(before);
  });

  test("that is stale is replaced", async () => {
    leaveStale(socket);
    expect(lstatSync(socket).isSocket()).toBe(true);
    await started();
    expect((await ask("GET", "/v1/status")).status).toBe(200);
  });

  test("that is live is left, and the message says whose it is", async () => {
    const first = await started();
    const second = await start();
    expect(second).toContain(`a daemon (pid ${process.pid}, port ${first.port}) listens on the control socket ${socket} already`);
    expect(second).toContain(`faultproxy ctl quit --socket ${socket}`);
    expect((await ask("GET", "/v1/status")).body).toMatchObject({ port: first.port });
  });

  test("of another program is left", async () => {
    const listener = Bun.listen({ unix: socket, socket: { data: (peer) => void peer.end("not HTTP\r\n\r\n") } });
    expect(await start()).toContain("another program listens on the control socket");
    expect(existsSync(socket)).toBe(true);
    listener.stop(true);
  });

  test("that is no socket is left", async () => {
    writeFileSync(socket, "precious");
    expect(await start()).toContain("is not a socket, and is left as it is");
    expect(readFileSync(socket, "utf8")).toBe("precious");
  });
});

describe("finding a daemon", () => {
  test("by its path, by FAULTPROXY_SOCKET, and not where there is none", async () => {
    const daemon = await started();
    const nothing = { socket: undefined, port: undefined };
    expect(await findDaemon({ ...nothing, socket }, {})).toMatchObject({ kind: "one", status: { port: daemon.port } });
    expect(await findDaemon(nothing, { FAULTPROXY_SOCKET: socket })).toMatchObject({ kind: "one" });
    expect(await findDaemon({ ...nothing, socket: join(folder.path, "none") }, {})).toMatchObject({ kind: "none" });
  });

  test("a stale socket is no daemon", async () => {
    leaveStale(socket);
    expect(await findDaemon({ socket, port: undefined }, {})).toMatchObject({ kind: "none" });
  });
});

describe("the routes", () => {
  test("status tells who, where, and what", async () => {
    const daemon = await started();
    const { body } = await ask("GET", "/v1/status");
    expect(body).toMatchObject({
      pid: process.pid,
      port: daemon.port,
      origin: `http://127.0.0.1:${daemon.port}`,
      socket,
      seed: daemon.seed,
      engine: "wire",
      mode: "n",
      modeTitle: "✅ No error (pass through)",
      rules: [],
      requests: 0,
      injections: 0,
      running: 0,
      providers: { openai: { kind: "simulated", port: null } },
    } satisfies Partial<Record<keyof Status, unknown>>);
  });

  test.each([
    ["JSON", JSON.stringify({ command: "c 30%" })],
    ["plain text", "c 30%\n"],
  ])("a command comes as %s", async (_, body) => {
    const daemon = await started();
    const response = await openAnswer(socket, "/v1/command", { method: "POST", body });
    if (isUnreachable(response)) throw new Error(response.code);
    expect(await response.json()).toMatchObject({ mode: "context_length 30%", modeTitle: "📏 Context length exceeded (30% of requests)" });
    expect(daemon.rules().mode?.fault).toBe("context_length");
  });

  test.each(["c 120%", "c -1", "c 3 4", "nonsense", "c colour=1", "", "{", '{"rule":"c"}', `c message=${"x".repeat(5_000)}`])(
    "a mistaken command is answered with 400 and changes nothing: %p",
    async (command) => {
      const daemon = await started();
      daemon.command("r 2");
      const before = daemon.rules();
      const response = await openAnswer(socket, "/v1/command", { method: "POST", body: command });
      if (isUnreachable(response)) throw new Error(response.code);
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({ error: { message: expect.stringMatching(/./) } });
      expect(daemon.rules()).toBe(before);
    },
  );

  test("rules are added, listed and removed", async () => {
    await started();
    expect((await ask("POST", "/v1/rules", { rule: "r 30% provider=openai" })).body).toMatchObject({
      rules: [{ id: "1", text: "rate_limit 30% provider=openai" }],
    });
    await ask("POST", "/v1/command", { command: "c 2" });
    expect((await ask("GET", "/v1/rules")).body).toMatchObject({
      rules: [
        { id: "mode", remaining: 2 },
        { id: "1", remaining: null },
      ],
    });
    expect((await ask("DELETE", "/v1/rules/7")).status).toBe(404);
    expect((await ask("DELETE", "/v1/rules/%zz")).status).toBe(404);
    expect((await ask("DELETE", "/v1/rules/1")).body).toMatchObject({ rules: [{ id: "mode" }] });
    expect((await ask("DELETE", "/v1/rules")).body).toMatchObject({ rules: [] });
  });

  test("what is not there is 404, a wrong method 405 and says the right ones", async () => {
    await started();
    expect((await ask("GET", "/v2/status")).status).toBe(404);
    const { status, body } = await ask("PUT", "/v1/rules");
    expect({ status, body }).toMatchObject({ status: 405, body: { error: { message: "/v1/rules takes GET, POST, DELETE" } } });
  });

  test("shutdown and the command q ask for the end, once each", async () => {
    await started();
    expect((await ask("POST", "/v1/shutdown")).status).toBe(202);
    expect(quits).toBe(1);
    expect((await ask("POST", "/v1/command", { command: "q" })).status).toBe(200);
    expect(quits).toBe(2);
  });

  test("events are the kept ones, then live ones, until the server stops", async () => {
    const daemon = await started();
    daemon.command("r *");
    const send = () =>
      fetch(`http://127.0.0.1:${daemon.port}/v1/chat/completions`, { method: "POST", body: '{"model":"m","messages":[]}' }).then(
        (response) => response.text(),
      );
    await send();
    await until(() => daemon.events.kept().length === 2, "both events of the request are kept");
    const kept = await openAnswer(socket, "/v1/events?follow=false", {});
    if (isUnreachable(kept)) throw new Error(kept.code);
    expect(
      (await kept.text())
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).type),
    ).toEqual(["decision", "exchange"]);

    const live = await openAnswer(socket, "/v1/events", {});
    if (isUnreachable(live)) throw new Error(live.code);
    expect(live.headers.get("content-type")).toBe("application/x-ndjson");
    let text = "";
    const reading = (async () => {
      for await (const bytes of live.body ?? []) text += Buffer.from(bytes).toString();
    })();
    await until(() => text.split("\n").length === 4, "the kept events have come");
    await send();
    await until(() => text.split("\n").length === 6, "the live events have come");
    await running[0]?.control?.stop();
    await reading;
    expect(text).toEndWith("}\n");
  });
});
