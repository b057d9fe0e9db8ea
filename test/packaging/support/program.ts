import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "../../e2e/support/daemon.ts";
import { output } from "./run.ts";

/** Starts a packaged program as a proxy on a free port, and asks it with curl as a client would. */
export async function answersRequests(program: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-program-"));
  const socket = join(folder, "control.sock");
  const child = Bun.spawn([program, "serve", "--simulate", "--port", "0", "--no-stdin", "--log-format", "json", "--socket", socket], {
    env: { ...CLEAN_ENVIRONMENT },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const { value } = await child.stdout.getReader().read();
    const { origin } = JSON.parse(new TextDecoder().decode(value)) as { origin: string };
    const body = '{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}';
    const answer = JSON.parse(output(["curl", "-sS", "-d", body, `${origin}/v1/chat/completions`]));
    expect(answer.object).toBe("chat.completion");
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    rmSync(folder, { recursive: true });
  }
}
