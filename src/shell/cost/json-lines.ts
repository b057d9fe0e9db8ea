import { chmodSync, closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { codeOf } from "../socket-path.ts";
import { createBatches, type Ledger, type Sink, Unwritable } from "./batches.ts";
import { lineOf } from "./row.ts";

export type JsonLinesOptions = {
  readonly path: string;
  readonly clock: Clock;
  /** One line for people; at most one for each trouble and one for its end. */
  readonly warn: (text: string) => void;
};

const NEWLINE = 0x0a;

/** The same rows as JSON, appended to a file that may be moved away at any time. Never throws. */
export function openJsonLines({ path, clock, warn }: JsonLinesOptions): Ledger {
  const sink: Sink = { write: (rows) => append(path, rows.map(lineOf).join("")), close: () => {} };
  return createBatches(`the file ${path}`, sink, clock, warn);
}

/** All of the text or nothing of it. The file is opened each time: another may have taken its place. */
function append(path: string, text: string): void {
  const file = open(path);
  let lengthBefore: number | undefined;
  let written = 0;
  try {
    lengthBefore = fstatSync(file).size;
    const bytes = Buffer.from(endsInLine(file, lengthBefore) ? text : `\n${text}`);
    while (written < bytes.length) written += writeSync(file, bytes, written);
  } catch (error) {
    if (lengthBefore !== undefined && written > 0) takeBack(file, lengthBefore, written);
    throw unwritable(error, path);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  const folder = dirname(path);
  try {
    if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(folder, 0o700);
  } catch (error) {
    throw new Unwritable(
      `the folder ${folder} for the file of cost.json_lines cannot be made (${codeOf(error)}): make it, or name another`,
    );
  }
  try {
    return openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
  } catch (error) {
    throw unwritable(error, path);
  }
}

/** A process that was killed, or a disk that was full, may have left half a line. What is no file has no last byte to look at. */
function endsInLine(file: number, length: number): boolean {
  if (length === 0) return true;
  const last = Buffer.alloc(1);
  return readSync(file, last, 0, 1, length - 1) === 0 || last[0] === NEWLINE;
}

/** Only where nobody has written behind it meanwhile. */
function takeBack(file: number, lengthBefore: number, written: number): void {
  try {
    if (fstatSync(file).size === lengthBefore + written) ftruncateSync(file, lengthBefore);
  } catch {
    // Half a line stays; the next one begins on a line of its own.
  }
}

function unwritable(error: unknown, path: string): Unwritable {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") return new Unwritable(`the file ${path} has no room on its disk: make some`);
  return new Unwritable(`the file ${path} of cost.json_lines cannot be written (${code}): allow it, or name another`);
}
