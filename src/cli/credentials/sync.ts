import { basename, join } from "node:path";
import type { Credential } from "../../core/credential.ts";
import { type InputError, inputError, isInputError } from "../../core/errors.ts";
import { askKeychainOf, itemPlace, keychainTitle } from "../../shell/credentials/ask-keychain.ts";
import { absolute, claudeFolder, claudeService, OWN_FILE, SYNCED_FILE } from "../../shell/credentials/claude-places.ts";
import { credentialOfText } from "../../shell/credentials/credential-text.ts";
import { readFileText } from "../../shell/credentials/file-text.ts";
import { isExpired, momentText } from "../../shell/credentials/reading.ts";
import type { Host } from "./host.ts";
import { changeMode, type Place, placeFor, replaceFile } from "./private-file.ts";

/** Which item is copied, and where to. */
export type Copy = { readonly service: string; readonly to: string };

export type Asked = { readonly service: string | undefined; readonly to: string | undefined };

export type Synced = {
  readonly kind: "copied" | "unchanged" | "kept";
  readonly path: string;
  /** Where the folder is a link, where that leads. */
  readonly realPath: string;
  readonly expires: string | undefined;
  readonly isExpired: boolean;
};

/** What is meant where nobody says it. */
export function copyOf({ environment, home }: Pick<Host, "environment" | "home">, { service, to }: Asked): Copy | InputError {
  const path = to === undefined ? join(claudeFolder(environment, home), SYNCED_FILE) : absolute(to, home);
  if (basename(path) === OWN_FILE) {
    return inputError(`${path} is Claude Code's own file, which nobody else writes; name another with --to`);
  }
  return { service: service ?? claudeService(environment), to: path };
}

/** Copies the login of Claude Code from the keychain into a file that its owner alone can read. Nothing of it is told. */
export async function syncLogin(host: Host, { service, to }: Copy): Promise<Synced | InputError> {
  if (keychainTitle(host.platform) === undefined) {
    return inputError(`no keychain is known on ${host.platform}; Claude Code keeps its login in ${OWN_FILE} there, which is read as it is`);
  }
  const answer = await askKeychainOf({ ...host, timeoutMs: ASK_MS_MAX })(service);
  if (answer.kind !== "text") return inputError(`${answer.detail}${adviceFor(host, answer.kind)}`);
  const { text } = answer;
  const item = loginIn(text);
  if (item === undefined) {
    return inputError(
      `${itemPlace(service, host.platform)} holds no login of Claude Code, and nothing was written; --service names another`,
    );
  }
  const place = placeFor(to, host.uid, 0o700);
  if (isInputError(place)) return place;
  const kind = put(place, text, item);
  if (isInputError(kind)) return kind;
  const { expiresWallMs } = item;
  return {
    kind,
    path: place.path,
    realPath: place.realPath,
    expires: expiresWallMs === undefined ? undefined : momentText(expiresWallMs),
    isExpired: isExpired(item, host.nowMs()),
  };
}

function put(place: Place, text: string, item: Credential): Synced["kind"] | InputError {
  const before = place.mode === undefined ? undefined : readFileText(place.realPath, place.path);
  if (before?.kind === "unusable" && before.reason === "unreadable") return inputError(before.detail);
  if (before?.kind !== "text") return replaceFile(place, `${text}\n`, 0o600) ?? "copied";
  const isSame = before.text.trim() === text;
  const held = loginIn(before.text);
  const isNewer = held !== undefined && (held.expiresWallMs ?? 0) > (item.expiresWallMs ?? Number.POSITIVE_INFINITY);
  if (isSame || isNewer) return changeMode(place, 0o600) ?? (isSame ? "unchanged" : "kept");
  if (held === undefined && !isUnfinished(before.text)) {
    return inputError(`${place.path} holds something else than a login of Claude Code, and is left as it is; name another file with --to`);
  }
  return replaceFile(place, `${text}\n`, 0o600) ?? "copied";
}

/** Somebody may have to find a password and type it. */
const ASK_MS_MAX = 120_000;

/** A login in a form of Claude Code's, and nothing else. */
function loginIn(text: string): Credential | undefined {
  const read = text.trim().startsWith("{") ? credentialOfText(text, "") : undefined;
  return read?.kind === "credential" ? read.credential : undefined;
}

/** Empty, or a form that was never finished. */
function isUnfinished(text: string): boolean {
  const read = credentialOfText(text, "");
  return read.kind === "unusable" && read.isPartial;
}

function adviceFor({ platform }: Host, kind: "missing" | "failed"): string {
  if (platform === "linux") return `. Claude Code keeps its login in ${OWN_FILE} on Linux, which needs no copy`;
  return kind === "missing" ? "; log in with claude, or name another with --service" : "";
}
