import { FETCH_CONCURRENT_MAX } from "../core/limits.ts";

/** The runtime reads its limit for concurrent `fetch` calls from here, and only when it starts. */
const LIMIT = "BUN_CONFIG_MAX_HTTP_REQUESTS";

/** Tells the second start from the first, and that the limit is ours and not the user's. */
export const FETCH_LIMIT_MARK = "FAULTPROXY_FETCH_LIMIT_RAISED";

/**
 * Starts the program again in its own process with the limit raised; pid, standard streams and name stay. Returns
 * where that is done, not needed or not to be had (no `execve` on Windows).
 */
export function raiseFetchLimit(): void {
  if (process.env[LIMIT] !== undefined || process.execve === undefined) return;
  const isCompiled = /[\\/](\$bunfs|~BUN)[\\/]/.test(process.argv[1] ?? "");
  const script = isCompiled ? [] : [...process.execArgv, process.argv[1] ?? ""];
  const environment = { ...process.env, [LIMIT]: String(FETCH_CONCURRENT_MAX), [FETCH_LIMIT_MARK]: "1" };
  try {
    process.execve(process.execPath, [process.argv0, ...script, ...process.argv.slice(2)], environment);
  } catch {
    // Without it, the 257th concurrent request waits for another to end; all else works.
  }
}

/** The environment as it was before the limit was raised. */
export function originalEnvironment(): Record<string, string | undefined> {
  const { [FETCH_LIMIT_MARK]: mark, ...environment } = process.env;
  if (mark === undefined) return environment;
  const { [LIMIT]: _, ...original } = environment;
  return original;
}
