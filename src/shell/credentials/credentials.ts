import { userInfo } from "node:os";
import type { Clock } from "../../core/clock.ts";
import { type CredentialReading, type CredentialSource, type Credentials, sourceName } from "../../core/credential.ts";
import { type AskKeychain, askKeychainOf, itemPlace } from "./ask-keychain.ts";
import { CLAUDE_RENEWAL, claudeLogin } from "./claude-login.ts";
import { absolute, claudeFiles } from "./claude-places.ts";
import { credentialOfText } from "./credential-text.ts";
import { type KeychainItem, keychainItem } from "./keychain-item.ts";
import { type Held, held, momentText, notHeld, readingOf } from "./reading.ts";
import type { Environment } from "./run-program.ts";
import { type WatchedFile, watchedFile } from "./watched-file.ts";

export type CredentialState = "ready" | "missing" | "unreadable" | "expired";

/** What status and health say of a source: nothing of the secret, not even its fingerprint. */
export type SourceState = {
  /** As people know it. */
  readonly source: string;
  readonly state: CredentialState;
  /** RFC 3339; null: it does not say. */
  readonly expires: string | null;
  readonly detail: string | null;
};

export type SourceChange = Pick<SourceState, "source" | "state" | "detail">;

export type CredentialsOptions = {
  readonly environment: Environment;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly clock: Clock;
  /** Is told once of each thing that somebody should mend. */
  readonly warn: (text: string) => void;
  /** Is told when a source is found in another state than before; of a first one where it cannot be used. */
  readonly tell?: (change: SourceChange) => void;
  /** In place of the program of the platform. */
  readonly askKeychain?: AskKeychain;
};

export type OpenCredentials = Credentials & {
  /** Has the keychain asked for those sources, and resolves when it has answered, or at the latest after READY_MS_MAX. */
  readonly ready: (sources?: readonly CredentialSource[]) => Promise<void>;
  readonly states: (sources: readonly CredentialSource[]) => readonly SourceState[];
  readonly close: () => void;
};

/** A start does not wait longer for a keychain, which may wait for a person. */
export const READY_MS_MAX = 5_000;

/** Sources as they are by now. A read looks at files and asks nobody: what a keychain holds is asked for beside it. */
export function createCredentials(options: CredentialsOptions): OpenCredentials {
  const { environment, platform, home, clock, warn, tell = () => {} } = options;
  const ask = options.askKeychain ?? askKeychainOf({ platform, environment, user: userName(environment) });
  const files = new Map<string, WatchedFile>();
  const items = new Map<string, KeychainItem>();
  const known = new Map<string, CredentialState>();
  const closing = new AbortController();

  const fileAt = (path: string, renewal: string) =>
    existing(files, path, () => watchedFile(path, { what: `the file ${path}`, renewal }, clock, warn));
  const itemOf = (service: string) =>
    existing(items, service, () =>
      keychainItem({ service, place: itemPlace(service, platform), ask, clock, warn, closing: closing.signal }),
    );
  const claude = claudeLogin(
    claudeFiles(environment, home).map((path) => fileAt(path, CLAUDE_RENEWAL)),
    clock,
    warn,
  );
  const variables = new Map<string, Held>();

  const look = (source: CredentialSource): Held => {
    if (source.kind === "env") return existing(variables, source.name, () => heldByVariable(source.name, environment[source.name]));
    if (source.kind === "file") return fileAt(absolute(source.path, home), "put a new one there").look();
    return source.kind === "claude" ? claude() : itemOf(source.service).look();
  };

  const read = (source: CredentialSource): CredentialReading => {
    const reading = readingOf(look(source), clock.wallMs());
    const state = stateOf(reading);
    const name = sourceName(source);
    const before = known.get(name);
    if (state === before) return reading;
    known.set(name, state);
    if (before !== undefined || state !== "ready") tell({ source: name, state, detail: detailOf(reading) });
    return reading;
  };

  return {
    read,
    ready: async (sources = []) => {
      for (const source of sources) if (source.kind === "keychain") itemOf(source.service);
      const asked = Promise.all([...items.values()].map((item) => item.asked()));
      if (items.size === 0) return;
      const late = new AbortController();
      await Promise.race([asked, clock.sleep(READY_MS_MAX, AbortSignal.any([late.signal, closing.signal]))]);
      late.abort();
    },
    states: (sources) => distinct(sources).map((source) => sourceState(sourceName(source), read(source))),
    close: () => closing.abort(),
  };
}

function existing<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function heldByVariable(name: string, value: string | undefined): Held {
  const place = `the environment variable ${name}`;
  if (value === undefined) return notHeld("missing", `${place} is not set where faultproxy was started; set it and start it again`);
  const text = credentialOfText(value, place);
  return text.kind === "credential"
    ? held(text.credential, place, "set a new one and start faultproxy again")
    : notHeld(text.reason, text.detail);
}

function distinct(sources: readonly CredentialSource[]): readonly CredentialSource[] {
  return [...new Map(sources.map((source) => [sourceName(source), source])).values()];
}

function sourceState(source: string, reading: CredentialReading): SourceState {
  const expiresWallMs = reading.kind === "ready" ? reading.credential.expiresWallMs : reading.expiresWallMs;
  return {
    source,
    state: stateOf(reading),
    expires: expiresWallMs === undefined ? null : momentText(expiresWallMs),
    detail: detailOf(reading),
  };
}

function stateOf(reading: CredentialReading): CredentialState {
  return reading.kind === "ready" ? "ready" : reading.reason;
}

function detailOf(reading: CredentialReading): string | null {
  return reading.kind === "ready" ? null : reading.detail;
}

function userName({ USER, LOGNAME }: Environment): string {
  try {
    return userInfo().username;
  } catch {
    // The system may not know the id that it runs as, as in containers.
    return USER ?? LOGNAME ?? "";
  }
}
