import { afterAll, describe } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "../../e2e/support/daemon.ts";

export const ROOT = join(import.meta.dir, "../../..");
export const PACKAGING = join(ROOT, "packaging");

/** Building a package compresses a hundred megabytes. */
export const BUILD_MS_MAX = 240_000;

/** Groups tests that need programs which not every developer has. Where all must run (CI), a missing program is a failure. */
export function describeWith(programs: readonly string[], title: string, body: () => void): void {
  const missing = programs.filter((program) => Bun.which(program) === null);
  if (missing.length === 0 || process.env.CI !== undefined) {
    describe(title, body);
    return;
  }
  process.stderr.write(`skipped, for want of ${missing.join(", ")}: ${title}\n`);
  describe.skip(title, body);
}

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };
export type RunOptions = {
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
};

/** A program, to its end. */
export function run(command: readonly string[], { directory = ROOT, environment = {}, timeoutMs = BUILD_MS_MAX }: RunOptions = {}): Ran {
  const ran = Bun.spawnSync([...command], {
    cwd: directory,
    env: { ...CLEAN_ENVIRONMENT, ...environment },
    stdin: "ignore",
    timeout: timeoutMs,
  });
  return { code: ran.exitCode, out: ran.stdout.toString(), err: ran.stderr.toString() };
}

/** What a program that must succeed writes to standard output. */
export function output(command: readonly string[], options: RunOptions = {}): string {
  const { code, out, err } = run(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}\n${err}${out}`);
  return out;
}

/** Several programs of a hundred megabytes may have to go. */
const CLEAN_MS_MAX = 60_000;

/** A folder for the tests of one file. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `faultproxy-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true, force: true }), CLEAN_MS_MAX);
  return folder;
}

export function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
