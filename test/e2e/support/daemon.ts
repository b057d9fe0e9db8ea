import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Every end-to-end test runs once for each engine. */
export const ENGINES = ["wire", "serve"] as const;
export type EngineName = (typeof ENGINES)[number];

export const BINARY = join(import.meta.dir, "../../../dist/faultproxy");

/** Variables of the tester's own that would change what the binary does. */
export const CLEAN_ENVIRONMENT = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(PORT|STATE_DIRECTORY|NO_COLOR|FORCE_COLOR|FAULTPROXY_|BUN_)|_REAL_HOST$|_HOST$|_BASE_URL$|_PROXY$/i.test(name),
    ),
  ),
  XDG_CONFIG_HOME: "/nonexistent",
  // Where nothing can be made, not by root either.
  XDG_STATE_HOME: "/dev/null",
};

export type TestDaemon = AsyncDisposable & {
  readonly origin: string;
  readonly port: number;
  readonly pid: number;
  readonly socket: string;
  /** Path of its configuration file, where it was given one as text. */
  readonly config: string;
  /** Performs a command of the fault language and gives the answer's status and body. */
  readonly command: (text: string) => Promise<{ readonly status: number; readonly body: unknown }>;
  /** The events so far. */
  readonly events: () => Promise<readonly Record<string, unknown>[]>;
  /** Waits until an event matches; fails after five seconds. */
  readonly event: (matches: (event: Record<string, unknown>) => boolean) => Promise<Record<string, unknown>>;
  /** All that was written to standard error. */
  readonly log: () => string;
  /** The warnings in it, in either form. */
  readonly warnings: () => readonly string[];
  /** The same of standard output. */
  readonly printed: () => string;
  /** Types a command and the end of the line. */
  readonly type: (line: string) => void;
  readonly signal: (name: "SIGHUP" | "SIGTERM" | "SIGSTOP" | "SIGCONT") => void;
  /** Resolves with its exit code. */
  readonly ended: Promise<number>;
  readonly stop: () => Promise<void>;
};

export type DaemonOptions = {
  readonly engine: EngineName;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Its configuration file; none without. */
  readonly toml?: string;
  /** JSON without. */
  readonly logFormat?: "pretty";
  /** It reads commands from its standard input. */
  readonly stdin?: true;
  /** As whom it runs, by number; needs root and setpriv. */
  readonly user?: number;
};

/** The built binary in front of whatever `args` say, on free ports, ended by `stop`. */
export async function startTestDaemon({
  engine,
  args = [],
  environment = {},
  toml,
  logFormat,
  stdin,
  user,
}: DaemonOptions): Promise<TestDaemon> {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
  const [socket, config] = [join(folder, "control.sock"), join(folder, "config.toml")];
  if (toml !== undefined) writeFileSync(config, toml);
  if (user !== undefined) chownSync(folder, user, user);
  const as = user === undefined ? [] : ["setpriv", "--reuid", String(user), "--regid", String(user), "--clear-groups", "--"];
  const child = Bun.spawn(
    [
      ...[...as, BINARY, "serve", "--engine", engine, "--port", "0", "--socket", socket, "--log-format", logFormat ?? "json"],
      ...[...(stdin === undefined ? ["--no-stdin"] : []), ...(toml === undefined ? [] : ["--config", config]), ...args],
    ],
    {
      env: { ...CLEAN_ENVIRONMENT, XDG_STATE_HOME: folder, ...environment },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  let log = "";
  void follow(child.stderr, (text) => {
    log += text;
  });
  let printed = "";
  const listening = Promise.withResolvers<{ port: number }>();
  void follow(child.stdout, (text) => {
    printed += text;
    const [line, pretty] = [/^\{.*\n/.exec(printed)?.[0], /^Port: (\d+)$/m.exec(printed)?.[1]];
    if (line !== undefined) listening.resolve(JSON.parse(line));
    else if (pretty !== undefined) listening.resolve({ port: Number(pretty) });
  }).then(() => listening.reject(new Error(`the daemon ended: ${log}`)));
  const { port } = await listening.promise;

  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const events = async () => {
    const answer = await fetch("http://localhost/v1/events?follow=false", { unix: socket });
    return (await answer.text())
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    socket,
    config,
    async command(text) {
      const answer = await fetch("http://localhost/v1/command", { unix: socket, method: "POST", body: text });
      return { status: answer.status, body: await answer.json() };
    },
    events,
    event: (matches) => eventually(async () => (await events()).find(matches), "an event"),
    log: () => log,
    warnings: () => warningsIn(log),
    printed: () => printed,
    type(line) {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    signal: (name) => child.kill(name),
    ended: child.exited,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function follow(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}

/** Asks again until there is an answer; fails after five seconds. */
export async function eventually<T>(ask: () => Promise<T | undefined> | T | undefined, what: string): Promise<T> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`${what} did not come within 5 s`);
    await Bun.sleep(10);
  }
}

function warningsIn(log: string): readonly string[] {
  return log.split("\n").flatMap((line) => {
    if (!line.startsWith('{"type":"message"')) return /^faultproxy: warning: (.*)$/.exec(line)?.[1] ?? [];
    const { level, message } = JSON.parse(line) as { level: string; message: string };
    return level === "warn" ? [message] : [];
  });
}
