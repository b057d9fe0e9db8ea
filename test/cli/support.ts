import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Status } from "../../src/shell/status.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

/** Nothing that a test starts takes longer, on a slow machine too. */
const RUN_MS_MAX = 20_000;

export type Ended = { readonly code: number; readonly out: string; readonly err: string };
type Options = { readonly environment?: Readonly<Record<string, string>>; readonly input?: string; readonly calledAs?: string };

/** Where nothing can be made, not by root either. */
const NOWHERE = "/dev/null";

/** The environment of this process without what could reach into the tests. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(FAULTPROXY_|PORT$|STATE_DIRECTORY$|NO_COLOR$|FORCE_COLOR$|XDG_RUNTIME_DIR$|[A-Z]+_(REAL_)?HOST$|[A-Z_]+_BASE_URL$|OPENAI_|BUN_CONFIG_MAX)/.test(
        name,
      ),
  );
  return { ...Object.fromEntries(kept), XDG_CONFIG_HOME: "/nonexistent", XDG_STATE_HOME: NOWHERE, ...more };
}

function spawn(words: readonly string[], { environment = {}, calledAs = "faultproxy" }: Options, stdin: "pipe" | "ignore") {
  // The tester has a ledger of his own. The program makes the folder if it needs one.
  const state = join(tmpdir(), `faultproxy-state-${crypto.randomUUID()}`);
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    argv0: calledAs,
    env: cleanEnvironment({ XDG_STATE_HOME: state, ...environment }),
    stdin,
    stdout: "pipe",
    stderr: "pipe",
  });
  void child.exited.then(() => rmSync(state, { recursive: true, force: true }));
  return child;
}

/** Runs the program to its end. */
export async function faultproxy(words: readonly string[], options: Options = {}): Promise<Ended> {
  const child = spawn(words, options, options.input === undefined ? "ignore" : "pipe");
  if (options.input !== undefined) {
    child.stdin?.write(options.input);
    await child.stdin?.end();
  }
  const late = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  clearTimeout(late);
  return { code, out, err };
}

export type Served = {
  readonly status: Status;
  readonly type: (text: string) => void;
  readonly endInput: () => void;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** All of standard output and standard error so far, after the line that tells of listening. */
  readonly out: () => string;
  readonly err: () => string;
  readonly isRunning: () => boolean;
  readonly exited: Promise<number>;
};

/** Starts `serve` on a free port with the built-in provider and waits until it listens. */
export async function serve(words: readonly string[], options: Options = {}): Promise<Served> {
  const child = spawn(["serve", "--simulate", "--port", "0", "--log-format", "json", ...words], options, "pipe");
  let out = "";
  let err = "";
  const collect = async (stream: ReadableStream<Uint8Array>, take: (text: string) => void) => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
  };
  const { promise: listening, resolve, reject } = Promise.withResolvers<string>();
  void collect(child.stdout, (text) => {
    out += text;
    if (out.includes("\n")) resolve(out.slice(0, out.indexOf("\n")));
  });
  void collect(child.stderr, (text) => {
    err += text;
  });
  const late = setTimeout(() => reject(new Error(`it does not listen: ${err}`)), RUN_MS_MAX);
  void child.exited.then((code) => reject(new Error(`it ended with ${code}: ${err}`)));
  const line = await listening;
  clearTimeout(late);
  return {
    status: JSON.parse(line),
    type: (text) => {
      child.stdin?.write(text);
      void child.stdin?.flush();
    },
    endInput: () => void child.stdin?.end(),
    kill: (signal) => child.kill(signal),
    out: () => out.slice(line.length + 1),
    err: () => err,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    exited: child.exited,
  };
}

/** The command on a terminal of its own. With `output`, standard output goes to that file, and the rest stays the terminal's. */
export function onTerminal(words: readonly string[], { environment = {}, output }: Options & { readonly output?: string } = {}) {
  let shown = "";
  const decoder = new TextDecoder();
  const closed = Promise.withResolvers<void>();
  const redirected = output === undefined ? [] : ["sh", "-c", 'exec "$@" > "$0"', output];
  const child = Bun.spawn([...redirected, process.execPath, MAIN, ...words], {
    env: cleanEnvironment(environment),
    terminal: {
      data(_terminal, bytes) {
        shown += decoder.decode(bytes, { stream: true });
      },
      exit: () => closed.resolve(),
    },
  });
  return {
    shown: () => shown,
    type: (text: string) => void child.terminal?.write(text),
    /** It has ended, and all that it wrote is shown. */
    exited: Promise.all([child.exited, closed.promise]).then(([code]) => code),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      child.terminal?.close();
    },
  };
}
