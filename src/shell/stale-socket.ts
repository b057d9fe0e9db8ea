import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { type InputError, inputError } from "../core/errors.ts";
import { codeOf } from "./socket-path.ts";

/** Removes the socket that a process left behind when it ended; nothing else, and none that somebody may be listening on. */
export async function removeStale(path: string, setting: string): Promise<InputError | undefined> {
  let file: Stats;
  try {
    file = lstatSync(path);
  } catch {
    return undefined;
  }
  if (!file.isSocket()) return inputError(`${path} is no socket, and is left as it is; choose another path with ${setting}`);
  const answer = await knock(path);
  if (answer === "accepted") return inputError(`another program listens on ${path} already; choose another path with ${setting}`);
  // Only this says that nobody listens: a lack of rights says nothing.
  if (answer !== "ECONNREFUSED")
    return inputError(`cannot tell whether another program listens on ${path} (${answer}); choose another path with ${setting}`);
  try {
    unlinkSync(path);
    return undefined;
  } catch (error) {
    return inputError(`nobody listens on ${path}, but it cannot be removed (${codeOf(error)}); choose another path with ${setting}`);
  }
}

async function knock(path: string): Promise<string> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } });
    socket.end();
    return "accepted";
  } catch (error) {
    return codeOf(error);
  }
}
