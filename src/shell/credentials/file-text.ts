import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { codeOf } from "../socket-path.ts";

/** No file of a key or a login is larger. */
const FILE_BYTES_MAX = 1_048_576;

export type FileStamp = BigIntStats | string;

/** What changes when a file does; of one that cannot be looked at, why. */
export function stampOf(path: string): FileStamp {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? "ENOENT";
  } catch (error) {
    return codeOf(error);
  }
}

export function isSameStamp(one: FileStamp, other: FileStamp): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  return (
    one.mtimeNs === other.mtimeNs &&
    one.ctimeNs === other.ctimeNs &&
    one.size === other.size &&
    one.ino === other.ino &&
    one.dev === other.dev
  );
}

export type FileText =
  | { readonly kind: "text"; readonly text: string; readonly stamp: FileStamp; readonly isOpenToOthers: boolean }
  | { readonly kind: "unusable"; readonly reason: "missing" | "unreadable"; readonly detail: string; readonly stamp: FileStamp };

/** Reads a file together with the stamp of the very file that was read. `what` it is begins a sentence. */
export function readFileText(path: string, what: string): FileText {
  let file: number | undefined;
  try {
    // Whoever opens a pipe without it waits for a writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stamp = fstatSync(file, { bigint: true });
    const mistake = mistakeOf(stamp);
    if (mistake !== undefined) return { kind: "unusable", reason: "unreadable", detail: `${what} ${mistake}`, stamp };
    const text = readAll(file);
    if (text === undefined) return { kind: "unusable", reason: "unreadable", detail: `${what} ${TOO_LARGE}`, stamp };
    return { kind: "text", text, stamp, isOpenToOthers: process.platform !== "win32" && (stamp.mode & READ_BY_OTHERS) !== 0n };
  } catch (error) {
    const code = codeOf(error);
    const stamp = stampOf(path);
    if (code === "ENOENT" || code === "ENOTDIR")
      return { kind: "unusable", reason: "missing", detail: `${what} does not exist; put the key there`, stamp };
    const advice = code === "EACCES" || code === "EPERM" ? "; let the user that faultproxy runs as read it" : "";
    return { kind: "unusable", reason: "unreadable", detail: `${what} cannot be read (${code})${advice}`, stamp };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

const READ_BY_OTHERS = 0o044n;

const TOO_LARGE = `is larger than ${FILE_BYTES_MAX / 1_048_576} MiB, which no credential is; name another file`;

function mistakeOf(stats: BigIntStats): string | undefined {
  if (stats.isDirectory()) return "is a folder and not a file, as is made where a container mounts a file that is not there; remove it";
  if (!stats.isFile()) return "is not a regular file; put the credential into one";
  return stats.size > BigInt(FILE_BYTES_MAX) ? TOO_LARGE : undefined;
}

/** Undefined where there is too much of it. It may grow while it is read. */
function readAll(file: number): string | undefined {
  const pieces: Buffer[] = [];
  for (let bytes = 0; bytes <= FILE_BYTES_MAX; ) {
    const piece = Buffer.allocUnsafe(16_384);
    const count = readSync(file, piece, 0, piece.length, null);
    if (count === 0)
      return Buffer.concat(pieces)
        .toString("utf8")
        .replace(/^\ufeff/, "");
    pieces.push(piece.subarray(0, count));
    bytes += count;
  }
  return undefined;
}
