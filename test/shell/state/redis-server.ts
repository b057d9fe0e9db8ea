import { afterAll, beforeAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient } from "bun";
import { HEARTBEAT_MS } from "../../../src/shell/state/heartbeat-script.ts";
import { freePort } from "../../e2e/support/servers.ts";
import { until } from "../support.ts";

export type RedisServer = {
  readonly url: string;
  readonly port: number;
  readonly signal: (name: "SIGSTOP" | "SIGCONT") => void;
  /** As a crash would: what is not on its disk is lost. */
  readonly kill: () => Promise<void>;
  /** On the same port. */
  readonly start: (options?: readonly string[]) => Promise<void>;
  /** By a connection of its own. */
  readonly ask: (command: string, ...words: string[]) => Promise<unknown>;
};

/** A server of a group of tests, which lives as long as they run. It keeps nothing on disk unless told to. */
export async function startRedis(options: readonly string[] = []): Promise<RedisServer> {
  let folder = "";
  const port = await freePort();
  const socket = () => join(folder, "redis.sock");
  let child: Bun.Subprocess | undefined;
  let asking: RedisClient | undefined;

  const hangUp = () => {
    asking?.close();
    asking = undefined;
  };
  const kill = async () => {
    hangUp();
    child?.kill("SIGKILL");
    await child?.exited;
    child = undefined;
  };
  const start = async (more: readonly string[] = []) => {
    const words = ["--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socket(), "--dir", folder, "--save", ""];
    child = Bun.spawn(["redis-server", ...words, ...options, ...more], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    await until(async () => {
      const { exitCode } = Bun.spawnSync(["redis-cli", "-s", socket(), "ping"], { stdout: "ignore", stderr: "ignore" });
      return exitCode === 0;
    }, "redis-server answers");
  };

  // Not before: where no test of the group is chosen, nobody would end it.
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fp-redis-"));
    await start();
  });
  afterAll(async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    signal: (name) => child?.kill(name),
    kill,
    start,
    async ask(command, ...words) {
      asking ??= new RedisClient(`redis+unix://${socket()}`);
      return asking.send(command, words);
    },
  };
}

/** Hearts that beat forty times as fast. */
export function quickHeart(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms === HEARTBEAT_MS ? HEARTBEAT_MS / 40 : ms);
  return () => clearTimeout(timer);
}
