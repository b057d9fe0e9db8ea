/**
 * Runs all tests, or those that are named. All of them run as two processes side by side: most wait for programs, clocks and sockets, and
 * on one processor after another that takes twice as long.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Enough for a machine that does other things as well. */
const TEST_MS_MAX = 20_000;

const named = process.argv.slice(2);
process.exit(named.length > 0 ? await run(named) : await both());

async function both(): Promise<number> {
  const [early, late] = halves();
  return Math.max(...(await Promise.all([run(early), run(late)])));
}

/** About as long, one as the other: files end to end from the first part of the alphabet, the soak and the demo, and everything else. */
function halves(): readonly [readonly string[], readonly string[]] {
  const files = readdirSync(import.meta.dir, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".test.ts"));
  const isEarly = (file: string) => /^e2e\/(?:[a-g]|route-soak)|^demo\//.test(file);
  const paths = (some: readonly string[]) => some.toSorted().map((file) => join("test", file));
  return [paths(files.filter(isEarly)), paths(files.filter((file) => !isEarly(file)))];
}

async function run(files: readonly string[]): Promise<number> {
  const child = Bun.spawn([process.execPath, "test", "--timeout", String(TEST_MS_MAX), ...files], { stdout: "pipe", stderr: "pipe" });
  await Promise.all([passOn(child.stdout), passOn(child.stderr)]);
  return child.exited;
}

/** Whole lines, so that those of two processes do not run into each other. */
async function passOn(stream: ReadableStream<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const text = rest + decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    process.stdout.write(text.slice(0, end));
    rest = text.slice(end);
  }
  if (rest !== "") process.stdout.write(`${rest}\n`);
}
