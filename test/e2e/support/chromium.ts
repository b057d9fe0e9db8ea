import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Enough for a browser that starts on a busy machine. */
const PATIENCE_MS = 60_000;

export const CHROMIUM = "chromium";

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * Runs `script` in a page of a real browser and gives what it resolves to. The function is sent as text, so it can use nothing from
 * around it but `argument`. The page's origin is `http://localhost` with a port of its own, which is told to `makeArgument`.
 */
export async function inChromium<Argument extends Json, Result>(
  script: (argument: Argument) => Promise<Result>,
  makeArgument: (pageOrigin: string) => Promise<Argument> | Argument,
): Promise<Result> {
  const done = Promise.withResolvers<Result>();
  let argument: Argument | undefined;
  const html = () => {
    const call = `(${script.toString()})(${JSON.stringify(argument)})`;
    const tell = `(what) => fetch("/done", { method: "POST", body: JSON.stringify(what) })`;
    return `<!doctype html><meta charset="utf-8"><title>test</title><script type="module">
      const tell = ${tell};
      await ${call}.then((result) => tell({ result }), (error) => tell({ error: String(error?.stack ?? error) }));
    </script>`;
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/") return new Response(html(), { headers: { "content-type": "text/html" } });
      if (pathname !== "/done") return new Response(null, { status: 404 });
      const told = (await request.json()) as { readonly result: Result } | { readonly error: string };
      if ("error" in told) done.reject(new Error(`in the page: ${told.error}`));
      else done.resolve(told.result);
      return new Response();
    },
  });
  const origin = `http://localhost:${server.port}`;
  const profile = mkdtempSync(join(tmpdir(), "faultproxy-chromium-"));
  try {
    argument = await makeArgument(origin);
    const child = Bun.spawn([CHROMIUM, ...SWITCHES, `--user-data-dir=${profile}`, `${origin}/`], {
      env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const problems = child.stderr.text();
    const over = child.exited.then(async (code) => Promise.reject(new Error(`${CHROMIUM} ended with ${code}: ${await problems}`)));
    const late = Bun.sleep(PATIENCE_MS).then(() => Promise.reject(new Error(`the page told nothing within ${PATIENCE_MS / 1_000} s`)));
    try {
      return await Promise.race([done.promise, over, late]);
    } finally {
      over.catch(() => {});
      late.catch(() => {});
      child.kill("SIGKILL");
      await child.exited;
    }
  } finally {
    await server.stop(true);
    // Its helpers may still write for a moment.
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

const SWITCHES = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--no-default-browser-check",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
] as const;
