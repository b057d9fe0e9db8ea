import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { makeCertificates } from "./support/certificates.ts";
import { BINARY, CLEAN_ENVIRONMENT, type DaemonOptions, ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";
import { answering, freePort, listening } from "./support/servers.ts";

type Target = Awaited<ReturnType<typeof startRawTarget>>;

const STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/** Tells its name; a stream it begins, and leaves the rest to the test. */
const naming =
  (name: string) =>
  ({ connection, startLine }: Arrived) =>
    connection.write(
      startLine.includes("/stream") ? `${STREAM_HEAD}3\r\n${name}\r\n` : `HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n${name}`,
    );

let one: Target;
let two: Target;
beforeAll(async () => {
  [one, two] = [await startRawTarget(naming("one")), await startRawTarget(naming("two"))];
});
afterAll(() => {
  one.stop();
  two.stop();
});

const backend = ({ url }: Pick<Target, "url">, keys = "") => `[backend]\nendpoint = "${url}/v1"\n${keys}`;

/** Who answers. */
const who = async ({ port }: TestDaemon, path = "/v1/chat/completions") =>
  (await raw(port, request("POST", path, {}, "{}"), { until: complete })).body;

async function ctl(daemon: TestDaemon, ...words: string[]) {
  const child = Bun.spawn([BINARY, "ctl", "--socket", daemon.socket, ...words], { env: CLEAN_ENVIRONMENT, stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code, out, err };
}

/** What a reload came to, and the sentences that say so. */
type Said = { readonly isRead: boolean; readonly text: string };

/** Of `PREFIX not reloaded: WHY` or `PREFIX SENTENCE`. */
function saidOf(line: string, prefixes: RegExp): Said {
  const text = line.trimEnd().replace(prefixes, "");
  return { isRead: !text.startsWith("not reloaded: "), text: text.replace(/^not reloaded: /, "") };
}

/** Behind this point of a text that grows: the line that tells of a reload, and the further mistakes below it. */
function nextLines(text: () => string, from: number): Promise<string> {
  return eventually(() => /^.*(?:not reloaded|read .* again).*\n(?:.*:\d+:\d+: .*\n)*/m.exec(text().slice(from))?.[0], "what came of it");
}

/** A way to have the file read again. */
type Way = { readonly options: Pick<DaemonOptions, "logFormat" | "stdin">; readonly reload: (daemon: TestDaemon) => Promise<Said> };

const bySignal = async (daemon: TestDaemon) => {
  const from = daemon.log().length;
  daemon.signal("SIGHUP");
  return nextLines(daemon.log, from);
};

const WAYS: Readonly<Record<string, Way>> = {
  "SIGHUP, with a log for people": {
    options: { logFormat: "pretty" },
    reload: async (daemon) => saidOf(await bySignal(daemon), /^faultproxy: (?:error: )?/),
  },
  "SIGHUP, with a log in JSON": {
    options: {},
    async reload(daemon) {
      const { type, level, message } = JSON.parse(await bySignal(daemon));
      const said = saidOf(message, /^/);
      expect([type, level]).toEqual(["message", said.isRead ? "info" : "error"]);
      return said;
    },
  },
  "ctl reload": {
    options: {},
    async reload(daemon) {
      const { code, out, err } = await ctl(daemon, "reload");
      const said = saidOf(out + err, /^faultproxy: error: /);
      expect([code, said.isRead ? err : out]).toEqual([said.isRead ? 0 : 1, ""]);
      return said;
    },
  },
  "the word typed at it": {
    options: { stdin: true, logFormat: "pretty" },
    async reload(daemon) {
      const from = daemon.log().length;
      daemon.type("reload");
      return saidOf(await nextLines(daemon.log, from), /^faultproxy: (?:error: )?/);
    },
  },
  "POST /v1/command": {
    options: {},
    async reload(daemon) {
      const { status, body } = await daemon.command("reload");
      const { error } = body as { error?: { message: string } };
      expect(status).toBe(error === undefined ? 200 : 400);
      // The answer is the status; what came of it is not told.
      return error === undefined
        ? { isRead: true, text: `read ${daemon.config} again: backend.endpoint changed` }
        : { isRead: false, text: error.message };
    },
  },
  "POST /v1/reload": {
    options: {},
    async reload(daemon) {
      const answer = await fetch("http://localhost/v1/reload", { unix: daemon.socket, method: "POST" });
      const { error, applied = [], file } = (await answer.json()) as { error?: { message: string }; applied?: string[]; file?: string };
      expect(answer.status).toBe(error === undefined ? 200 : 400);
      return { isRead: error === undefined, text: error?.message ?? `read ${file} again: ${applied.join(", ")} changed` };
    },
  },
};

/** The one that says most in the fewest lines. */
async function reloaded(daemon: TestDaemon) {
  const answer = await fetch("http://localhost/v1/reload", { unix: daemon.socket, method: "POST" });
  return (await answer.json()) as {
    applied?: string[];
    atNextStart?: string[];
    file?: string;
    isGone?: boolean;
    error?: { message: string };
  };
}

describe.each(ENGINES)("with the %s engine", (engine) => {
  describe.each(Object.entries(WAYS))("%s", (_, { options, reload }) => {
    test("new requests go to the new target, a stream that runs keeps the old one to its end", async () => {
      await using daemon = await startTestDaemon({ engine, ...options, toml: backend(one) });
      expect(await who(daemon)).toBe("one");
      const stream = rawConnection(daemon.port, request("POST", "/v1/stream", {}, "{}"));
      await eventually(() => (stream.text().includes("one") ? true : undefined), "the beginning of the stream");
      const held = one.arrivals.at(-1)?.connection;
      writeFileSync(daemon.config, backend(two));
      expect(await reload(daemon)).toEqual({ isRead: true, text: `read ${daemon.config} again: backend.endpoint changed` });
      expect([await who(daemon), await who(daemon)]).toEqual(["two", "two"]);
      held?.write("3\r\nend\r\n");
      await eventually(() => (stream.text().includes("end") ? true : undefined), "the stream after the reload");
      held?.write("0\r\n\r\n");
      await eventually(() => (stream.text().endsWith("0\r\n\r\n") ? true : undefined), "the end of the stream");
      stream.socket.destroy();
    });

    test("a broken file changes nothing, and its mistakes are told with their places", async () => {
      await using daemon = await startTestDaemon({ engine, ...options, toml: backend(one) });
      writeFileSync(daemon.config, `${backend(two)}timeout = "soon"\nproxi = ""\n`);
      const broken = await reload(daemon);
      expect(broken.isRead).toBe(false);
      expect(broken.text.split("\n")).toEqual([
        expect.stringContaining(`${daemon.config}:3:1: backend.timeout = "soon": expected seconds such as 60, or a duration such as`),
        expect.stringContaining(`${daemon.config}:4:1: unknown key "proxi" in [backend]; did you mean proxy?`),
      ]);
      expect(await who(daemon)).toBe("one");
      rmSync(daemon.config);
      expect(await reload(daemon)).toEqual({ isRead: false, text: `cannot read the configuration file ${daemon.config} (ENOENT)` });
      expect(await who(daemon)).toBe("one");
      writeFileSync(daemon.config, backend(two));
      expect(await reload(daemon)).toEqual({ isRead: true, text: `read ${daemon.config} again: backend.endpoint changed` });
      expect(await who(daemon)).toBe("two");
    });
  });

  test.each([
    ["no TOML", "[backend\n", /^\S+config\.toml:1:9: not TOML: /],
    ["a backend without an endpoint", "\n[backend]\ntimeout = 1\n", /^\S+config\.toml:2:1: \[backend\] needs endpoint/],
    [
      "a certificate without its key",
      '[backend]\nendpoint = "simulated"\n[backend.auth]\ncert_file = "x"\n',
      /^\S+config\.toml:4:1: backend\.auth\.cert_file needs key_file beside it/,
    ],
    [
      "a password where none is taken",
      '[backend]\nendpoint = "http://me:secret@x"\n',
      /^\S+config\.toml:2:1: backend\.endpoint = "http:\/\/…@x": expected .*not taken$/,
    ],
  ])("refused: %s", async (_, toml, sentence) => {
    await using daemon = await startTestDaemon({ engine, toml: backend(one) });
    writeFileSync(daemon.config, toml);
    const { error } = await reloaded(daemon);
    expect(error?.message).toMatch(sentence);
    expect(await who(daemon)).toBe("one");
  });

  test("what only a start looks at is named, each time, and the rest is in force", async () => {
    await using daemon = await startTestDaemon({ engine, toml: backend(one) });
    const later = `seed = 7\nlog_level = "debug"\n[providers.google]\nport = ${await freePort()}\n${backend(two)}`;
    writeFileSync(daemon.config, later);
    const atNextStart = ["seed", "log_level", "providers.google.port"];
    expect(await reloaded(daemon)).toEqual({ applied: ["backend.endpoint"], atNextStart, file: daemon.config, isGone: false });
    expect(await reloaded(daemon)).toEqual({ applied: [], atNextStart, file: daemon.config, isGone: false });
    expect((await ctl(daemon, "reload")).out).toBe(
      `read ${daemon.config} again: nothing that can change while it runs has changed; at the next start: ${atNextStart.join(", ")}\n`,
    );
    expect(await who(daemon)).toBe("two");
    writeFileSync(daemon.config, backend(two));
    expect(await reloaded(daemon)).toEqual({ applied: [], atNextStart: [], file: daemon.config, isGone: false });
  });

  test("what the command line or a variable says stays", async () => {
    const environment = { FAULTPROXY_TOKENS: "3" };
    await using daemon = await startTestDaemon({ engine, toml: "", args: ["--upstream", `openai=${one.url}`], environment });
    writeFileSync(daemon.config, `[simulator]\ntokens = 9\n[providers.openai]\nupstream = "${two.url}"\n`);
    expect(await reloaded(daemon)).toMatchObject({ applied: [] });
    expect(await who(daemon)).toBe("one");
  });

  test("rules, counts and the seed stay; a rule that has begun to count goes on", async () => {
    await using daemon = await startTestDaemon({ engine, toml: backend(one) });
    await daemon.command("c 3");
    await daemon.command("add r 30% provider=google");
    expect(await who(daemon)).toContain("context_length_exceeded");
    const before = (await status(daemon)) as Record<string, unknown>;
    writeFileSync(daemon.config, backend(two));
    expect(await reloaded(daemon)).toMatchObject({ applied: ["backend.endpoint"] });
    const kept = ({ mode, rules, requests, injections, seed, port }: Record<string, unknown>) => ({
      mode,
      rules,
      requests,
      injections,
      seed,
      port,
    });
    expect(kept(await status(daemon))).toEqual(kept(before));
    expect([await who(daemon), await who(daemon)].map((body) => body.includes("context_length_exceeded"))).toEqual([true, true]);
    expect(await who(daemon)).toBe("two");
  });

  test("timeouts, the default provider and the built-in provider change too", async () => {
    const silent = await startRawTarget(() => {});
    await using daemon = await startTestDaemon({ engine, toml: backend(one) });
    writeFileSync(
      daemon.config,
      `default_provider = "anthropic"\n${backend(silent, 'timeout = "200ms"\n')}[providers.anthropic]\nupstream = "simulated"\nmodels = ["m"]\n`,
    );
    expect((await reloaded(daemon)).applied).toEqual([
      "default_provider",
      "backend.endpoint",
      "backend.timeout",
      "providers.anthropic.upstream",
      "providers.anthropic.models",
    ]);
    expect(await who(daemon, "/openai/v1/chat/completions")).toContain("did not begin its response within 0.2 s");
    const { body } = await raw(daemon.port, request("GET", "/v1/models"), { until: complete });
    expect(body).toContain('"m"');
    silent.stop();
  });

  test.skipIf(engine === "serve")("the timeouts of connections change, for those of before too", async () => {
    const silent = await startRawTarget(() => {});
    await using daemon = await startTestDaemon({ engine, toml: backend(silent) });
    const first = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"));
    await eventually(() => silent.arrivals[0], "the request");
    writeFileSync(daemon.config, `head_timeout = "150ms"\n${backend(silent)}`);
    expect(await reloaded(daemon)).toMatchObject({ applied: ["head_timeout"] });
    expect(await who(daemon)).toContain("within 0.15 s (--head-timeout)");
    // What began without a limit goes on without one.
    expect(first.text()).toBe("");
    first.socket.destroy();
    silent.stop();
  });

  test.skipIf(Bun.which("openssl") === null)("another certificate comes over another connection", async () => {
    const made = makeCertificates();
    const clients: string[] = [];
    const server = createTls({ ...made.pair("good"), requestCert: true, ca: made.ca }, (socket) => {
      clients.push(String(socket.getPeerCertificate().subject.CN));
      answering(socket);
    });
    const target = await listening(server);
    const url = `https://localhost:${target.port}`;
    const auth = (name: "alice" | "bob", more = "") =>
      `${more}[backend.auth]\nca_file = "${made.certFile("ca")}"\ncert_file = "${made.certFile(name)}"\nkey_file = "${made.keyFile(name)}"\n`;
    await using daemon = await startTestDaemon({ engine, toml: backend({ url }, auth("alice")) });
    for (let turn = 0; turn < 2; turn++) expect(await who(daemon)).toBe("{}");
    writeFileSync(daemon.config, backend({ url }, auth("bob")));
    expect(await reloaded(daemon)).toMatchObject({ applied: ["backend.auth.cert_file", "backend.auth.key_file"] });
    for (let turn = 0; turn < 2; turn++) expect(await who(daemon)).toBe("{}");
    expect(clients).toEqual(["alice", "bob"]);
    // What is wrong with it is told at once.
    writeFileSync(daemon.config, backend({ url }, auth("bob").replace(/cert_file = .*/, 'cert_file = "/nowhere.pem"')));
    expect(await reloaded(daemon)).toMatchObject({ applied: ["backend.auth.cert_file"] });
    await eventually(
      () => daemon.warnings().find((text) => text.startsWith("backend.auth.cert_file: cannot read /nowhere.pem")),
      "a warning",
    );
    target.stop();
    made.remove();
  });

  describe("a file at a usual place", () => {
    test("that is not there yet is found, and one that is taken away leaves the defaults", async () => {
      const home = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
      const file = join(home, "faultproxy/config.toml");
      const environment = { XDG_CONFIG_HOME: home, OPENAI_REAL_HOST: one.url };
      await using daemon = await startTestDaemon({ engine, environment });
      expect(await reloaded(daemon)).toEqual({
        error: { message: `there is no configuration file (looked for ${home}/faultproxy/config.toml, /etc/xdg/faultproxy/config.toml)` },
      });
      expect(await status(daemon)).toMatchObject({ config: null });
      mkdirSync(join(home, "faultproxy"));
      writeFileSync(file, `[providers.anthropic]\nupstream = "${two.url}"\n`);
      expect(await reloaded(daemon)).toEqual({ applied: ["providers.anthropic.upstream"], atNextStart: [], file, isGone: false });
      expect(await status(daemon)).toMatchObject({ config: file });
      expect([await who(daemon), await who(daemon, "/anthropic/v1/messages")]).toEqual(["one", "two"]);
      rmSync(file);
      expect(await reloaded(daemon)).toEqual({ applied: ["providers.anthropic.upstream"], atNextStart: [], file, isGone: true });
      expect(await status(daemon)).toMatchObject({ config: null, providers: { anthropic: { base: "https://api.anthropic.com" } } });
      rmSync(home, { recursive: true });
    });
  });

  test("100 reloads under load lose no request", async () => {
    await using daemon = await startTestDaemon({ engine, toml: backend(one) });
    let isOver = false;
    const answers = new Map<string, number>();
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const answer = await fetch(`${daemon.origin}/v1/chat/completions`, { method: "POST", body: "{}" });
        const told = `${answer.status} ${await answer.text()}`;
        answers.set(told, (answers.get(told) ?? 0) + 1);
      }
    });
    for (let turn = 0; turn < 100; turn++) {
      writeFileSync(daemon.config, backend(turn % 2 === 0 ? two : one));
      expect(await reloaded(daemon)).toMatchObject({ applied: ["backend.endpoint"] });
    }
    isOver = true;
    await Promise.all(load);
    expect([...answers.keys()].sort()).toEqual(["200 one", "200 two"]);
    expect([...answers.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100);
    expect(await who(daemon)).toBe("one");
  });
});

/** Opens a terminal for the daemon, sends SIGHUP while it is there, and closes it; prints what came. */
const TERMINAL = `import os, pty, select, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
def until(what):
    global seen
    end = time.time() + 5
    while what not in seen and time.time() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)
    return what in seen
until(b"Quit")
os.kill(pid, signal.SIGHUP)
print("read again:", until(b"again: nothing has changed"), flush=True)
os.close(terminal)
end = time.time() + 5
while time.time() < end:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        print("ended:", os.waitstatus_to_exitcode(status))
        break
    time.sleep(0.02)
`;

test.skipIf(Bun.which("python3") === null || process.platform === "win32")(
  "SIGHUP at a terminal reads the file again, and ends the program when the terminal has been closed",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
    const config = join(folder, "config.toml");
    writeFileSync(config, "simulate = true\n");
    const words = [BINARY, "serve", "--port", "0", "--config", config, "--socket", join(folder, "control.sock")];
    const child = Bun.spawn(["python3", "-c", TERMINAL, ...words], { env: CLEAN_ENVIRONMENT, stdout: "pipe", stderr: "ignore" });
    expect(await new Response(child.stdout).text()).toBe("read again: True\nended: 0\n");
    rmSync(folder, { recursive: true });
  },
);

async function status(daemon: TestDaemon): Promise<Record<string, unknown>> {
  return (await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).json()) as Record<string, unknown>;
}
