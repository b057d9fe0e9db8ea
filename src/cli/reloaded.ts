import type { ChangedSettings } from "../shell/changed-settings.ts";

/** What a reload came to. */
export type Reloaded = ChangedSettings & {
  /** The one that was read, or that was there before. */
  readonly file: string;
  readonly isGone: boolean;
};

/** The same in one sentence. */
export function reloadedText({ file, isGone, applied, atNextStart }: Reloaded): string {
  const none = atNextStart.length === 0 ? "nothing has changed" : "nothing that can change while it runs has changed";
  const now = applied.length === 0 ? none : `${applied.join(", ")} changed`;
  const later = atNextStart.length === 0 ? "" : `; at the next start: ${atNextStart.join(", ")}`;
  return `${isGone ? `${file} is gone` : `read ${file} again`}: ${now}${later}`;
}
