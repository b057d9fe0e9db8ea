import { afterAll, afterEach, expect, test } from "bun:test";
import { INSTANCE_GONE_MS } from "../../../src/shell/state/heartbeat-script.ts";
import { createRedisConnection, type RedisSetup } from "../../../src/shell/state/redis-connection.ts";
import { AWAY, type Script, type SharedScripts } from "../../../src/shell/state/shared-scripts.ts";
import { makeCertificates } from "../../e2e/support/certificates.ts";
import { freePort } from "../../e2e/support/servers.ts";
import { describeWith } from "../../packaging/support/run.ts";
import { until } from "../support.ts";
import { quickHeart, startRedis } from "./redis-server.ts";

const ECHO: Script = { name: "echo", source: "return {ARGV[1], 7}" };

/** Far above the bound of any call, for a machine that is busy; far below what a call without one would take. */
const CALL_MS_MAX = 2_000;

const open: SharedScripts[] = [];
afterEach(() => {
  for (const scripts of open.splice(0)) scripts.close();
});

function connect(url: string, changes: Partial<RedisSetup> = {}) {
  const told: string[] = [];
  const onChange = (isUp: boolean, detail: string) => void told.push(`${isUp ? "up" : "away"}: ${detail}`);
  // Long enough that a busy machine makes no loss.
  const scripts = createRedisConnection({ url, prefix: "test", timeoutMs: 1_000, onChange, ...changes });
  open.push(scripts);
  return { scripts, told };
}

/** Asks until the store answers. */
const untilAnswered = (scripts: SharedScripts) =>
  until(async () => (await scripts.run(ECHO, [], ["x"])) !== AWAY, "the store answers", 10_000);

/** Asks the way that decisions do, and gives how long the longest of them waited. */
async function longestWaitMs(scripts: SharedScripts, calls: number): Promise<number> {
  let longest = 0;
  for (let call = 0; call < calls; call++) {
    const fromMs = performance.now();
    expect(await scripts.run(ECHO, [], ["x"])).toBe(AWAY);
    longest = Math.max(longest, performance.now() - fromMs);
  }
  return longest;
}

describeWith(["redis-server", "redis-cli"], "a connection to a server", async () => {
  const server = await startRedis();

  test("scripts are run", async () => {
    const { scripts } = connect(server.url);
    await untilAnswered(scripts);
    expect(await scripts.run(ECHO, [], ["ä \r\n x"])).toEqual(["ä \r\n x", 7]);
    await server.ask("SCRIPT", "FLUSH");
    expect(await scripts.run(ECHO, [], ["after all scripts were forgotten"])).toEqual(["after all scripts were forgotten", 7]);
  });

  test("a server that is not there yet is met when it is", async () => {
    await server.kill();
    const { scripts, told } = connect(server.url);
    await until(() => told.length > 0, "it is said");
    expect(told).toEqual([`away: ${server.url}: connection refused`]);
    expect(await longestWaitMs(scripts, 100)).toBeLessThan(CALL_MS_MAX);
    await server.start();
    await untilAnswered(scripts);
    expect(told.slice(1)).toEqual([`up: ${server.url}`]);
  });

  test("one that is killed and started again is met again", async () => {
    const { scripts, told } = connect(server.url);
    await untilAnswered(scripts);
    for (let round = 0; round < 3; round++) {
      await server.kill();
      expect(await longestWaitMs(scripts, 100)).toBeLessThan(CALL_MS_MAX);
      await until(() => scripts.detail() !== undefined, "it is noticed");
      await server.start();
      await untilAnswered(scripts);
    }
    expect(told.map((line) => line.split(":")[0])).toEqual(["up", ...Array(3).fill(["away", "up"]).flat()]);
  });

  test.each([
    ["shortly", "no answer within 25 ms"],
    ["for longer than anybody waits, so that the connection is made anew", "no answer within 1000 ms"],
  ])("one that pauses %s holds nobody up, and is met again", async (_, seen) => {
    const { scripts, told } = connect(server.url, { timeoutMs: 25 });
    await untilAnswered(scripts);
    server.signal("SIGSTOP");
    const together = await Promise.all(Array.from({ length: 50 }, () => scripts.run(ECHO, [], ["x"])));
    expect(new Set(together)).toEqual(new Set([AWAY]));
    expect(await longestWaitMs(scripts, 100)).toBeLessThan(CALL_MS_MAX);
    await until(() => scripts.detail()?.endsWith(seen) ?? false, "it is noticed");
    server.signal("SIGCONT");
    await untilAnswered(scripts);
    expect(told.map((line) => line.split(":")[0])).toEqual(expect.arrayContaining(["up", "away"]));
    await until(() => scripts.detail() === undefined, "nothing is left of it");
  });

  test("one that closes the connection is met again", async () => {
    const { scripts } = connect(server.url);
    await untilAnswered(scripts);
    await server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await until(async () => (await scripts.run(ECHO, [], ["x"])) === AWAY, "it is noticed");
    await untilAnswered(scripts);
  });

  test("instances know of each other, each in its own place, and of those that leave", async () => {
    const all = ["c", "a", "b"].map((id) => connect(server.url, { id, prefix: "instances", after: quickHeart }).scripts);
    await Promise.all(all.map(untilAnswered));
    await until(() => all.every((scripts) => scripts.instances().count === 3), "all know of all", 10_000);
    expect(all.map((scripts) => scripts.instances().rank)).toEqual([2, 0, 1]);
    all[1]?.close();
    const rest = all.filter((_, index) => index !== 1);
    await until(() => rest.every((scripts) => scripts.instances().count === 2), "the others know that it left", 10_000);
    expect(rest.map((scripts) => scripts.instances().rank)).toEqual([1, 0]);
    await server.kill();
    await until(() => rest.every((scripts) => !scripts.isUp()), "it is noticed");
    expect(rest.map((scripts) => scripts.instances())).toEqual([
      { count: 2, rank: 1 },
      { count: 2, rank: 0 },
    ]);
    await server.start();
  }, 30_000);

  test("one that was not heard of for long is no instance any more, whatever the clock did", async () => {
    const [gone, future] = [Date.now() - INSTANCE_GONE_MS, Date.now() + 3_600_000].map(String);
    await server.ask("ZADD", "{vanished}:instances", gone ?? "", "a", future ?? "", "b");
    const { scripts } = connect(server.url, { id: "c", prefix: "vanished" });
    await untilAnswered(scripts);
    expect(scripts.instances()).toEqual({ count: 2, rank: 1 });
    expect(Number(await server.ask("ZSCORE", "{vanished}:instances", "b"))).toBeLessThanOrEqual(Date.now());
    const left = Number(await server.ask("PTTL", "{vanished}:instances"));
    expect(left).toBeWithin(1, INSTANCE_GONE_MS + 1);
  });
});

describeWith(["redis-server", "redis-cli"], "a server with a password", async () => {
  const server = await startRedis([..."--user default on nopass +ping --user proxy on >s3cr/t ~* +@all".split(" ")]);
  const at = `127.0.0.1:${server.port}`;

  test("takes the right one", async () => {
    const { scripts, told } = connect(`redis://proxy:s3cr%2Ft@${at}`);
    await untilAnswered(scripts);
    expect(told).toEqual([`up: redis://${at}`]);
  });

  test.each([
    ["a wrong one", `redis://proxy:wr0ng%2Fp@${at}`],
    ["a wrong user", `redis://nobody:s3cr%2Ft@${at}`],
    ["no right to do it", `redis://${at}`],
  ])("does not take %s, and nothing of it is said", async (_, url) => {
    const { scripts, told } = connect(url);
    await until(() => told.length > 0, "it is said");
    expect(scripts.isUp()).toBe(false);
    expect(told[0]).toStartWith(`away: redis://${at}: `);
    expect(told.join()).not.toMatch(/s3cr|wr0ng|proxy|nobody/);
    expect(told.join()).toMatch(/password|permission/);
  });
});

describeWith(["redis-server", "redis-cli", "openssl"], "a server with TLS", async () => {
  const certificates = makeCertificates();
  afterAll(certificates.remove);
  const tlsPort = await freePort();
  const { certFile, keyFile } = certificates;
  const files = ["--tls-cert-file", certFile("good"), "--tls-key-file", keyFile("good"), "--tls-ca-cert-file", certFile("ca")];
  await startRedis(["--tls-port", String(tlsPort), ...files, "--tls-auth-clients", "no"]);

  test("is met where its authority is known", async () => {
    const { scripts, told } = connect(`rediss://localhost:${tlsPort}`, { tls: { ca: certificates.ca } });
    await untilAnswered(scripts);
    expect(told).toEqual([`up: rediss://localhost:${tlsPort}`]);
  });

  test("and not where it is not", async () => {
    const { scripts, told } = connect(`rediss://localhost:${tlsPort}`);
    await until(() => told.length > 0, "it is said");
    expect(scripts.isUp()).toBe(false);
    expect(told[0]).toContain("TLS");
  });
});

test.each([
  ["redis://someone:secret@127.0.0.1:1/3", "redis://127.0.0.1:1/3: connection refused"],
  ["redis+unix:///no/such/socket", "redis+unix:///no/such/socket: no such socket"],
  ["http://someone:secret@127.0.0.1:1", "the store: "],
  ["someone:secret", "the store: "],
])("%s is nothing to connect to, and no reason to fail", async (url, said) => {
  const { scripts, told } = connect(url);
  await until(() => told.length > 0, "it is said");
  expect(told[0]).toStartWith(`away: ${said}`);
  expect(told[0]).not.toContain("secret");
  expect(await scripts.run(ECHO, [], [])).toBe(AWAY);
});
