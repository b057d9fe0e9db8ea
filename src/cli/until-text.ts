const DAY_MS = 86_400_000;

/** A moment in local time, with its day where that is not near. */
export function untilText(rfc3339: string, nowMs: number): string {
  const moment = new Date(rfc3339);
  const time = moment.toTimeString().slice(0, 8);
  if (Math.abs(moment.getTime() - nowMs) < DAY_MS) return time;
  const two = (value: number) => String(value).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} ${time}`;
}
