import { statSync } from "node:fs";
import type { TargetSetting } from "../config/settings.ts";
import type { Clock } from "../core/clock.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import type { ForwardFailure, TlsIdentity } from "../core/exchange.ts";
import { type IdentityFiles, identityOfFiles, type ReadIdentity } from "./tls-identity.ts";

/** As whom a target is met, as it is by now. */
export type ClientIdentity = () => TlsIdentity | ForwardFailure;

/**
 * An identity that follows its files: they are looked at before each request, and read again when one of them is another.
 * A new identity is a new object, so that no connection of the old one is used for it. `warn` is told of a key that others can read,
 * each time it is read, and of an identity that cannot be used any more; one that could not from the beginning is for the caller to tell.
 */
export function clientIdentity(table: string, setting: TargetSetting, clock: Clock, warn: (text: string) => void): ClientIdentity {
  const { certFile, keyFile, caFile, serverName } = setting;
  const files: IdentityFiles = { table, certFile, keyFile, caFile };
  const paths = [certFile, keyFile, caFile].flatMap((path) => path ?? []);
  let stamp: string | undefined;
  let state: ReadIdentity | InputError | undefined;
  /** The mistake that has been told; undefined where there is none, or where nobody has asked yet. */
  let told: string | undefined;

  const refused = (detail: string, isFirst: boolean): ForwardFailure => {
    if (!isFirst && detail !== told) warn(refusalText(detail));
    told = detail;
    return { kind: "failure", reason: "client_certificate", detail };
  };

  return () => {
    const isFirst = state === undefined;
    const now = stampsOf(paths);
    if (state === undefined || now !== stamp) {
      [state, stamp] = readWhole(files, paths, now);
      if (!isInputError(state)) state = { ...state, identity: { ...state.identity, ...(serverName === undefined ? {} : { serverName }) } };
      if (!isInputError(state) && keyFile !== undefined && isReadByOthers(keyFile)) {
        warn(`${table}: other users can read the private key ${keyFile}; take that away with: chmod 600 ${keyFile}`);
      }
    }
    if (isInputError(state)) return refused(state.message, isFirst);
    const late = state.validity === undefined ? undefined : outOfTime(state.validity, clock.wallMs(), files);
    if (late !== undefined) return refused(late.message, isFirst);
    told = undefined;
    return state.identity;
  };
}

/** What an identity that cannot be used comes to, for whoever runs the proxy. */
export function refusalText(detail: string): string {
  return `${detail}. Until that is mended, requests that need it get a 502`;
}

/** Files that are changed while they are read, as by a link that is turned between certificate and key, are read again. */
function readWhole(files: IdentityFiles, paths: readonly string[], stamp: string): [ReadIdentity | InputError, string] {
  let before = stamp;
  for (let turn = 0; ; turn++) {
    const read = identityOfFiles(files);
    const after = stampsOf(paths);
    if (after === before || turn === READS_MAX) return [read, before];
    before = after;
  }
}

const READS_MAX = 5;

function stampsOf(paths: readonly string[]): string {
  return paths.map(stampOf).join();
}

/** What changes when a file does. A link that is turned to another file gives another number. */
function stampOf(path: string): string {
  try {
    const { mtimeNs, ctimeNs, size, ino } = statSync(path, { bigint: true });
    return `${mtimeNs}/${ctimeNs}/${size}/${ino}`;
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

const READ_BY_OTHERS = 0o004;

function isReadByOthers(path: string): boolean {
  if (process.platform === "win32") return false;
  // It may have gone since it was read.
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & READ_BY_OTHERS) !== 0;
}

type Validity = { readonly fromMs: number; readonly toMs: number };

function outOfTime({ fromMs, toMs }: Validity, nowMs: number, { table, certFile }: IdentityFiles): InputError | undefined {
  const which = `the client certificate ${certFile} (${table}.auth.cert_file)`;
  const day = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
  const message =
    nowMs > toMs
      ? `${which} expired at ${day(toMs)}; renew it, and it is used without a restart`
      : nowMs < fromMs
        ? `${which} is valid from ${day(fromMs)} only; is the clock of this machine right?`
        : undefined;
  return message === undefined ? undefined : { kind: "input-invalid", message };
}
