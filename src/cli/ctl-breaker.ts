import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { joinWords } from "../rules/words.ts";
import type { CircuitStatus } from "../shell/circuits.ts";
import { columns } from "./columns.ts";
import { visible } from "./print.ts";

/** Asks the daemon: the body of its answer, the mistake that it found, or an exit code. */
export type Ask = <Body>(method: string, path: string, body?: unknown) => Promise<Body | InputError | number>;

/** `ctl breaker ls`, `reset [NAME]`, `open NAME`: what to print, the mistake, or an exit code. */
export async function breakerCommand(words: readonly string[], json: boolean, ask: Ask): Promise<string | InputError | number> {
  const [verb = "ls", name, ...more] = words;
  if (more.length > 0) return inputError(`"${joinWords(more)}" is too much`);
  switch (verb.toLowerCase()) {
    case "ls": {
      if (name !== undefined) return inputError(`"${name}" is too much; breaker ls lists all circuits`);
      const answer = await ask<{ circuits: readonly CircuitStatus[] }>("GET", "/v1/breakers");
      if (typeof answer === "number" || isInputError(answer)) return answer;
      return json ? `${JSON.stringify(answer.circuits, null, 2)}\n` : circuitTable(answer.circuits);
    }
    case "reset": {
      const answer = await ask<{ reset: number }>("POST", "/v1/breakers/reset", { circuit: name ?? null });
      if (typeof answer === "number" || isInputError(answer)) return answer;
      return json ? `${JSON.stringify(answer)}\n` : `${answer.reset} ${answer.reset === 1 ? "circuit is" : "circuits are"} closed now\n`;
    }
    case "open": {
      if (name === undefined) return inputError("breaker open needs a circuit, such as openai/gpt-5, or openai where the model is unknown");
      const answer = await ask<{ circuits: readonly CircuitStatus[] }>("POST", "/v1/breakers/open", { circuit: name });
      if (typeof answer === "number" || isInputError(answer)) return answer;
      return json ? `${JSON.stringify(answer.circuits, null, 2)}\n` : circuitTable(answer.circuits);
    }
    default:
      return inputError(`"${verb}" is no command for circuits; there are breaker ls, breaker reset [NAME] and breaker open NAME`);
  }
}

function circuitTable(circuits: readonly CircuitStatus[]): string {
  if (circuits.length === 0) return "all circuits are closed, and none has had a failure lately\n";
  const rows = circuits.map(({ circuit, state, failures, cooldownUntil }) => [
    visible(circuit),
    state.replace("_", " "),
    String(failures),
    cooldownUntil === null ? "" : cooldownUntil,
  ]);
  return columns([["circuit", "state", "failures", "open until"], ...rows]);
}
