import type { Rule } from "../core/rule.ts";
import { faultByName } from "../faults/index.ts";
import { amountText } from "../rules/amount.ts";
import { splitWords } from "../rules/words.ts";

/** The mode for people: what happens, and to how many requests. */
export function modeTitle(mode: Rule | undefined): string {
  if (mode === undefined) return "✅ No error (pass through)";
  const name = mode.fault.replaceAll("_", " ");
  const title = faultByName(mode.fault)?.title ?? `💥 ${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return `${title} (${[amountTitle(mode), ...keysOf(mode)].join(", ")})`;
}

function amountTitle({ amount }: Rule): string {
  switch (amount.kind) {
    case "count":
      return `${amount.remaining} remaining`;
    case "share":
      return `${amountText(amount)} of requests`;
    case "all":
      return "all requests";
  }
}

/** The rule as a command that would set it as it stands now. */
export function ruleText(rule: Rule): string {
  return [rule.fault, amountText(rule.amount), ...keysOf(rule)].join(" ");
}

/** The command for the mode as it stands now. */
export function modeText(mode: Rule | undefined): string {
  return mode === undefined ? "n" : ruleText(mode);
}

/** `key=value` as typed: what follows fault and amount in the rule's text. */
function keysOf(rule: Rule): readonly string[] {
  const typed = rule.text.split(" ");
  return (splitWords(rule.text)?.length ?? 0) > 2 ? [typed.slice(2).join(" ")] : [];
}
