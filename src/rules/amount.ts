import type { Amount } from "../core/rule.ts";
import type { Parsed } from "./values.ts";

/** `none` is what `c 0` and `c 0%` mean. */
export type ParsedAmount = Amount | { readonly kind: "none" };

/** nothing = once, `4` = four times, `0.3` or `30%` = that share, `*` = all. */
export function parseAmount(text: string): Parsed<ParsedAmount> {
  if (text === "") return { ok: true, value: { kind: "count", remaining: 1 } };
  if (text === "*") return { ok: true, value: { kind: "all" } };
  if (/^\d+$/.test(text)) {
    const count = Number(text);
    if (!Number.isSafeInteger(count)) return { ok: false, expected: "a smaller count; * means all requests" };
    return { ok: true, value: count === 0 ? { kind: "none" } : { kind: "count", remaining: count } };
  }
  const percent = /^(\d+(?:\.\d*)?|\.\d+)%$/.exec(text);
  if (percent !== null) return share(Number(percent[1]) / 100, "a percentage from 0% to 100%");
  if (/^(\d+\.\d*|\.\d+)$/.test(text)) return share(Number(text), "a share from 0.0 to 1.0, or a whole number of times");
  if (/^-/.test(text)) return { ok: false, expected: "an amount that is not negative: a count such as 3, a share such as 30%, or *" };
  return { ok: false, expected: "an amount: a count such as 3, a share such as 0.3 or 30%, or * for all" };
}

function share(value: number, expected: string): Parsed<ParsedAmount> {
  if (value > 1) return { ok: false, expected };
  if (value === 0) return { ok: true, value: { kind: "none" } };
  return { ok: true, value: value === 1 ? { kind: "all" } : { kind: "share", share: value } };
}

/** All digits that a share can have, never with an exponent. */
const PERCENT = new Intl.NumberFormat("en", { useGrouping: false, maximumSignificantDigits: 15 });

/** The amount as it is typed. */
export function amountText(amount: Amount): string {
  switch (amount.kind) {
    case "count":
      return String(amount.remaining);
    case "share":
      return `${PERCENT.format(amount.share * 100)}%`;
    case "all":
      return "*";
  }
}
