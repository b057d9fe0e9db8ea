import { join } from "node:path";

export const WRITER = join(import.meta.dir, "writer.ts");

/** Whether a process can be given a disk of its own: a mount that nobody else sees. */
export const canMount =
  Bun.which("unshare") !== null && Bun.spawnSync(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).exitCode === 0;
if (!canMount) process.stderr.write("skipped, for want of unshare, or a kernel that allows it: full disks\n");

/** What the script's processes say on a new disk at `$DISK`. */
export async function onOwnDisk(size: string, script: string, environment: Readonly<Record<string, string>>): Promise<readonly unknown[]> {
  const child = Bun.spawn(["unshare", "-rm", "sh", "-ec", `mount -t tmpfs -o size=${size} none "$DISK"\n${script}`], {
    env: { ...process.env, BUN: process.execPath, WRITER, ...environment },
    stdout: "pipe",
    stderr: "inherit",
  });
  return said(child);
}

/** Lines of JSON that a process printed. */
export async function said(child: { readonly stdout: ReadableStream<Uint8Array> }): Promise<readonly unknown[]> {
  const text = await new Response(child.stdout).text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
