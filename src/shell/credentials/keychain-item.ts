import type { Clock } from "../../core/clock.ts";
import type { AskKeychain, KeychainAnswer } from "./ask-keychain.ts";
import { credentialOfText } from "./credential-text.ts";
import { EXPIRY_MARGIN_MS, type Held, held, isExpired, notHeld } from "./reading.ts";

/** How often an item is asked for, and how soon again where it cannot be used and somebody needs it. */
export const KEYCHAIN_EVERY_MS = 300_000;
export const KEYCHAIN_AGAIN_MS = 60_000;

export type KeychainItem = {
  /** What it held when the store was asked last; a first use has it asked. */
  readonly look: () => Held;
  /** Resolves when it has been asked once. */
  readonly asked: () => Promise<void>;
};

export type KeychainItemOptions = {
  readonly service: string;
  /** Begins a sentence. */
  readonly place: string;
  readonly ask: AskKeychain;
  readonly clock: Clock;
  readonly warn: (text: string) => void;
  /** Then all is over. */
  readonly closing: AbortSignal;
};

const RENEWAL = "renew it where it came from; it is read again within a minute";

/** An item of the store of secrets. Nobody waits for it but whoever starts the daemon: it is asked for beside the requests. */
export function keychainItem({ service, place, ask, clock, warn, closing }: KeychainItemOptions): KeychainItem {
  let latest: Held = notHeld("missing", `${place} has not been read yet; the store of secrets was just asked`);
  let running: Promise<void> | undefined;
  /** By the wall: a machine that sleeps forgets what it has asked. */
  let askedWallMs: number | undefined;
  let warned: string | undefined;
  let waiting = new AbortController();
  closing.addEventListener("abort", () => waiting.abort(), { once: true });

  const take = (answer: KeychainAnswer): void => {
    if (answer.kind === "failed") {
      // A store that is locked has not forgotten anything.
      if (latest.kind === "held" && answer.detail !== warned) warn(`${answer.detail}; what it held before is used on`);
      warned = answer.detail;
      if (latest.kind !== "held") latest = notHeld("unreadable", answer.detail);
      return;
    }
    warned = undefined;
    if (answer.kind === "missing") {
      latest = notHeld("missing", `${answer.detail}; put the key there, and it is found within ${KEYCHAIN_AGAIN_MS / 1_000} seconds`);
      return;
    }
    const text = credentialOfText(answer.text, place);
    latest = text.kind === "credential" ? held(text.credential, place, RENEWAL, latest) : notHeld(text.reason, text.detail);
  };

  const askNow = async (): Promise<void> => {
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    askedWallMs = clock.wallMs();
    const answer = await ask(service, closing);
    running = undefined;
    if (closing.aborted) return;
    take(answer);
    void clock.sleep(untilNextMs(latest, clock.wallMs()), signal).then(() => {
      if (!signal.aborted && running === undefined) start();
    });
  };
  const start = (): Promise<void> => {
    running = askNow();
    return running;
  };

  return {
    look: () => {
      const isNeeded = latest.kind === "unusable" || isExpired(latest.credential, clock.wallMs());
      const isTime = askedWallMs === undefined || Math.abs(clock.wallMs() - askedWallMs) >= KEYCHAIN_AGAIN_MS;
      if (isNeeded && isTime && running === undefined && !closing.aborted) void start();
      return latest;
    },
    asked: async () => running ?? (askedWallMs === undefined ? start() : Promise.resolve()),
  };
}

/** Every five minutes, and when it expires: by then its owner may have renewed it. */
function untilNextMs(of: Held, nowMs: number): number {
  const expiresMs = of.kind === "held" ? of.credential.expiresWallMs : undefined;
  const leftMs = expiresMs === undefined ? KEYCHAIN_EVERY_MS : expiresMs - EXPIRY_MARGIN_MS - nowMs;
  return leftMs <= 0 ? KEYCHAIN_EVERY_MS : Math.min(KEYCHAIN_EVERY_MS, leftMs);
}
