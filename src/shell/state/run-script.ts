import { createHash } from "node:crypto";
import type { Script } from "./shared-scripts.ts";

/** What is used of a Redis client. */
export type RedisLink = {
  readonly connect: () => Promise<unknown>;
  readonly send: (command: string, words: string[]) => Promise<unknown>;
  readonly close: () => void;
};

/** Calls back later; gives the way to call it off. */
export type After = (ms: number, action: () => void) => () => void;

export type Reply =
  | { readonly kind: "answer"; readonly value: unknown }
  /** `isLate`: nothing came in time; the server may be well. */
  | { readonly kind: "none"; readonly isLate: boolean; readonly why: string };

export type Bound = { readonly msMax: number; readonly after: After };

const HASHES = new WeakMap<Script, string>();

function hashOf(script: Script): string {
  const known = HASHES.get(script) ?? createHash("sha1").update(script.source).digest("hex");
  HASHES.set(script, known);
  return known;
}

/** Runs it by its hash, or by its text where the server does not know it yet. Never rejects. */
export function runScript(
  link: RedisLink,
  script: Script,
  keys: readonly string[],
  words: readonly string[],
  bound: Bound,
): Promise<Reply> {
  const ask = async () => {
    const rest = [String(keys.length), ...keys, ...words];
    try {
      return await link.send("EVALSHA", [hashOf(script), ...rest]);
    } catch (error) {
      if (!messageOf(error).startsWith("NOSCRIPT")) throw error;
      return await link.send("EVAL", [script.source, ...rest]);
    }
  };
  return within(ask(), bound, script.name);
}

/** What comes of it, no later than the bound. Never rejects. */
export function within(answer: Promise<unknown>, { msMax, after }: Bound, name: string): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  let callOff = after(msMax, () => {
    // It can be this process that was held up: an answer that is there by now is read first.
    callOff = after(0, () => resolve({ kind: "none", isLate: true, why: `no answer within ${msMax} ms` }));
  });
  const settle = (reply: Reply) => {
    callOff();
    resolve(reply);
  };
  answer.then(
    (value) => settle({ kind: "answer", value }),
    (error: unknown) => settle({ kind: "none", isLate: false, why: `${name}: ${messageOf(error).slice(0, MESSAGE_CHARACTERS_MAX)}` }),
  );
  return promise;
}

const MESSAGE_CHARACTERS_MAX = 200;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
