import { createHash } from "node:crypto";
import type { Credential } from "../../core/credential.ts";
import { KEY_HASH_DIGITS } from "../../core/key-hash.ts";

/** What a text comes to that should hold a credential. Details never have any of the text in them. */
export type CredentialText =
  | { readonly kind: "credential"; readonly credential: Credential }
  | {
      readonly kind: "unusable";
      readonly reason: "missing" | "unreadable";
      readonly detail: string;
      /** It may be the beginning of what somebody is writing. */
      readonly isPartial: boolean;
    };

/** Tokens of logins, such as `claude setup-token` prints. */
const LOGIN_PREFIX = "sk-ant-oat";

/** What is longer is no key, and servers refuse such heads. */
const SECRET_CHARACTERS_MAX = 16_384;

/** Below it a time is of seconds, not of milliseconds: as milliseconds it would be in 1973, as seconds it is in 5138. */
const SECONDS_BELOW = 1e11;

/** What dates can be. */
const WALL_MS_MAX = 8.64e15;

/** A key alone, or a login in a form of Claude Code's. `place` is where the text stood, as a sentence begins with it. */
export function credentialOfText(text: string, place: string): CredentialText {
  const trimmed = text.trim();
  if (trimmed === "") return unusable("missing", `${place} is empty; put the key there`, true);
  return trimmed.startsWith("{") ? loginOf(trimmed, place) : credentialOf(trimmed, false, undefined, place);
}

function loginOf(text: string, place: string): CredentialText {
  const parsed = parse(text);
  if (parsed === undefined) return unusable("unreadable", `${place} holds JSON that is cut off or damaged; write it anew`, true);
  const outer = memberOf(parsed, ["claudeAiOauth", "claude_ai_oauth"]);
  for (const form of [outer, parsed]) {
    const token = memberOf(form, ["accessToken", "access_token"]);
    if (typeof token !== "string" || token.trim() === "") continue;
    return credentialOf(token.trim(), true, momentOf(memberOf(form, ["expiresAt", "expires_at"])), place);
  }
  return unusable("missing", `${place} holds no login of Claude Code (no access token); log in with claude`, false);
}

function credentialOf(secret: string, isLogin: boolean, expiresWallMs: number | undefined, place: string): CredentialText {
  const mistake = mistakeOf(secret);
  if (mistake !== undefined) return unusable("unreadable", `${place} ${mistake}`, false);
  const kind = isLogin || secret.startsWith(LOGIN_PREFIX) ? "oauth" : "api_key";
  const fingerprint = createHash("sha256").update(secret).digest("hex").slice(0, KEY_HASH_DIGITS);
  return { kind: "credential", credential: { kind, secret, fingerprint, expiresWallMs } };
}

/** A secret goes into a header field, where nothing else may come with it. */
function mistakeOf(secret: string): string | undefined {
  if (/[\r\n]/.test(secret)) return "holds more than one line; a key is one line and nothing else";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(secret)) return "holds control characters; a key has none, put it there again";
  if (/[^ -~]/.test(secret)) return "holds characters that no key has, such as typographic quotes; put the key there again";
  if (secret.length > SECRET_CHARACTERS_MAX) return `holds more than ${SECRET_CHARACTERS_MAX} characters, which is no key`;
  return undefined;
}

function unusable(reason: "missing" | "unreadable", detail: string, isPartial: boolean): CredentialText {
  return { kind: "unusable", reason, detail, isPartial };
}

/** The message of a parser would have some of the text in it. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, names: readonly string[]): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const found = Object.entries(value).filter(([name, member]) => names.includes(name) && member !== null);
  return found.sort(([a], [b]) => names.indexOf(a) - names.indexOf(b))[0]?.[1];
}

/** Milliseconds, seconds or RFC 3339; undefined where it says nothing that can be understood. */
export function momentOf(value: unknown): number | undefined {
  if (typeof value === "string" && !/^\s*\d+(\.\d+)?\s*$/.test(value)) return momentIn(Date.parse(value));
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  const number = Number(value);
  return momentIn(number < SECONDS_BELOW ? number * 1_000 : number);
}

function momentIn(wallMs: number): number | undefined {
  return wallMs > 0 && wallMs <= WALL_MS_MAX ? Math.floor(wallMs) : undefined;
}
