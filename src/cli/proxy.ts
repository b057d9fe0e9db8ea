import type { Settings } from "../config/settings.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import { type ControlServer, openControlServer } from "../shell/control-server.ts";
import { type Daemon, startDaemon } from "../shell/daemon.ts";
import { type Status, statusOf } from "../shell/status.ts";
import { warningsOf } from "../shell/warnings.ts";
import { message } from "./message.ts";

/** A daemon with its control socket, as `serve` and `run` hold it. */
export type RunningProxy = {
  readonly daemon: Daemon;
  readonly settings: Settings;
  /** Undefined on systems where none could be opened. */
  readonly socket: string | undefined;
  readonly status: () => Status;
  /** Begins the end, once: running requests may finish, or are broken off, also later. */
  readonly stop: (breakOff?: boolean) => void;
  /** Resolves when ports and socket are closed. */
  readonly stopped: Promise<void>;
};

/** Opens the data port, then the control socket; closes the first where the second fails. */
export async function startProxy(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<RunningProxy | InputError> {
  const daemon = await startDaemon(settings, environment);
  if (isInputError(daemon)) return daemon;
  for (const warning of warningsOf(settings, daemon.targets, environment)) message.warn(warning);
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let control: ControlServer | undefined;
  let isStopping = false;
  const stop = (breakOff = false) => {
    const drained = daemon.stop(breakOff);
    if (isStopping) return;
    isStopping = true;
    void drained.then(() => control?.stop()).then(resolve);
  };
  const opened = await openControlServer(daemon, settings, environment, () => stop());
  if (!isInputError(opened)) control = opened;
  else if (process.platform === "win32" && settings.socket === undefined) message.warn(`no control socket: ${opened.message}`);
  else {
    stop(true);
    await stopped;
    return opened;
  }
  const socket = control?.path;
  return { daemon, settings, socket, status: () => statusOf(daemon, settings, socket), stop, stopped };
}
