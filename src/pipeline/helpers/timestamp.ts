let lastMs = Number.NaN;
let lastTimestamp = "";

/** RFC 3339. Many events fall into one millisecond, and their text costs more than the rest of them. */
export function timestamp(wallMs: number): string {
  if (wallMs !== lastMs) {
    lastMs = wallMs;
    lastTimestamp = new Date(wallMs).toISOString();
  }
  return lastTimestamp;
}
