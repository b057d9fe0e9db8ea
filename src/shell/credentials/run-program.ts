import { constants } from "node:os";

export type Environment = Readonly<Record<string, string | undefined>>;

export type ProgramEnd =
  | { readonly kind: "ended"; readonly code: number; readonly out: string; readonly hasComplained: boolean }
  /** It is not on the PATH, or cannot be started. */
  | { readonly kind: "absent" }
  /** It did not end in time, or nobody waits for it any more; it is no longer there. */
  | { readonly kind: "stopped" };

export type ProgramRun = {
  readonly environment: Environment;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

/** No item of a store of secrets is larger. */
const OUTPUT_BYTES_MAX = 1_048_576;

/** What programs of the desktop need; keys that stand in the environment are not theirs. */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TMPDIR|TERM|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|XDG_CONFIG_HOME|XDG_DATA_HOME|DBUS_SESSION_BUS_ADDRESS|__CF_USER_TEXT_ENCODING)$/;

/** A service may have been started without any. */
const USUAL_PATH = "/usr/bin:/bin:/usr/sbin:/sbin";

/** The path of a program; undefined where there is none. */
export function programPath(name: string, environment: Environment): string | undefined {
  const { PATH = "" } = environment;
  return Bun.which(name, { PATH: PATH === "" ? USUAL_PATH : PATH }) ?? undefined;
}

/** Runs a program to its end, and gives what it wrote on standard output. What it complains of is not kept: it may hold anything. */
export async function runProgram(name: string, words: readonly string[], run: ProgramRun): Promise<ProgramEnd> {
  const path = programPath(name, run.environment);
  if (path === undefined || run.signal?.aborted === true) return { kind: path === undefined ? "absent" : "stopped" };
  const env = Object.fromEntries(Object.entries({ PATH: USUAL_PATH, ...run.environment }).filter(([key]) => PASSED_ON.test(key)));
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    child = Bun.spawn([path, ...words], { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  } catch {
    return { kind: "absent" };
  }
  const { promise: late, resolve } = Promise.withResolvers<ProgramEnd>();
  const stop = () => {
    child.kill(constants.signals.SIGKILL);
    resolve({ kind: "stopped" });
  };
  const timer = setTimeout(stop, run.timeoutMs);
  run.signal?.addEventListener("abort", stop, { once: true });
  const ended = Promise.all([upTo(child.stdout, stop), upTo(child.stderr, () => {}), child.exited]);
  // What it started itself may keep its output open.
  const end = await Promise.race([
    late,
    ended.then(([out, complaint, code]): ProgramEnd => ({ kind: "ended", code, out, hasComplained: complaint.trim() !== "" })),
  ]);
  clearTimeout(timer);
  run.signal?.removeEventListener("abort", stop);
  return end;
}

async function upTo(stream: ReadableStream<Uint8Array>, tooMuch: () => void): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes <= OUTPUT_BYTES_MAX) pieces.push(piece);
    else tooMuch();
  }
  return Buffer.concat(pieces).toString("utf8");
}
