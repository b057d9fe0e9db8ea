import { randomUUID } from "node:crypto";
import { RedisClient, type TLSOptions } from "bun";
import { GOODBYE, HEARTBEAT, HEARTBEAT_MS, INSTANCE_GONE_MS } from "./heartbeat-script.ts";
import { addressForPeople, whyNoConnection, withoutSecrets } from "./redis-address.ts";
import { type After, type RedisLink, type Reply, runScript, within } from "./run-script.ts";
import { AWAY, RETURN_MS_MAX, type RunScript, type SharedScripts } from "./shared-scripts.ts";

export type RedisSetup = {
  readonly url: string;
  /** Of every key. */
  readonly prefix: string;
  /** No decision waits longer for the store. */
  readonly timeoutMs: number;
  /** For `rediss:`, in place of the system's authorities. */
  readonly tls?: TLSOptions;
  /** Told when it comes and goes, and once at first; for people. */
  readonly onChange: (isUp: boolean, detail: string) => void;
  /** Of this instance among those that share the store. */
  readonly id?: string;
  /** `onClose` where it is seen to be gone; that it is not called says nothing. */
  readonly open?: (onClose: () => void) => RedisLink;
  readonly after?: After;
  readonly monotonicMs?: () => number;
};

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1_000;

/** The store must have been up for so long before its loss is met without a pause. */
const STEADY_MS = 10_000;

const AFTER: After = (ms, action) => {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
};

type NoReply = Reply & { readonly kind: "none" };

/** A time in which the store is asked, over one connection. */
type UpTime = { readonly link: RedisLink; readonly end: (why: NoReply) => void };

/**
 * Keeps a connection to a Redis or Valkey server until it is closed. Bun's client has no timeout, and can hold commands back while
 * it is not connected, to run them late: so it is asked for one connection at a time, and the rest is done here.
 */
export function createRedisConnection(setup: RedisSetup): SharedScripts {
  const { url, prefix, timeoutMs, onChange, id = randomUUID(), after = AFTER, monotonicMs = () => performance.now() } = setup;
  const address = addressForPeople(url);
  const open = setup.open ?? ((onClose: () => void) => openLink(url, setup.tls, onClose));
  const patience = { msMax: RETURN_MS_MAX, after };
  const keyOf = (name: string) => `{${prefix}}:${name}`;
  const instancesKey = keyOf("instances");
  const listeners: ((run: RunScript) => Promise<void>)[] = [];

  let link: RedisLink | undefined;
  let upTime: UpTime | undefined;
  let isClosed = false;
  let detail: string | undefined = `${address}: not connected yet`;
  let instances = { count: 1, rank: 0 };
  let told: boolean | undefined;
  let endPause = () => {};

  const pause = (ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const callOff = after(ms, resolve);
    endPause = () => {
      callOff();
      resolve();
    };
    return promise;
  };

  function tell(isUp: boolean, why: string): void {
    detail = isUp ? undefined : `${address}: ${withoutSecrets(why, url)}`;
    if (told === isUp || isClosed) return;
    told = isUp;
    onChange(isUp, detail ?? address);
  }

  /** Gives why not. */
  async function connect(): Promise<string | undefined> {
    let fresh: RedisLink;
    try {
      fresh = open(() => {
        if (link === fresh) lose({ kind: "none", isLate: false, why: "connection closed" });
      });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    const reply = await within(fresh.connect(), patience, "connect");
    if (reply.kind === "answer" && !isClosed) {
      link = fresh;
      return undefined;
    }
    fresh.close();
    if (reply.kind === "answer") return "closed";
    return reply.isLate ? reply.why : whyNoConnection(url, RETURN_MS_MAX);
  }

  function disconnect(): void {
    const last = link;
    link = undefined;
    last?.close();
  }

  /** Those who come next must not wait for what somebody has waited for. */
  function lose(why: NoReply, asked = upTime): void {
    if (upTime === asked) upTime = undefined;
    asked?.end(why);
  }

  async function beat(on: RedisLink): Promise<Reply> {
    const reply = await runScript(on, HEARTBEAT, [instancesKey], [id, String(INSTANCE_GONE_MS)], patience);
    if (reply.kind === "none" || !Array.isArray(reply.value)) return reply;
    const [count, rank] = reply.value.map(Number);
    instances = { count: count ?? 1, rank: rank ?? 0 };
    return reply;
  }

  /** Whoever shares something by the store brings it in step. Gives why not. */
  async function bringInStep(on: RedisLink): Promise<string | undefined> {
    const beaten = await beat(on);
    if (beaten.kind === "none") return beaten.why;
    let why: string | undefined;
    const run: RunScript = async (script, keys, words) => {
      if (why !== undefined) return AWAY;
      const reply = await runScript(on, script, keys, words, patience);
      if (reply.kind === "answer") return reply.value;
      why = reply.why;
      return AWAY;
    };
    for (const listener of listeners) await listener(run);
    return why;
  }

  /** Until something goes wrong. */
  async function stayUp(on: RedisLink): Promise<NoReply> {
    const { promise, resolve } = Promise.withResolvers<NoReply>();
    upTime = { link: on, end: resolve };
    tell(true, "");
    let callOff = () => {};
    const beatLater = () => {
      callOff = after(HEARTBEAT_MS, async () => {
        const reply = await beat(on);
        if (reply.kind === "none") resolve(reply);
        else if (upTime?.link === on) beatLater();
      });
    };
    beatLater();
    const lost = await promise;
    upTime = undefined;
    callOff();
    return lost;
  }

  async function keepConnected(): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!isClosed) {
      const why = (link === undefined ? await connect() : undefined) ?? (link === undefined ? "closed" : await bringInStep(link));
      if (link !== undefined && why === undefined) {
        const sinceMs = monotonicMs();
        const lost = await stayUp(link);
        const wasSteady = monotonicMs() - sinceMs >= STEADY_MS;
        if (wasSteady) retryMs = RETRY_MS_MIN;
        tell(false, lost.why);
        // It may only have been slow: then the same connection answers again.
        if (!lost.isLate) disconnect();
        else if (wasSteady) continue;
      } else {
        tell(false, why ?? "closed");
        disconnect();
      }
      if (isClosed) break;
      // Instances that lost the store together must not all come back at once.
      await pause(retryMs * (0.5 + Math.random() / 2));
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
    disconnect();
  }

  void keepConnected();

  return {
    async run(script, keys, words) {
      const asked = upTime;
      if (asked === undefined) return AWAY;
      const reply = await runScript(asked.link, script, keys, words, { msMax: timeoutMs, after });
      if (reply.kind === "answer") return reply.value;
      lose(reply, asked);
      return AWAY;
    },
    isUp: () => upTime !== undefined,
    keyOf,
    instances: () => instances,
    onReturn: (listener) => void listeners.push(listener),
    detail: () => detail,
    close() {
      isClosed = true;
      const last = link;
      link = undefined;
      // The others share the limits among fewer from now on.
      if (last !== undefined) void runScript(last, GOODBYE, [instancesKey], [id], { msMax: timeoutMs, after }).finally(() => last.close());
      lose({ kind: "none", isLate: false, why: "closed" });
      endPause();
    },
  };
}

function openLink(url: string, tls: TLSOptions | undefined, onClose: () => void): RedisLink {
  const client = new RedisClient(url, {
    autoReconnect: false,
    enableOfflineQueue: false,
    connectionTimeout: RETURN_MS_MAX,
    ...(tls === undefined ? {} : { tls }),
  });
  client.onclose = onClose;
  return client;
}
