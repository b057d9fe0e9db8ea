import { type InputError, inputError } from "../core/errors.ts";
import { faultByName } from "../faults/index.ts";
import type { Command } from "./language.ts";

/** The mistake of a command whose fault only raw sockets can perform, for engines without them. */
export function needsRawSockets(command: Command): InputError | undefined {
  if (command.kind !== "mode" && command.kind !== "add") return undefined;
  const { fault, parameters, amount, text } = command.draft;
  if (amount.kind === "none" || !faultByName(fault)?.needsRawSockets?.(parameters)) return undefined;
  return inputError(`${text}: only raw sockets can do that; start with --engine wire, the default, in place of --engine serve`);
}
