import type { ParameterSpec, ParameterValue, StreamPosition } from "../core/fault.ts";
import { didYouMean } from "../core/nearest.ts";

/** A parsed value, or a sentence that says what was expected, and where inside the value. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string; readonly at?: readonly string[] };

const good = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (expected: string): Parsed<never> => ({ ok: false, expected });

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
};

/** The longest timer that the runtime keeps without wrapping around, about 24 days. */
const DURATION_MS_MAX = 2 ** 31 - 1;

/** `500ms`, `2s`, `1.5m`, `1h`; a bare number has the unit given. Milliseconds. */
export function parseDuration(text: string, bareUnit: "ms" | "s" = "ms"): Parsed<number> {
  const found = /^(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h)?$/i.exec(text);
  if (found === null) return bad("a duration such as 500ms, 2s or 1m");
  const ms = Number(found[1]) * (UNIT_MS[(found[2] ?? bareUnit).toLowerCase()] ?? 1);
  return ms <= DURATION_MS_MAX ? good(ms) : bad("a duration of at most 24 days");
}

/** `5` or `5frames`, `20tokens`, `1024bytes`, `300ms`, `2s`. */
export function parsePosition(text: string): Parsed<StreamPosition> {
  const counted = /^(\d+)\s*(frames?|f|tokens?|t|bytes?|b|kb)?$/i.exec(text);
  if (counted !== null) {
    const unit = (counted[2] ?? "frames").toLowerCase();
    const count = Number(counted[1]);
    if (unit.startsWith("t")) return good({ unit: "tokens", count });
    if (unit === "kb") return good({ unit: "bytes", count: count * 1024 });
    if (unit.startsWith("b")) return good({ unit: "bytes", count });
    return good({ unit: "frames", count });
  }
  const duration = /[a-z]$/i.test(text) ? parseDuration(text) : bad("");
  return duration.ok ? good({ unit: "ms", count: duration.value }) : bad("a position such as 5 (frames), 20tokens, 1024bytes or 300ms");
}

/** `100`, `10kb`, `1mb/s`. Bytes per second. */
function parseRate(text: string): Parsed<number> {
  const found = /^(\d+(?:\.\d+)?)\s*(b|k|kb|kib|m|mb|mib)?(?:\/s)?$/i.exec(text);
  const rate = found === null ? 0 : Number(found[1]) * (UNIT_BYTES[(found[2] ?? "").toLowerCase()] ?? 1);
  return rate > 0 ? good(rate) : bad("bytes per second above 0, such as 100, 10kb or 1mb/s");
}

export function parseSwitch(text: string): Parsed<boolean> {
  const lower = text.toLowerCase();
  if (["on", "true", "yes", "1"].includes(lower)) return good(true);
  if (["off", "false", "no", "0"].includes(lower)) return good(false);
  return bad("on or off");
}

export function parseInteger(text: string, min: number, max: number): Parsed<number> {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? good(value) : bad(`a whole number from ${min} to ${max}`);
}

/** A value for a fault's own key. */
export function parseParameter(key: string, spec: ParameterSpec, text: string): Parsed<ParameterValue> {
  const parsed = parseTyped(key, spec, text);
  if (!parsed.ok || typeof parsed.value !== "number") return parsed;
  const { minimum = 0, maximum = Number.POSITIVE_INFINITY } = spec;
  if (parsed.value >= minimum && parsed.value <= maximum) return parsed;
  const unit = spec.type === "duration" ? " ms" : spec.type === "rate" ? " bytes per second" : "";
  return bad(maximum === Number.POSITIVE_INFINITY ? `at least ${minimum}${unit}` : `${minimum} to ${maximum}${unit}`);
}

function parseTyped(key: string, spec: ParameterSpec, text: string): Parsed<ParameterValue> {
  switch (spec.type) {
    case "duration":
      // `retry_after` is the header's number, and the header counts seconds.
      return parseDuration(text, key === "retry_after" ? "s" : "ms");
    case "position":
      return parsePosition(text);
    case "integer":
      return parseInteger(text, spec.minimum ?? 0, spec.maximum ?? Number.MAX_SAFE_INTEGER);
    case "rate":
      return parseRate(text);
    case "switch":
      return parseSwitch(text);
    case "text":
      return text.length > 0 ? good(text) : bad("a text");
    case "choice": {
      const choices = spec.choices ?? [];
      const lower = text.toLowerCase();
      return choices.includes(lower) ? good(lower) : bad(`one of ${choices.join(", ")}${didYouMean(text, choices)}`);
    }
  }
}
