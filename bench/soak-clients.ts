/**
 * Clients of a proxy with routes, so many at a time, until the input ends; then, once all have ended, it prints in one line what they have seen.
 * Arguments: the port, the seed, the number of clients.
 */
import { isEnded, seenOf, textMistakes } from "../test/pipeline/support/soak-checks.ts";
import { type Story, storyOf } from "../test/pipeline/support/soak-story.ts";
import { type ClientReport, ROUTES, TIME_SCALE } from "./soak-plan.ts";

/** Nothing here takes so long, all timeouts together. */
const HANG_MS = 60_000;

const [port = 0, seed = 0, clients = 1] = process.argv.slice(2).map(Number);
const ends: Record<string, number> = {};
const answered: number[] = [];
const mistakes: string[] = [];
let sent = 0;
let isOver = false;

type Got = {
  readonly end: "complete" | "cut" | "left" | "hang" | "nothing";
  readonly status: number | undefined;
  readonly bytes: Uint8Array;
};

async function ask(story: Story): Promise<Got> {
  const leaving = new AbortController();
  const late = setTimeout(() => leaving.abort("hang"), HANG_MS);
  const left = story.leavesMs === undefined ? undefined : setTimeout(() => leaving.abort("left"), story.leavesMs * TIME_SCALE);
  const pieces: Uint8Array[] = [];
  let status: number | undefined;
  const got = (end: Got["end"]): Got => ({ end, status, bytes: Buffer.concat(pieces) });
  try {
    const headers = [...story.headers.filter(([name]) => name !== "host"), ["x-user-id", `soak-${story.id}`]] as [string, string][];
    const body = JSON.stringify(story.request);
    const answer = await fetch(`http://127.0.0.1:${port}${story.target}`, { method: "POST", headers, body, signal: leaving.signal });
    status = answer.status;
    for await (const piece of answer.body ?? []) {
      pieces.push(piece);
      if (story.pauseMs > 0) await Bun.sleep(Math.random() * story.pauseMs * TIME_SCALE);
    }
    return got("complete");
  } catch {
    if (leaving.signal.aborted) return got(leaving.signal.reason === "hang" ? "hang" : "left");
    return got(status === undefined ? "nothing" : "cut");
  } finally {
    clearTimeout(late);
    clearTimeout(left);
  }
}

/** What no client must see. */
function mistakesIn(story: Story, { end, status, bytes }: Got): readonly string[] {
  if (end === "hang") return ["it hung"];
  if (end === "nothing") return ["no answer at all"];
  if (end === "left" || status !== 200) return end === "cut" && bytes.length < LARGE_BYTES ? [`an answer of ${status} was cut`] : [];
  const seen = seenOf(story, bytes);
  // Who looks away finds what was not read yet thrown away by its own side, as HTTP clients do.
  if (end === "cut")
    return story.isStream ? (seen.hasError || story.pauseMs > 0 ? [] : ["cut without an error"]) : ["a whole answer was cut"];
  return [
    ...(isEnded(story, seen) && !seen.hasError ? [] : ["an end without an answer"]),
    ...seen.mistakes,
    ...textMistakes(seen, story, true),
  ];
}

/** Error pages of more than a mebibyte go on as they come; of one that is cut a client need not have got as much. */
const LARGE_BYTES = 64 * 1024;

async function client(): Promise<void> {
  while (!isOver) {
    const story = storyOf(seed, ++sent, ROUTES, 0);
    const got = await ask(story);
    const name = `${got.end} ${got.status ?? "-"}`;
    ends[name] = (ends[name] ?? 0) + 1;
    if (got.status !== undefined || story.leavesMs === undefined) answered.push(story.id);
    mistakes.push(...mistakesIn(story, got).map((mistake) => `exchange ${story.id}: ${mistake}`));
  }
}

process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();
await Promise.all(Array.from({ length: clients }, client));
const report: ClientReport = { sent, ends, answered, mistakes };
// More than a pipe holds at a time.
await Bun.write(Bun.stdout, `${JSON.stringify(report)}\n`);
process.exit(0);
