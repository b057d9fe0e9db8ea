/**
 * `make bench`: faultproxy against a direct connection, nginx and a bare pass-through, all against one loopback target.
 * Rounds are interleaved; ratios within this run are what counts (medians of rates, pooled quantiles of latencies), absolute figures belong
 * to the machine.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { median, quantile, requestsPerSecond, streams } from "./load.ts";
import { pipelineCosts } from "./pipeline.ts";
import { policyCosts } from "./policy.ts";

const QUICK = process.argv.includes("--quick");
const ROUNDS = QUICK ? 2 : 7;
const RATE_MS = QUICK ? 500 : 2_000;
const here = import.meta.dir;
const binary = join(here, "../dist/faultproxy");
const CERTIFICATE = join(here, "../test/fixtures/self-signed.crt");
const scratch = mkdtempSync(join(tmpdir(), "faultproxy-bench-"));
const running: Bun.Subprocess[] = [];

/** Asked at `path`, where that is not the usual one. */
type Peer = { readonly name: string; readonly port: number; readonly pid: number; readonly path?: string };

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`ended early: ${text}`);
    text += new TextDecoder().decode(value);
  }
  void (async () => {
    while (!(await reader.read()).done);
  })().catch(() => {});
  return text.slice(0, text.indexOf("\n"));
}

async function script(name: string, file: string, ...args: string[]): Promise<Peer> {
  const child = Bun.spawn([process.execPath, join(here, file), ...args], {
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" },
  });
  running.push(child);
  return { name, port: Number(await firstLine(child.stdout)), pid: child.pid };
}

type Proxy = {
  readonly engine?: "wire" | "serve";
  readonly rules?: readonly string[];
  readonly logLevel?: string;
  readonly tls?: boolean;
  /** What the target is said to speak. */
  readonly dialect?: string;
  /** More of the configuration file. */
  readonly toml?: string;
};

async function faultproxy(
  name: string,
  target: number,
  { engine = "wire", rules = [], logLevel = "silent", tls = false, dialect, toml = "" }: Proxy = {},
): Promise<Peer> {
  const socket = join(scratch, `${running.length}.sock`);
  const config = join(scratch, `${running.length}.toml`);
  const ofTarget = dialect === undefined ? "" : `[providers.openai]\ndialect = "${dialect}"\n`;
  writeFileSync(config, `${toml}${ofTarget}`, { mode: 0o600 });
  const child = Bun.spawn(
    [
      binary,
      "serve",
      "--port",
      "0",
      "--no-stdin",
      "--engine",
      engine,
      "--log-format",
      "json",
      "--log-level",
      logLevel,
      "--socket",
      socket,
      "--config",
      config,
      "--upstream",
      `openai=${tls ? "https://localhost" : "http://127.0.0.1"}:${target}`,
    ],
    // A log, where there is one, is written, as a user's would be, and thrown away.
    { stdout: "pipe", stderr: "ignore", env: { ...process.env, NODE_EXTRA_CA_CERTS: CERTIFICATE } },
  );
  running.push(child);
  const { port } = JSON.parse(await firstLine(child.stdout)) as { port: number };
  for (const rule of rules) {
    const answer = await fetch("http://localhost/v1/rules", { unix: socket, method: "POST", body: JSON.stringify({ rule }) });
    if (!answer.ok) throw new Error(await answer.text());
  }
  return { name, port, pid: child.pid };
}

async function nginx(target: number, tls = false): Promise<Peer | undefined> {
  const program = Bun.which("nginx");
  if (program === null) return undefined;
  // A folder of its own: started by root, nginx gives its temporary folders to another user.
  const folder = join(scratch, `nginx-${running.length}`);
  mkdirSync(folder);
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  writeFileSync(
    join(folder, "nginx.conf"),
    `worker_processes 1; daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 8192; }
http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  upstream target { server 127.0.0.1:${target}; keepalive 128; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} backlog=4096; keepalive_requests 1000000000; client_max_body_size 0;
    location / { proxy_pass http${tls ? "s" : ""}://target; ${tls ? `proxy_ssl_trusted_certificate ${CERTIFICATE}; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on; ` : ""}proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }
`,
  );
  const child = Bun.spawn([program, "-p", folder, "-c", join(folder, "nginx.conf")], { stderr: "inherit" });
  running.push(child);
  await reachable(port);
  return { name: tls ? "nginx, TLS to the target" : "nginx", port, pid: child.pid };
}

async function reachable(port: number): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline) {
    const open = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).catch(() => undefined);
    if (open !== undefined) {
      open.end();
      return;
    }
    await Bun.sleep(20);
  }
  throw new Error(`port ${port} did not open`);
}

/** Resident memory of a process in KB, peak or now. */
function residentKb(pid: number, field: "VmHWM" | "VmRSS"): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function ratio(values: ReadonlyMap<string, number[]>, name: string, base: string): number {
  const over = values.get(base) ?? [];
  return median((values.get(name) ?? []).map((value, round) => value / (over[round] ?? Number.NaN)));
}

/** `base` is what each is compared with, where `bases` does not say it. */
async function rates(peers: readonly Peer[], base: string, bases: ReadonlyMap<string, string> = new Map()): Promise<void> {
  const results = new Map(peers.map((peer) => [peer.name, [] as number[]]));
  for (const peer of peers) await requestsPerSecond(peer.port, 32, RATE_MS / 2, peer.path);
  for (let round = 0; round < ROUNDS; round++) {
    for (const peer of shuffled(peers)) results.get(peer.name)?.push(await requestsPerSecond(peer.port, 32, RATE_MS, peer.path));
  }
  print(`\n1 KB JSON POST, 32 connections\n\n| way | requests/s | ÷ ${base} |\n|---|---|---|`);
  for (const { name } of peers)
    print(`| ${name} | ${Math.round(median(results.get(name) ?? []))} | ${ratio(results, name, bases.get(name) ?? base).toFixed(2)} |`);
}

function shuffled<Value>(values: readonly Value[]): Value[] {
  return values
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

/**
 * All chunks of all rounds together. The order is drawn anew each round, for whoever comes after whom (whose collector may still be
 * at work) would otherwise count as its speed, and the processes are started anew several times, for two processes of one program differ by more than the programs do.
 */
async function latencies(base: string, start: () => Promise<readonly Peer[]>): Promise<void> {
  const generations = QUICK ? 1 : 3;
  const rounds = QUICK ? 1 : 5;
  const chunks = QUICK ? 50 : 100;
  const samples = generations * rounds * 64 * chunks;
  const pooled = new Map<string, { samples: Float64Array; taken: number }>();
  for (let generation = 0; generation < generations; generation++) {
    const peers = await start();
    for (const { name } of peers) if (!pooled.has(name)) pooled.set(name, { samples: new Float64Array(samples), taken: 0 });
    for (const peer of peers) await streams(peer.port, 64, 50, 20, peer);
    for (let round = 0; round < rounds; round++) {
      for (const peer of shuffled(peers)) {
        await Bun.sleep(200);
        const { events, latenciesUs } = await streams(peer.port, 64, chunks, 20, peer);
        if (events !== 64 * chunks) throw new Error(`${peer.name} lost events: ${events}`);
        const pool = pooled.get(peer.name);
        pool?.samples.set(latenciesUs, pool.taken);
        if (pool !== undefined) pool.taken += latenciesUs.length;
      }
    }
  }
  for (const { samples } of pooled.values()) samples.sort();
  const at = (name: string, q: number) => quantile(pooled.get(name)?.samples ?? new Float64Array(), q);
  const ratioToBase = (name: string, q: number) => (at(name, q) / at(base, q)).toFixed(2);
  print(
    `\nSSE, 64 streams × ${chunks} chunks, 20 ms apart, ${rounds} rounds with each of ${generations} processes: one-way latency of a chunk\n\n| way | p50 µs | p99 µs | p50 ÷ ${base} | p99 ÷ ${base} |\n|---|---|---|---|---|`,
  );
  for (const name of pooled.keys()) {
    const cells = [at(name, 0.5), at(name, 0.99)].map((value) => value.toFixed(0));
    print(`| ${[name, ...cells, ratioToBase(name, 0.5), ratioToBase(name, 0.99)].join(" | ")} |`);
  }
}

async function manyStreams(peer: Peer, count: number): Promise<void> {
  const before = residentKb(peer.pid, "VmRSS");
  let during = before;
  const chunks = QUICK ? 20 : 50;
  const onAllOpen = () => {
    during = residentKb(peer.pid, "VmRSS");
  };
  const result = await streams(peer.port, count, chunks, 100, { ...peer, onAllOpen });
  print(
    `\n${count} concurrent streams of ${chunks} chunks through ${peer.name}: ${result.complete} complete, ${result.events} of ${count * chunks} events, ${((during - before) / count).toFixed(1)} KB resident growth a stream`,
  );
}

async function slowClient(peer: Peer): Promise<void> {
  const total = QUICK ? 50_000_000 : 500_000_000;
  const before = residentKb(peer.pid, "VmRSS");
  let peak = before;
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    let paused = false;
    const watch = setInterval(() => {
      peak = Math.max(peak, residentKb(peer.pid, "VmRSS"));
    }, 20);
    void Bun.connect({
      hostname: "127.0.0.1",
      port: peer.port,
      socket: {
        open: (socket) => void socket.write(`GET /bytes?n=${total} HTTP/1.1\r\nhost: x\r\naccept: */*\r\nuser-agent: bench\r\n\r\n`),
        data(socket, bytes) {
          received += bytes.length;
          if (received >= total) {
            clearInterval(watch);
            socket.end();
            resolve();
          } else if (!paused) {
            // Reads in bursts with pauses between, far slower than the target sends.
            paused = true;
            socket.pause();
            setTimeout(() => {
              paused = false;
              socket.resume();
            }, 10);
          }
        },
      },
    }).catch(reject);
  });
  print(
    `\n${total / 1e6} MB to a slow client through ${peer.name}: resident memory grew by ${((peak - before) / 1024).toFixed(1)} MB at the most`,
  );
}

/** An upload to a target that reads it in bursts with pauses between. */
async function upload(peer: Peer): Promise<void> {
  const total = QUICK ? 50_000_000 : 500_000_000;
  const before = residentKb(peer.pid, "VmRSS");
  let peak = before;
  const block = Buffer.alloc(64 * 1024, 0x61);
  await new Promise<void>((resolve, reject) => {
    const watch = setInterval(() => {
      peak = Math.max(peak, residentKb(peer.pid, "VmRSS"));
    }, 20);
    let left = total;
    const pour = (socket: Bun.Socket<unknown>) => {
      while (left > 0) {
        const written = socket.write(block, 0, Math.min(block.length, left));
        left -= Math.max(0, written);
        if (written < block.length) return;
      }
    };
    void Bun.connect({
      hostname: "127.0.0.1",
      port: peer.port,
      socket: {
        open(socket) {
          socket.write(`POST /v1/slow-upload HTTP/1.1\r\nhost: x\r\naccept: */*\r\nuser-agent: bench\r\ncontent-length: ${total}\r\n\r\n`);
          pour(socket);
        },
        drain: pour,
        data(socket, bytes) {
          if (!bytes.toString("latin1").startsWith("HTTP/1.1 200")) reject(new Error(bytes.toString("latin1")));
          clearInterval(watch);
          socket.end();
          resolve();
        },
      },
    }).catch(reject);
  });
  print(
    `\n${total / 1e6} MB upload to a slow target through ${peer.name}: resident memory grew by ${((peak - before) / 1024).toFixed(1)} MB at the most`,
  );
}

async function startUp(target: number): Promise<void> {
  const empty = join(scratch, "empty");
  writeFileSync(
    join(scratch, "empty.ts"),
    'Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("x") }).port; process.stderr.write(JSON.stringify({ port: 0 }) + "\\n"); process.exit(0);',
  );
  await Bun.$`${process.execPath} build --compile --minify --bytecode ${join(scratch, "empty.ts")} --outfile ${empty}`.quiet();
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < (QUICK ? 3 : 15); round++) {
    let start = performance.now();
    await Bun.spawn([empty], { stderr: "ignore" }).exited;
    theirs.push(performance.now() - start);
    start = performance.now();
    const peer = await faultproxy(`start${round}`, target);
    const answer = await fetch(`http://127.0.0.1:${peer.port}/v1/chat/completions`, { method: "POST", body: "{}" });
    await answer.text();
    ours.push(performance.now() - start);
    process.kill(peer.pid, "SIGKILL");
  }
  print(
    `\nStart to first proxied answer: ${median(ours).toFixed(0)} ms; an empty compiled program that opens a port and ends: ${median(theirs).toFixed(0)} ms`,
  );
}

/** A client of Chat Completions before a target that speaks Responses, against the same answers passed through as they are. */
async function translated(target: number): Promise<void> {
  const plain = "plain";
  const peers = async (): Promise<readonly Peer[]> => [
    { ...(await faultproxy(plain, target)), path: "/v1/responses" },
    { ...(await faultproxy("translated", target, { dialect: "responses" })), path: "/v1/chat/completions" },
    {
      ...(await faultproxy("translated, --engine serve", target, { dialect: "responses", engine: "serve" })),
      path: "/v1/chat/completions",
    },
  ];
  print("\nTranslated: asked in Chat Completions, answered in Responses; `plain` passes the same answers through");
  await latencies(plain, peers);
  await rates(await peers(), plain);
  const [, fresh] = await peers();
  if (fresh !== undefined) await manyStreams(fresh, QUICK ? 1_000 : 5_000);
}

const LIMITS = `[limits]
requests_per_minute = 1000000000
tokens_per_minute = 1000000000
[[limits.override]]
key = "*"
requests_per_minute = 1000000000
tokens_per_minute = 1000000000
`;
const BREAKER = '[breaker]\nmode = "enforce"\n';

const ROUTE = '[[route]]\nrescue = "continue"\ntargets = [{ provider = "openai" }, { provider = "tetrate" }]\n';

/** With everything that a gateway does for each request, against the same proxy without it. */
async function gateway(target: number): Promise<void> {
  const plain = "plain";
  const ledger = () => `[cost]\nledger = "${join(scratch, `${running.length}.sqlite`)}"\n`;
  const redis = await redisServer();
  const shared = redis === undefined ? "" : `[state]\nurl = "${redis}"\n`;
  const peers = async (): Promise<readonly Peer[]> => [
    await faultproxy(plain, target),
    await faultproxy("limits", target, { toml: LIMITS }),
    await faultproxy("limits, breaker, ledger", target, { toml: `${LIMITS}${BREAKER}${ledger()}` }),
    await faultproxy("the same, with a route", target, { toml: `${LIMITS}${BREAKER}${ledger()}${ROUTE}` }),
    ...(redis === undefined
      ? []
      : [await faultproxy("the same, state in Redis", target, { toml: `${LIMITS}${BREAKER}${ledger()}${shared}` })]),
  ];
  print("\nThe gateway: what limits, circuit breaker and ledger take");
  await latencies(plain, peers);
  await rates(await peers(), plain);
  print("\nA decision in memory\n\n| decision | µs |\n|---|---|");
  for (const [name, us] of policyCosts()) print(`| ${name} | ${us.toFixed(2)} |`);
}

/** Undefined where the machine has none. */
async function redisServer(): Promise<string | undefined> {
  const program = Bun.which("redis-server");
  if (program === null) return undefined;
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  running.push(Bun.spawn([program, "--port", String(port), "--save", "", "--appendonly", "no"], { stdout: "ignore", stderr: "inherit" }));
  await reachable(port);
  return `redis://127.0.0.1:${port}`;
}

async function main(): Promise<void> {
  if (!existsSync(binary)) throw new Error("dist/faultproxy is missing: make build");
  const target = await script("target", "upstream.ts");
  const tlsTarget = await script("target with TLS", "upstream.ts", "0", "tls");
  const direct: Peer = { ...target, name: "direct" };
  const other = Array.from({ length: 10 }, () => "rate_limit * provider=anthropic");
  const byModel = Array.from({ length: 10 }, (_, i) => `rate_limit * model=none-${i}`);
  print(
    `${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, ${Math.round(totalmem() / 2 ** 30)} GiB, Bun ${Bun.version}; rates are medians of ${ROUNDS} interleaved rounds`,
  );
  if (process.argv.includes("--translated")) return translated(target.port);
  if (process.argv.includes("--gateway")) return gateway(target.port);
  // Before the rates: the heap that hundreds of thousands of requests leave behind makes collections longer.
  await latencies("nginx", async () => {
    const web = await nginx(target.port);
    return [
      direct,
      ...(web === undefined ? [] : [web]),
      await faultproxy("faultproxy", target.port),
      await faultproxy("faultproxy, 10 rules, log", target.port, { rules: other, logLevel: "debug" }),
      await faultproxy("faultproxy --engine serve", target.port, { engine: "serve" }),
    ];
  });
  const web = await nginx(target.port);
  const tlsWeb = await nginx(tlsTarget.port, true);
  const overTls = "faultproxy, TLS to the target";
  await rates(
    [
      direct,
      ...(web === undefined ? [] : [web]),
      await faultproxy("faultproxy", target.port),
      await faultproxy("faultproxy, 10 rules, log", target.port, { rules: other, logLevel: "debug" }),
      await faultproxy("faultproxy, 10 rules that read the body, log", target.port, { rules: byModel, logLevel: "debug" }),
      ...(tlsWeb === undefined ? [] : [tlsWeb]),
      await faultproxy(overTls, tlsTarget.port, { tls: true }),
      await faultproxy("faultproxy --engine serve", target.port, { engine: "serve" }),
      await script("bare Bun.serve + fetch", "bare.ts", `http://127.0.0.1:${target.port}`),
    ],
    "nginx",
    new Map(
      tlsWeb === undefined
        ? []
        : [
            [overTls, tlsWeb.name],
            [tlsWeb.name, tlsWeb.name],
          ],
    ),
  );
  // Fresh processes: what earlier measurements left behind would be counted as growth or hide it.
  await manyStreams(await faultproxy("faultproxy", target.port), QUICK ? 1_000 : 5_000);
  await slowClient(await faultproxy("faultproxy", target.port));
  await upload(await faultproxy("faultproxy", target.port));
  await translated(target.port);
  await gateway(target.port);
  await startUp(target.port);
  print("\nThe pipeline by itself, all stages and no I/O\n\n| rules | µs an exchange |\n|---|---|");
  for (const [name, us] of await pipelineCosts()) print(`| ${name} | ${us.toFixed(2)} |`);
}

try {
  await main();
} finally {
  for (const child of running) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
}
// Connections that a killed peer left behind would keep it waiting.
process.exit(0);
