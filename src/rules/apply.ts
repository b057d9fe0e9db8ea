import { type InputError, inputError } from "../core/errors.ts";
import { RULES_MAX } from "../core/limits.ts";
import { didYouMean } from "../core/nearest.ts";
import type { Rule, Rules } from "../core/rule.ts";
import type { Command, RuleDraft } from "./language.ts";

/** The rules after a command. `list` and `quit` change nothing. */
export function applyCommand(rules: Rules, command: Command, nowMonotonicMs: number): Rules | InputError {
  const generation = rules.generation + 1;
  switch (command.kind) {
    case "list":
    case "quit":
    case "reload":
      return rules;
    case "none":
      return { ...rules, generation, mode: undefined };
    case "clear":
      return { mode: undefined, added: [], generation };
    case "mode":
      return { ...rules, generation, mode: ruleOf(command.draft, "mode", generation, nowMonotonicMs) };
    case "add": {
      const id = command.draft.id ?? freeId(rules.added);
      if (rules.added.some((rule) => rule.id === id))
        return inputError(`a rule with the id ${id} exists already; rm ${id} first, or choose another`);
      if (rules.added.length >= RULES_MAX) return inputError(`there are ${RULES_MAX} rules already; rm some, or clear`);
      const rule = ruleOf(command.draft, id, generation, nowMonotonicMs);
      if (rule === undefined) return inputError("an added rule needs an amount above 0");
      return { ...rules, generation, added: [...rules.added, rule] };
    }
    case "remove": {
      if (command.id === "mode") return { ...rules, generation, mode: undefined };
      const added = rules.added.filter((rule) => rule.id !== command.id);
      if (added.length === rules.added.length) {
        const ids = rules.added.map((rule) => rule.id);
        return inputError(
          `there is no rule ${command.id}${didYouMean(command.id, ids)}${ids.length > 0 ? ` (there are ${ids.join(", ")})` : ""}`,
        );
      }
      return { ...rules, generation, added };
    }
  }
}

function ruleOf(draft: RuleDraft, id: string, generation: number, setMonotonicMs: number): Rule | undefined {
  if (draft.amount.kind === "none") return undefined;
  const { fault, aim, parameters, side, text, amount } = draft;
  return { id, generation, fault, amount, aim, parameters, side, text, setMonotonicMs, matched: 0, fired: 0 };
}

/** The lowest number that no rule has. */
function freeId(added: readonly Rule[]): string {
  const taken = new Set(added.map((rule) => rule.id));
  let id = 1;
  while (taken.has(String(id))) id++;
  return String(id);
}
