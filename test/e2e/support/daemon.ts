import { mkdtempSync, rmSync } from "node:fs";
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
      ([name]) => !/^(PORT|NO_COLOR|FORCE_COLOR|FAULTPROXY_|BUN_)|_REAL_HOST$|_HOST$|_BASE_URL$|_PROXY$/i.test(name),
    ),
  ),
  XDG_CONFIG_HOME: "/nonexistent",
};

export type TestDaemon = {
  readonly origin: string;
  readonly port: number;
  readonly pid: number;
  readonly socket: string;
  /** Performs a command of the fault language and gives the answer's status and body. */
  readonly command: (text: string) => Promise<{ readonly status: number; readonly body: unknown }>;
  /** The events so far. */
  readonly events: () => Promise<readonly Record<string, unknown>[]>;
  /** Waits until an event matches; fails after five seconds. */
  readonly event: (matches: (event: Record<string, unknown>) => boolean) => Promise<Record<string, unknown>>;
  /** All that was written to standard error. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
};

export type DaemonOptions = {
  readonly engine: EngineName;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
};

/** The built binary in front of whatever `args` say, on free ports, ended by `stop`. */
export async function startTestDaemon({ engine, args = [], environment = {} }: DaemonOptions): Promise<TestDaemon> {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
  const socket = join(folder, "control.sock");
  const child = Bun.spawn(
    [BINARY, "serve", "--engine", engine, "--port", "0", "--no-stdin", "--log-format", "json", "--socket", socket, ...args],
    {
      env: { ...CLEAN_ENVIRONMENT, ...environment },
      stdin: "ignore",
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
    if (printed.includes("\n")) listening.resolve(JSON.parse(printed.slice(0, printed.indexOf("\n"))));
  }).then(() => listening.reject(new Error(`the daemon ended: ${log}`)));
  const { port } = await listening.promise;

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
    async command(text) {
      const answer = await fetch("http://localhost/v1/command", { unix: socket, method: "POST", body: text });
      return { status: answer.status, body: await answer.json() };
    },
    events,
    event: (matches) => eventually(async () => (await events()).find(matches), "an event"),
    log: () => log,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
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
