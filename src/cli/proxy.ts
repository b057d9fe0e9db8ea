import { configCandidates } from "../config/locate.ts";
import type { Configuration } from "../config/read-settings.ts";
import type { Settings } from "../config/settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { type ControlServer, openControlServer } from "../shell/control-server.ts";
import { type Daemon, startDaemon } from "../shell/daemon.ts";
import { routeWarnings } from "../shell/route-warnings.ts";
import { type Status, statusOf } from "../shell/status.ts";
import { warningsOf } from "../shell/warnings.ts";
import { type Reloaded, reloadedText } from "./reloaded.ts";
import { sayIn } from "./say.ts";

/** A daemon with its control socket, as `serve` and `run` hold it. */
export type RunningProxy = {
  readonly daemon: Daemon;
  readonly settings: Settings;
  /** Undefined on systems where none could be opened. */
  readonly socket: string | undefined;
  readonly status: () => Status;
  /** Reads the file again, and says on standard error what came of it. A mistake changes nothing. */
  readonly reload: () => Reloaded | InputError;
  /** Begins the end, once: running requests may finish, or are broken off, also later. */
  readonly stop: (breakOff?: boolean) => void;
  /** Resolves when the end begins. */
  readonly stopping: Promise<void>;
  /** Resolves when ports and socket are closed. */
  readonly stopped: Promise<void>;
};

/** Opens the data port, then the control socket; closes the first where the second fails. `reread` gives the settings anew. */
export async function startProxy(
  { settings, file }: Configuration,
  environment: Readonly<Record<string, string | undefined>>,
  reread: () => Configuration | InputError,
): Promise<RunningProxy | InputError> {
  const say = sayIn(settings);
  const warn = (text: string) => say(text, "warn");
  const daemon = await startDaemon(settings, environment, warn);
  if (isInputError(daemon)) return daemon;
  const warnOf = (now: Settings) => {
    const targets = daemon.targets();
    for (const warning of [...warningsOf(now, targets, environment), ...routeWarnings(now, targets, daemon.routes([]))]) warn(warning);
  };
  warnOf(settings);
  const { promise: stopping, resolve: begin } = Promise.withResolvers<void>();
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let control: ControlServer | undefined;
  let isStopping = false;
  const stop = (breakOff = false) => {
    const drained = daemon.stop(breakOff);
    if (isStopping) return;
    isStopping = true;
    begin();
    void drained.then(() => control?.stop()).then(resolve);
  };
  let configFile = file;
  const reload = (): Reloaded | InputError => {
    const reloaded = readAgain();
    if (isInputError(reloaded)) say(`not reloaded: ${reloaded.message}`, "error");
    else say(reloadedText(reloaded), "info");
    return reloaded;
  };
  const readAgain = (): Reloaded | InputError => {
    const next = reread();
    if (isInputError(next)) return next;
    if (next.file === undefined && configFile === undefined)
      return inputError(`there is no configuration file (looked for ${configCandidates(environment).join(", ")})`);
    const changed = daemon.reconfigure(next.settings);
    if (isInputError(changed)) return changed;
    const told = { file: next.file ?? configFile ?? "", isGone: next.file === undefined };
    configFile = next.file;
    warnOf(next.settings);
    return { ...changed, ...told };
  };
  const status = (socket: string | undefined) => statusOf(daemon, settings, configFile, socket);
  const opened = await openControlServer(daemon, settings, environment, { quit: () => stop(), reload, status });
  if (!isInputError(opened)) control = opened;
  else if (process.platform === "win32" && settings.socket === undefined) warn(`no control socket: ${opened.message}`);
  else {
    stop(true);
    await stopped;
    return opened;
  }
  const socket = control?.path;
  return { daemon, settings, socket, status: () => status(socket), reload, stop, stopping, stopped };
}
