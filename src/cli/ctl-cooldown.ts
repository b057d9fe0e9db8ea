import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { joinWords } from "../rules/words.ts";
import type { CooldownStatus } from "../shell/control-cooldowns.ts";
import { columns } from "./columns.ts";
import type { Ask } from "./ctl-breaker.ts";
import { visible } from "./print.ts";
import { untilText } from "./until-text.ts";

/** `ctl cooldown ls`, `reset [TARGET]`: what to print, the mistake, or an exit code. */
export async function cooldownCommand(words: readonly string[], json: boolean, ask: Ask): Promise<string | InputError | number> {
  const [verb = "ls", name, ...more] = words;
  if (more.length > 0) return inputError(`"${joinWords(more)}" is too much`);
  switch (verb.toLowerCase()) {
    case "ls": {
      if (name !== undefined) return inputError(`"${name}" is too much; cooldown ls lists all targets that are left alone`);
      const answer = await ask<{ cooldowns: readonly CooldownStatus[] }>("GET", "/v1/cooldowns");
      if (typeof answer === "number" || isInputError(answer)) return answer;
      return json ? `${JSON.stringify(answer.cooldowns, null, 2)}\n` : cooldownTable(answer.cooldowns, Date.now());
    }
    case "reset": {
      const answer = await ask<{ reset: number }>("POST", "/v1/cooldowns/reset", { target: name ?? null });
      if (typeof answer === "number" || isInputError(answer)) return answer;
      return json ? `${JSON.stringify(answer)}\n` : resetText(answer.reset, name);
    }
    default:
      return inputError(`"${verb}" is no command for cooldowns; there are cooldown ls and cooldown reset [TARGET]`);
  }
}

function resetText(reset: number, name: string | undefined): string {
  if (reset === 0) return name === undefined ? "no target was left alone\n" : `${visible(name)} was not left alone\n`;
  return `${reset} ${reset === 1 ? "target" : "targets"} may be asked again\n`;
}

function cooldownTable(cooldowns: readonly CooldownStatus[], nowMs: number): string {
  if (cooldowns.length === 0) return "no target is left alone\n";
  const rows = cooldowns.map(({ target, reason, until, credentials }) => [
    visible(target),
    reason.replaceAll("_", " "),
    untilText(until, nowMs),
    credentials === 1 ? "" : `with ${credentials} keys of clients`,
  ]);
  return columns([["target", "reason", "until", ""], ...rows]);
}
