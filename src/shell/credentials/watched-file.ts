import type { Clock } from "../../core/clock.ts";
import { credentialOfText } from "./credential-text.ts";
import { type FileStamp, isSameStamp, readFileText, stampOf } from "./file-text.ts";
import { type Held, held, notHeld } from "./reading.ts";

/** How long the last good reading stands in for a file that somebody seems to be writing. */
export const HALF_WRITTEN_MS_MAX = 2_000;

/** File systems count time in steps, up to two seconds: a file that was just written may be written again within the same one. */
const STAMP_STEP_MS_MAX = 2_000;

export type WatchedFile = { readonly path: string; readonly look: () => Held };

/** What a path is called, and what is to be done once its token has expired. */
export type FileWords = { readonly what: string; readonly renewal: string };

/** A file that is looked at on every use, and read again when it is another. */
export function watchedFile(path: string, { what, renewal }: FileWords, clock: Clock, warn: (text: string) => void): WatchedFile {
  let stamp: FileStamp | undefined;
  /** It was read so soon after it was written that its stamp does not tell the next change. */
  let isFresh = false;
  let good: Held | undefined;
  let current: Held = notHeld("missing", `${what} has not been read`);
  /** Since when it has been half-written; undefined: it is not. */
  let partialSinceMs: number | undefined;
  let isWarned = false;

  const read = (): void => {
    const file = readFileText(path, what);
    stamp = file.stamp;
    isFresh = typeof stamp !== "string" && Math.abs(clock.wallMs() - Number(stamp.mtimeMs)) < STAMP_STEP_MS_MAX;
    const text = file.kind === "text" ? credentialOfText(file.text, what) : { ...file, isPartial: false };
    if (file.kind === "text" && file.isOpenToOthers && !isWarned) {
      isWarned = true;
      warn(`${what} can be read by other users; take that away with: chmod 600 ${path}`);
    }
    if (text.kind === "credential") {
      good = held(text.credential, what, renewal, good);
      current = good;
      partialSinceMs = undefined;
      return;
    }
    current = notHeld(text.reason, text.detail);
    partialSinceMs = text.isPartial ? (partialSinceMs ?? clock.monotonicMs()) : undefined;
    if (!text.isPartial) good = undefined;
  };

  return {
    path,
    look: () => {
      if (stamp === undefined || isFresh || !isSameStamp(stamp, stampOf(path))) read();
      const isInTime = partialSinceMs !== undefined && clock.monotonicMs() - partialSinceMs < HALF_WRITTEN_MS_MAX;
      return isInTime && good !== undefined ? good : current;
    },
  };
}
