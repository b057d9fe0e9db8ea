import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { type InputError, inputError } from "../core/errors.ts";

/** Removes the socket that a process left behind when it ended; nothing else, and none that somebody listens on. */
export async function removeStale(path: string, setting: string): Promise<InputError | undefined> {
  let file: Stats;
  try {
    file = lstatSync(path);
  } catch {
    return undefined;
  }
  if (!file.isSocket()) return inputError(`${path} is no socket; choose another path with ${setting}`);
  if (await isListenedOn(path)) return inputError(`another program listens on ${path} already; choose another path with ${setting}`);
  unlinkSync(path);
  return undefined;
}

async function isListenedOn(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
