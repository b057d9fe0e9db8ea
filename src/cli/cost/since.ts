import { type InputError, inputError } from "../../core/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** From when on, as Unix time in milliseconds: so long ago (24h, 7d), or from a day or a moment on, in local time. */
export function sinceOf(text: string, nowMs: number): number | InputError {
  const [, amount = "", unit = ""] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs !== undefined) return Math.max(0, nowMs - Number(amount) * unitMs);
  const [, year, month, day, time = ""] = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?))?$/.exec(text) ?? [];
  const moment = new Date(`${year}-${month}-${day}T${time === "" ? "00:00" : time}`);
  // The 31st of a month that has none would be the next month's first.
  if (year !== undefined && moment.getDate() === Number(day)) return moment.getTime();
  return inputError(`--since ${text}: expected how long ago, such as 24h, 7d or 2w, or a day such as 2026-03-01`);
}

/** A moment in local time, as `sinceOf` reads it. */
export function momentText(ms: number): string {
  const moment = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  return `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
}
