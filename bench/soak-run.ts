import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestDaemon, type TestDaemon } from "../test/e2e/support/daemon.ts";
import { median } from "./load.ts";
import { type ClientReport, configuration, RULES, WARM_UP_ID } from "./soak-plan.ts";

export type SoakOptions = {
  readonly seconds: number;
  readonly clients: number;
  readonly seed: number;
  /** Told of each second, for people. */
  readonly tell?: (sample: Sample) => void;
};

/** How the proxy is at one moment. Undefined: this system does not tell. */
export type Sample = {
  readonly atMs: number;
  readonly residentKb: number | undefined;
  readonly descriptors: number | undefined;
  readonly running: number;
  /** So far. */
  readonly requests: number;
};

export type Check = {
  readonly name: string;
  readonly isKept: boolean;
  readonly detail: string;
  /** Memory needs minutes to tell anything. */
  readonly needsTime?: true;
};

export type SoakResult = {
  readonly report: ClientReport;
  readonly rows: number;
  readonly before: Sample;
  readonly samples: readonly Sample[];
  readonly after: Sample;
  readonly memory: { readonly secondKb: number; readonly lastKb: number } | undefined;
  readonly checks: readonly Check[];
};

/** Connections to targets are kept for four seconds, and sockets that were closed take a moment. */
const SETTLE_MS_MAX = 20_000;
const SETTLE_STEP_MS = 500;

/** Memory that lasts may grow by so much from the second quarter to the last: collections are not even. */
const GROWTH_SHARE_MAX = 0.15;
const GROWTH_KB_MAX = 16 * 1024;

/** The compiled proxy between clients that come, go and look away and targets that fail in every way, for so long; what it leaves behind is counted. */
export async function soak({ seconds, clients, seed, tell = () => {} }: SoakOptions): Promise<SoakResult> {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-soak-"));
  const ledger = join(folder, "ledger.sqlite");
  const targets = child("soak-targets.ts", [String(seed)]);
  let daemon: TestDaemon | undefined;
  try {
    const ports: readonly number[] = JSON.parse(await targets.line());
    const args = ["--seed", String(seed), "--log-level", "silent"];
    daemon = await startTestDaemon({ engine: "wire", toml: configuration(ports, ledger), args });
    const proxy = daemon;
    await warmUp(proxy);
    for (const rule of RULES) await performed(proxy, rule);
    const before = await sampleWhen(proxy, ({ running }) => running === 0);
    const asking = child("soak-clients.ts", [String(proxy.port), String(seed), String(clients)]);
    const samples: Sample[] = [];
    const endMs = performance.now() + seconds * 1_000;
    while (performance.now() < endMs) {
      await Bun.sleep(Math.min(1_000, Math.max(0, endMs - performance.now())));
      const sample = await sampleOf(proxy);
      samples.push(sample);
      tell(sample);
    }
    const report: ClientReport = JSON.parse(await asking.end());
    const after = await sampleWhen(proxy, (now) => now.running === 0 && (now.descriptors ?? 0) <= (before.descriptors ?? 0));
    proxy.signal("SIGTERM");
    const code = await proxy.ended;
    const users = usersIn(ledger);
    const memory = memoryOf(samples);
    return { report, rows: users.length, before, samples, after, memory, checks: checksOf({ report, users, before, after, memory, code }) };
  } finally {
    await Promise.all([targets.end(), daemon?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

// ---- other processes ----

function child(file: string, args: readonly string[]) {
  const process_ = Bun.spawn([process.execPath, join(import.meta.dir, file), ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" },
  });
  let text = "";
  const reader = process_.stdout.getReader();
  const more = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    if (value !== undefined) text += new TextDecoder().decode(value);
    return !done;
  };
  return {
    /** The first that it prints. */
    async line(): Promise<string> {
      while (!text.includes("\n")) if (!(await more())) throw new Error(`${file} ended early`);
      return text;
    },
    /** All that it prints until it ends, which it is asked for. */
    async end(): Promise<string> {
      process_.stdin.end();
      while (await more());
      await process_.exited;
      return text;
    },
  };
}

async function performed(daemon: TestDaemon, command: string): Promise<void> {
  const { status, body } = await daemon.command(command);
  if (status !== 200) throw new Error(`${command}: ${JSON.stringify(body)}`);
}

/** What is loaded once is there. */
async function warmUp({ origin }: TestDaemon): Promise<void> {
  const request = { model: "route-0", messages: [{ role: "user", content: `exchange ${WARM_UP_ID}.` }] };
  for (let count = 0; count < 20; count++) {
    const answer = await fetch(`${origin}/v1/chat/completions`, { method: "POST", body: JSON.stringify(request), keepalive: false });
    await answer.arrayBuffer();
  }
}

// ---- how the proxy is ----

async function sampleOf({ origin, pid }: TestDaemon): Promise<Sample> {
  const status = `/proc/${pid}/status`;
  const isTold = existsSync(status);
  // Before our own connection is one of them.
  const descriptors = isTold ? readdirSync(`/proc/${pid}/fd`).length : undefined;
  const residentKb = isTold ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1]) : undefined;
  const metrics = await (await fetch(`${origin}/metrics`, { keepalive: false })).text();
  return {
    atMs: performance.now(),
    residentKb,
    descriptors,
    running: Number(/^faultproxy_running_requests (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN),
    requests: [...metrics.matchAll(/^faultproxy_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0),
  };
}

/** The first moment in which it is as it should be, or the last that is waited for. */
async function sampleWhen(daemon: TestDaemon, isSo: (sample: Sample) => boolean): Promise<Sample> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    await Bun.sleep(SETTLE_STEP_MS);
    const sample = await sampleOf(daemon);
    if (isSo(sample) || performance.now() > deadline) return sample;
  }
}

/** Medians of what is resident in the second quarter, when all has been seen once, and in the last. */
function memoryOf(samples: readonly Sample[]): SoakResult["memory"] {
  const sizes = samples.flatMap(({ residentKb }) => residentKb ?? []);
  const quarter = Math.floor(sizes.length / 4);
  if (quarter === 0) return undefined;
  return { secondKb: median(sizes.slice(quarter, 2 * quarter)), lastKb: median(sizes.slice(-quarter)) };
}

// ---- what must hold ----

/** The hashes of users in the ledger: each request has one of its own. */
function usersIn(ledger: string): readonly string[] {
  const database = new Database(ledger, { readonly: true });
  const rows = database.query<{ user: string | null }, []>("SELECT user FROM exchange WHERE user IS NOT NULL").all();
  database.close();
  return rows.map(({ user }) => user ?? "");
}

function hashOf(id: number): string {
  return createHash("sha256").update(`soak-${id}`).digest("hex").slice(0, 12);
}

type Seen = Pick<SoakResult, "report" | "before" | "after" | "memory"> & { readonly users: readonly string[]; readonly code: number };

function checksOf({ report, users, before, after, memory, code }: Seen): readonly Check[] {
  const counts = new Map<string, number>();
  for (const user of users) counts.set(user, (counts.get(user) ?? 0) + 1);
  const known = new Set(Array.from({ length: report.sent }, (_, index) => hashOf(index + 1)));
  const missing = report.answered.filter((id) => !counts.has(hashOf(id)));
  const twice = [...counts.values()].filter((count) => count > 1).length;
  const strange = users.filter((user) => !known.has(user)).length;
  const grownKb = memory === undefined ? 0 : memory.lastKb - memory.secondKb;
  const grownKbMax = memory === undefined ? 0 : Math.max(GROWTH_KB_MAX, memory.secondKb * GROWTH_SHARE_MAX);
  return [
    {
      name: "what clients took for an answer was whole, what was broken off said so, and nothing hung",
      isKept: report.mistakes.length === 0,
      detail:
        report.mistakes.length === 0 ? `${report.sent} requests` : `${report.mistakes.length}: ${report.mistakes.slice(0, 5).join("; ")}`,
    },
    {
      name: "every exchange is in the ledger, once",
      isKept: missing.length === 0 && twice === 0 && strange === 0,
      detail: `${users.length} rows; ${missing.length} missing, ${twice} twice, ${strange} of nobody${missing.length === 0 ? "" : ` (${missing.slice(0, 5)})`}`,
    },
    { name: "no request is left running", isKept: after.running === 0, detail: String(after.running) },
    {
      name: "no descriptor is left open",
      isKept: (after.descriptors ?? 0) <= (before.descriptors ?? 0),
      detail: `${before.descriptors ?? "?"} before, ${after.descriptors ?? "?"} after`,
    },
    {
      name: "memory does not grow",
      isKept: grownKb <= grownKbMax,
      detail:
        memory === undefined ? "not told" : `median ${inMb(memory.secondKb)} in the second quarter, ${inMb(memory.lastKb)} in the last`,
      needsTime: true,
    },
    { name: "it ends as it is told", isKept: code === 0, detail: `exit code ${code}` },
  ];
}

export function inMb(kb: number): string {
  return `${(kb / 1024).toFixed(1)} MiB`;
}
