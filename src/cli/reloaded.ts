import type { ChangedSettings } from "../shell/changed-settings.ts";

/** What a reload came to; `file` is the one that was read. */
export type Reloaded = ChangedSettings & { readonly file: string };

/** The same in one sentence. */
export function reloadedText({ file, applied, atNextStart }: Reloaded): string {
  const now = applied.length === 0 ? "nothing that can change while it runs has changed" : `${applied.join(", ")} changed`;
  const later = atNextStart.length === 0 ? "" : `; at the next start: ${atNextStart.join(", ")}`;
  return `read ${file} again: ${now}${later}`;
}
