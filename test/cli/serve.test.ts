import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder, until } from "../shell/support.ts";
import { faultproxy, onTerminal, type Served, serve } from "./support.ts";

let folder: ReturnType<typeof temporaryFolder>;
let environment: Record<string, string>;
const daemons: Served[] = [];

async function served(...words: readonly string[]): Promise<Served> {
  const daemon = await serve(words, { environment });
  daemons.push(daemon);
  return daemon;
}

const ctl = (...words: readonly string[]) => faultproxy(["ctl", ...words], { environment });

async function post(daemon: Served, stream = false): Promise<Response> {
  const body = JSON.stringify({ model: "gpt-4o", stream, messages: [{ role: "user", content: "hi" }] });
  return fetch(`${daemon.status.origin}/v1/chat/completions?key=SECRET-QUERY`, {
    method: "POST",
    body,
    headers: { authorization: "Bearer SECRET-KEY" },
  });
}

beforeEach(() => {
  folder = temporaryFolder();
  environment = { XDG_RUNTIME_DIR: folder.path };
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    daemon.kill("SIGKILL");
    await daemon.exited;
  }
  folder.remove();
});

describe("ctl", () => {
  test("without a daemon says so and exits 3", async () => {
    const { code, err } = await ctl("status");
    expect({ code, err }).toEqual({
      code: 3,
      err: "faultproxy: error: no daemon of this user is running; start one with faultproxy serve\n",
    });
  });

  test("sets and shows the mode as the prompt does", async () => {
    await served("--no-stdin");
    const { code, out } = await ctl("r", "2");
    const line = "=".repeat(60);
    expect({ code, out }).toEqual({
      code: 0,
      out: `${line}\nCurrent mode: ⏱️ Rate limit exceeded (2 remaining)\nRequests handled: 0\n${line}\n`,
    });
  });

  test.each<[readonly string[], string]>([
    [["r 2 provider=openai"], "rate_limit 2 provider=openai"],
    [["u *", "message=a b"], 'server_error * "message=a b"'],
    [["c", 'message=it\'s "full"'], `context_length 1 "message=it's \\"full\\""`],
  ])("takes %j, in one argument or in several", async (words, expected) => {
    await served("--no-stdin");
    expect((await ctl(...words)).code).toBe(0);
    expect(JSON.parse((await ctl("status", "--json")).out).mode).toBe(expected);
  });

  test("tells of a * that the shell turned into file names", async () => {
    await served("--no-stdin");
    expect((await ctl("c", "LICENSE", "README.md")).err).toContain("quote it ('*') or write 100%");
  });

  test.each<[readonly string[], string]>([
    [["c", "-1"], "amount -1: expected an amount that is not negative"],
    [["c", "120%"], "amount 120%: expected a percentage"],
    [["c", "3", "4"], "one amount is enough"],
    [["stats"], 'unknown fault "stats"; did you mean status?'],
    [["contxt_length"], "did you mean context_length?"],
    [["status", "now"], '"now" is too much'],
    [["rm", "9"], "there is no rule 9"],
  ])("%j is a mistake that changes nothing", async (words, expected) => {
    await served("--no-stdin", "--mode", "u *");
    const { code, out, err } = await ctl(...words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(expected);
    expect(JSON.parse((await ctl("status", "--json")).out).mode).toBe("server_error *");
  });

  test("keeps rules beside the mode", async () => {
    await served("--no-stdin");
    await ctl("add", "r", "30%", "provider=openai", "message=slow down, please");
    expect((await ctl("ls")).out).toMatch(/^ID.*RULE\n1 +0 +0 {2}rate_limit 30% provider=openai "message=slow down, please"\n$/);
    expect(JSON.parse((await ctl("ls", "--json")).out)).toMatchObject([{ id: "1", fault: "rate_limit" }]);
    expect((await ctl("rm", "1")).code).toBe(0);
    expect((await ctl("ls")).out).toBe("no rules\n");
  });

  test("with two daemons lists them and asks for one", async () => {
    const [first, second] = [await served("--no-stdin"), await served("--no-stdin", "--mode", "c 3")];
    const { code, err } = await ctl("n");
    expect(code).toBe(2);
    expect(err).toContain("2 daemons are running; choose one with --port or --socket:");
    for (const { status } of [first, second])
      expect(err).toContain(`--port ${status.port}  (pid ${status.pid}, ${status.modeTitle}, --socket ${status.socket})`);
    expect((await ctl("n", "--port", String(second.status.port))).code).toBe(0);
    expect((await ctl("u", "--socket", String(first.status.socket))).code).toBe(0);
    expect(JSON.parse((await ctl("status", "--json", `--port=${first.status.port}`)).out).mode).toBe("server_error 1");
    const byVariable = await faultproxy(["ctl", "status", "--json"], { environment: { FAULTPROXY_SOCKET: String(second.status.socket) } });
    expect(JSON.parse(byVariable.out)).toMatchObject({ port: second.status.port, mode: "n" });
  });

  test("events are JSON lines without secrets", async () => {
    const daemon = await served("--no-stdin", "--mode", "r");
    await (await post(daemon)).text();
    await until(() => daemon.err().includes('"exchange",'), "the request is logged");
    const { code, out } = await ctl("events", "--no-follow");
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { type: "decision", rule: "mode", fault: "rate_limit", injected: true },
      { type: "exchange", status: 429, path: "/v1/chat/completions" },
    ]);
    expect(out + daemon.err()).not.toContain("SECRET");
  });

  test("quit ends the daemon with 0 and removes the socket", async () => {
    const daemon = await served("--no-stdin");
    expect((await ctl("quit")).out).toContain(`(pid ${daemon.status.pid}) is stopping`);
    expect(await daemon.exited).toBe(0);
    expect(existsSync(String(daemon.status.socket))).toBe(false);
  });
});

describe("standard input", () => {
  test("commands are answered with mode and count, mistakes change nothing, and its end goes on serving", async () => {
    const daemon = await served();
    daemon.type("R2\n\nnonsense\nls\n");
    await until(() => daemon.out().includes("RULE"), "the last command is answered");
    expect(daemon.out().match(/Current mode: ⏱️ Rate limit exceeded \(2 remaining\)\nRequests handled: 0\n/g)).toHaveLength(2);
    expect(daemon.out()).toContain('❌ unknown fault "nonsense"');
    expect(daemon.out()).not.toContain("Enter command");
    daemon.type("c 1");
    daemon.endInput();
    await until(() => daemon.out().includes("Context length exceeded (1 remaining)"), "the unfinished line is performed");
    expect(daemon.isRunning()).toBe(true);
    expect((await post(daemon)).status).toBe(400);
  });

  test("q quits with 0", async () => {
    const daemon = await served();
    daemon.type("q\n");
    expect(await daemon.exited).toBe(0);
  });

  test("--no-stdin does not read it", async () => {
    const daemon = await served("--no-stdin");
    daemon.type("q\n");
    expect((await ctl("status")).code).toBe(0);
    expect(daemon.isRunning()).toBe(true);
  });

  test("on a terminal there is a prompt, below whatever is printed, and its end quits", async () => {
    await using terminal = onTerminal(["serve", "--simulate", "--port", "0"], { environment });
    const { shown } = terminal;
    const prompts = () => shown().split("Enter command: ").length - 1;
    await until(() => prompts() === 1, "the prompt", 15_000);
    expect(shown()).toContain("🔧 faultproxy");
    expect(shown()).toContain("c 30%        - Context length exceeded (30% of requests)");

    terminal.type("r 2 half of a lin");
    await until(() => shown().endsWith("half of a lin"), "what was typed");
    const origin = /OPENAI_HOST=(\S+)/.exec(shown())?.[1];
    await fetch(`${origin}/v1/models`);
    const printed = /\d #1 GET \/v1\/models → openai 200 \d+ ms\r\n/;
    await until(
      () => shown().split(printed)[1]?.includes("Enter command: r 2 half of a lin") === true,
      "the line again, below the request's",
    );

    const backspaces = "\x7f".repeat(" half of a lin".length);
    terminal.type(`${backspaces}\r`);
    await until(() => shown().includes("Current mode: ⏱️ Rate limit exceeded (2 remaining)"), "the new mode");
    terminal.type("\x04");
    expect(await terminal.exited).toBe(0);
  });

  test("q at the prompt quits, and what runs may finish", async () => {
    await using terminal = onTerminal(["serve", "--simulate", "--port", "0", "--between", "20ms", "--tokens", "20"], { environment });
    const { shown } = terminal;
    await until(() => shown().includes("Enter command: "), "the prompt", 15_000);
    const origin = /OPENAI_HOST=(\S+)/.exec(shown())?.[1];
    const body = JSON.stringify({ model: "m", stream: true, messages: [] });
    const answer = await fetch(`${origin}/v1/chat/completions`, { method: "POST", body });
    terminal.type("q\r");
    expect(await answer.text()).toEndWith("data: [DONE]\n\n");
    expect(await terminal.exited).toBe(0);
  });

  test("an output that goes to a file gets no cursor movements with the log", async () => {
    const output = join(folder.path, "serve.out");
    await using terminal = onTerminal(["serve", "--simulate", "--port", "0"], { environment, output });
    const written = () => (existsSync(output) ? readFileSync(output, "utf8") : "");
    await until(() => written().includes("Enter command: "), "the prompt", 15_000);
    const origin = /OPENAI_HOST=(\S+)/.exec(written())?.[1];
    await (await fetch(`${origin}/v1/models`)).text();
    await until(() => terminal.shown().includes("/v1/models"), "the line of the log");
    expect(written().match(/Enter command: /g)).toHaveLength(1);
    expect(written()).not.toContain("\x1b[2K");
    terminal.type("\x04");
    expect(await terminal.exited).toBe(0);
  });

  test("Ctrl-C at the prompt quits", async () => {
    await using terminal = onTerminal(["serve", "--simulate", "--port", "0"], { environment });
    const { shown } = terminal;
    await until(() => shown().includes("Enter command: "), "the prompt", 15_000);
    terminal.type("\x03");
    expect(await terminal.exited).toBe(0);
  });
});

describe("the end", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s removes the socket and exits 0", async (signal) => {
    const daemon = await served("--no-stdin");
    expect(existsSync(String(daemon.status.socket))).toBe(true);
    daemon.kill(signal);
    expect(await daemon.exited).toBe(0);
    expect(existsSync(String(daemon.status.socket))).toBe(false);
  });

  test("a running stream may finish, and is logged when it has", async () => {
    const daemon = await served("--no-stdin", "--between", "20ms");
    const response = await post(daemon, true);
    daemon.kill("SIGTERM");
    expect(await response.text()).toContain("[DONE]");
    expect(await daemon.exited).toBe(0);
    expect(daemon.err()).toContain('"type":"exchange"');
  });

  test("a second signal breaks running streams off", async () => {
    const daemon = await served("--no-stdin", "--between", "1m");
    const response = await post(daemon, true);
    daemon.kill("SIGTERM");
    await until(() => daemon.err().includes("once more breaks off"), "it waits");
    daemon.kill("SIGTERM");
    expect(await daemon.exited).toBe(0);
    expect(await response.text().catch(() => "broken off")).toBe("broken off");
  });

  test("SIGHUP without a terminal goes on serving", async () => {
    const daemon = await served("--no-stdin");
    daemon.kill("SIGHUP");
    expect((await ctl("status")).code).toBe(0);
  });
});

test("a port in use is told, with what to do", async () => {
  const daemon = await served("--no-stdin");
  const { code, out, err } = await faultproxy(["serve", "--port", String(daemon.status.port)], { environment });
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(`port ${daemon.status.port} on 127.0.0.1 is in use; choose another with --port`);
  expect((await ctl("status")).code).toBe(0);
});

test.each(["300.1.1.1", "192.0.2.1"])("%s, not an address of this machine, is told, with what to do", async (host) => {
  const { code, err } = await faultproxy(["serve", "--open", "--host", host, "--port", "0"], { environment });
  expect(code).toBe(1);
  expect(err).toContain(`${host} is not an address of this machine; choose one with --host`);
});

test("where the control socket cannot be opened, the port is closed again", async () => {
  const { code, err } = await faultproxy(["serve", "--port", "0", "--socket", join(folder.path, "none/x.sock")], { environment });
  expect(code).toBe(1);
  expect(err).toContain("does not exist; make it");
});

test("a provider without a host is told of", async () => {
  const daemon = await faultproxy(["run", "--", process.execPath, join(import.meta.dir, "../../src/main.ts"), "ctl", "status"], {
    environment,
  });
  expect(daemon.out).toContain("databricks  no host (set DATABRICKS_REAL_HOST)");
});

test("more than 256 requests are forwarded at once", async () => {
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let open = 0;
  const upstream = Bun.serve({
    port: 0,
    idleTimeout: 0,
    async fetch() {
      if (++open === 300) resolve();
      await all;
      return new Response("{}");
    },
  });
  const daemon = await served("--no-stdin", "--upstream", `openai=http://127.0.0.1:${upstream.port}`);
  // The limit is one of this process too, hence raw connections.
  const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`;
  const answers = Array.from({ length: 300 }, async () => {
    const { promise, resolve: answered } = Promise.withResolvers<string>();
    let text = "";
    const client = await Bun.connect({
      hostname: "127.0.0.1",
      port: daemon.status.port,
      socket: {
        data(_, bytes) {
          text += bytes.toString();
        },
        close: () => answered(text),
      },
    });
    client.write(request);
    return promise;
  });
  const texts = await Promise.all(answers);
  expect(texts.filter((text) => text.startsWith("HTTP/1.1 200"))).toHaveLength(300);
  await upstream.stop(true);
});
