import { type InputError, isInputError } from "../core/errors.ts";
import { NO_RULES, type Rules } from "../core/rule.ts";
import { applyCommand } from "../rules/apply.ts";
import { type Command, parseCommand } from "../rules/language.ts";
import { needsRawSockets } from "../rules/raw-sockets.ts";
import { REAL_CLOCK } from "./real-clock.ts";

/** The rules in force. Commands swap them whole, and so do faults that count down. */
export type RunningRules = {
  readonly get: () => Rules;
  readonly set: (rules: Rules) => void;
  /** Reads and performs one command. `quit`, `reload` and `list` change nothing; the caller acts on them. A mistake changes nothing. */
  readonly command: (text: string) => { readonly command: Command; readonly rules: Rules } | InputError;
};

export function createRunningRules(hasRawSockets: boolean): RunningRules {
  let rules: Rules = NO_RULES;
  return {
    get: () => rules,
    set: (next) => {
      rules = next;
    },
    command(text) {
      const command = parseCommand(text);
      if (isInputError(command)) return command;
      const impossible = hasRawSockets ? undefined : needsRawSockets(command);
      if (impossible !== undefined) return impossible;
      const next = applyCommand(rules, command, REAL_CLOCK.monotonicMs());
      if (isInputError(next)) return next;
      rules = next;
      return { command, rules };
    },
  };
}
