import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../../src/core/clock.ts";
import type { CredentialReading } from "../../../src/core/credential.ts";
import { type CredentialsOptions, createCredentials, type SourceChange } from "../../../src/shell/credentials/credentials.ts";

export const START_MS = Date.UTC(2026, 2, 1, 12);

export type HandClock = Clock & { readonly pass: (ms: number) => Promise<void> };

/** Time that passes only when it is told to; who sleeps wakes in time. */
export function handClock(): HandClock {
  let nowMs = 0;
  const sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  return {
    monotonicMs: () => nowMs,
    wallMs: () => START_MS + nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const sleeper = { untilMs: nowMs + ms, wake: () => finish() };
        const finish = () => {
          sleepers.delete(sleeper);
          resolve();
        };
        sleepers.add(sleeper);
        signal.addEventListener("abort", finish);
      }),
    pass: async (ms) => {
      nowMs += ms;
      for (const sleeper of [...sleepers]) if (sleeper.untilMs <= nowMs) sleeper.wake();
      await settled();
    },
  };
}

/** Whatever needs no more time has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

export type Opened = ReturnType<typeof createCredentials> & {
  readonly clock: HandClock;
  readonly warnings: readonly string[];
  readonly told: readonly SourceChange[];
};

/** Credentials with time by hand, of a machine where nothing is set. */
export function opened(home: string, options: Partial<CredentialsOptions> = {}): Opened {
  const clock = handClock();
  const warnings: string[] = [];
  const told: SourceChange[] = [];
  const credentials = createCredentials({
    environment: {},
    platform: "linux",
    home,
    clock,
    warn: (text) => warnings.push(text),
    tell: (change) => told.push(change),
    askKeychain: async () => ({ kind: "failed", detail: "nobody is there" }),
    ...options,
  });
  return { ...credentials, clock, warnings, told };
}

/** The secret, or why there is none. */
export function secretOf(reading: CredentialReading): string {
  return reading.kind === "ready" ? reading.credential.secret : reading.reason;
}

export function detailOf(reading: CredentialReading): string {
  return reading.kind === "ready" ? "" : reading.detail;
}

/** A login as Claude Code writes it. */
export function login(accessToken: string, expiresAt: unknown = START_MS + 3_600_000): string {
  return JSON.stringify({
    claudeAiOauth: { accessToken, refreshToken: `renews-${accessToken}`, expiresAt, scopes: ["user:inference"], subscriptionType: "max" },
  });
}

export type StandIns = {
  /** What the PATH is with them. */
  readonly path: string;
  /** What each was called with, a line each. */
  readonly calls: (name: string) => readonly string[];
  /** All that they were given: arguments and environment. */
  readonly everything: () => string;
};

/** Programs in a folder of their own that write down their arguments and their environment, and then run these lines of shell. */
export function standIns(folder: string, programs: Readonly<Record<string, string>>): StandIns {
  const bin = join(folder, "bin");
  const seen = join(folder, "seen");
  mkdirSync(bin, { recursive: true });
  mkdirSync(seen, { recursive: true });
  for (const [name, lines] of Object.entries(programs)) {
    const script = `#!/bin/sh\n/usr/bin/env >> '${seen}/${name}.env'\nfor word; do printf '<%s>' "$word"; done >> '${seen}/${name}.calls'\necho >> '${seen}/${name}.calls'\n${lines}\n`;
    writeFileSync(join(bin, name), script);
    chmodSync(join(bin, name), 0o755);
  }
  const read = (name: string) => {
    try {
      return readFileSync(join(seen, name), "utf8");
    } catch {
      return "";
    }
  };
  return {
    path: `${bin}:/usr/bin:/bin`,
    calls: (name) => read(`${name}.calls`).split("\n").slice(0, -1),
    everything: () =>
      readdirSync(seen)
        .map((name) => read(name))
        .join(""),
  };
}
