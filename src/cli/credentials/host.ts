import { realpathSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { isAbsolute, resolve } from "node:path";
import { type Environment, programPath } from "../../shell/credentials/run-program.ts";

/** The machine and the user that the command works for. */
export type Host = {
  readonly platform: NodeJS.Platform;
  readonly environment: Environment;
  readonly home: string;
  readonly user: string;
  readonly uid: number;
  /** What starts this very program: its absolute path, and what stands before the words of a command. */
  readonly program: readonly string[];
  readonly nowMs: () => number;
};

export function thisHost(): Host {
  const { platform, env: environment } = process;
  const { HOME, USER, LOGNAME } = environment;
  return {
    platform,
    environment,
    home: HOME !== undefined && isAbsolute(HOME) ? HOME : homedir(),
    user: userName() ?? USER ?? LOGNAME ?? "",
    uid: process.getuid?.() ?? -1,
    program: programOf(process, Bun.main),
    nowMs: () => Date.now(),
  };
}

/** The system may not know the id that it runs as, as in containers. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/**
 * The name that the program was called by where it leads to the program: a package manager turns a link to each new version, and takes
 * the old one away. From source it is the runtime, with the script.
 */
export function programOf({ argv0, execPath, env }: Pick<NodeJS.Process, "argv0" | "execPath" | "env">, script: string): readonly string[] {
  if (!isCompiledIn(script)) return [execPath, script];
  const called = /[/\\]/.test(argv0) ? resolve(argv0) : programPath(argv0, env);
  return [called !== undefined && isSameFile(called, execPath) ? called : execPath];
}

function isCompiledIn(script: string): boolean {
  return /^(\/\$bunfs\/|B:[/\\]~BUN[/\\])/.test(script);
}

function isSameFile(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}
