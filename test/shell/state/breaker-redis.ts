import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient } from "bun";
import { AWAY, type RunScript, type SharedScripts } from "../../../src/shell/state/shared-scripts.ts";

/** A server of the test's own, in a folder of its own, that keeps nothing. */
export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-redis-"));
  const socket = join(folder, "redis.sock");
  const server = Bun.spawn(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder], {
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = server.stdout.getReader();
  for (let log = ""; !/ready to accept connections/i.test(log); ) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`redis-server has ended: ${log}`);
    log += new TextDecoder().decode(value);
  }
  const client = new RedisClient(`redis+unix://${socket}`);
  return {
    client,
    async stop() {
      client.close();
      server.kill();
      await server.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type TestScripts = SharedScripts & {
  /** From now on no answer comes: `late` are done all the same, `never` are not. */
  readonly loseAnswers: (how: "late" | "never") => void;
  /** The connection is known to be lost. */
  readonly goAway: () => void;
  readonly comeBack: () => Promise<void>;
  /** Names of the scripts that were run, in order. */
  readonly ran: string[];
};

/** The scripts of one instance, straight to the server. */
export function testScripts(client: RedisClient, prefix: string): TestScripts {
  const ran: string[] = [];
  const listeners: ((run: RunScript) => Promise<void>)[] = [];
  let isUp = true;
  let lost: "late" | "never" | undefined;
  const ask: RunScript = async (script, keys, words) => {
    if (lost === "never") return AWAY;
    ran.push(script.name);
    const answer: unknown = await client.send("EVAL", [script.source, String(keys.length), ...keys, ...words]);
    return lost === undefined ? answer : AWAY;
  };
  return {
    run: async (...call) => (isUp ? ask(...call) : AWAY),
    isUp: () => isUp,
    keyOf: (name) => `{${prefix}}:${name}`,
    instances: () => ({ count: 1, rank: 0 }),
    onReturn: (listener) => listeners.push(listener),
    detail: () => undefined,
    close() {},
    loseAnswers: (how) => {
      lost = how;
    },
    goAway: () => {
      isUp = false;
      lost = "never";
    },
    async comeBack() {
      lost = undefined;
      for (const listener of listeners) await listener(ask);
      isUp = true;
    },
    ran,
  };
}
