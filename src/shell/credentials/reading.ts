import type { Credential, CredentialReading } from "../../core/credential.ts";

/** A token that expires on its way is as good as expired. */
export const EXPIRY_MARGIN_MS = 10_000;

/** What is known of a source but for the time: the same object as long as the source holds the same. */
export type Held =
  | { readonly kind: "held"; readonly credential: Credential; readonly ready: CredentialReading; readonly expired: CredentialReading }
  | { readonly kind: "unusable"; readonly reading: CredentialReading & { readonly kind: "unusable" } };

/** `renewal` says what to do once it has expired. Where it is what was held before, it stays the same object. */
export function held(credential: Credential, place: string, renewal: string, before?: Held): Held {
  if (before?.kind === "held" && isSame(before.credential, credential)) return before;
  const { fingerprint, expiresWallMs } = credential;
  const detail = `${place} holds a token that expired${expiresWallMs === undefined ? "" : ` at ${momentText(expiresWallMs)}`}; ${renewal}`;
  return {
    kind: "held",
    credential,
    ready: { kind: "ready", credential },
    expired: {
      kind: "unusable",
      reason: "expired",
      detail,
      fingerprint,
      ...(expiresWallMs === undefined ? {} : { expiresWallMs }),
    },
  };
}

function isSame(one: Credential, other: Credential): boolean {
  return one.secret === other.secret && one.kind === other.kind && one.expiresWallMs === other.expiresWallMs;
}

export function notHeld(reason: "missing" | "unreadable", detail: string): Held {
  return { kind: "unusable", reading: { kind: "unusable", reason, detail } };
}

export function readingOf(of: Held, nowMs: number): CredentialReading {
  if (of.kind === "unusable") return of.reading;
  return isExpired(of.credential, nowMs) ? of.expired : of.ready;
}

export function isExpired({ expiresWallMs }: Credential, nowMs: number): boolean {
  return expiresWallMs !== undefined && expiresWallMs - EXPIRY_MARGIN_MS <= nowMs;
}

/** RFC 3339, to the second. */
export function momentText(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, "Z");
}
