import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type InputError, inputError, isInputError } from "../../core/errors.ts";
import { programPath, runProgram } from "../../shell/credentials/run-program.ts";
import type { Host } from "./host.ts";
import { isDone, JOB_EVERY_SECONDS, JOB_NAME, type Job, type JobChange, runOptions } from "./job.ts";
import { putFile, removeFile } from "./private-file.ts";

const TIMER = `${JOB_NAME}.timer`;
const SERVICE = `${JOB_NAME}.service`;

/** A timer of the user's own systemd. */
export function userTimer(host: Host): Job {
  const { XDG_CONFIG_HOME } = host.environment;
  const folder = join(
    XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : join(host.home, ".config"),
    "systemd/user",
  );
  const timer = join(folder, TIMER);
  const service = join(folder, SERVICE);
  const systemctl = (...words: readonly string[]) => runProgram("systemctl", ["--user", ...words], runOptions(host));

  const install = async (words: readonly string[]): Promise<JobChange | InputError> => {
    const missing = missingProgram(host);
    if (missing !== undefined) return missing;
    const puts = [putFile(service, serviceText(words), host.uid), putFile(timer, timerText(), host.uid)];
    const mistake = puts.find(isInputError);
    if (mistake !== undefined) return mistake;
    const isSame = puts.every((put) => put === "same");
    if (isSame && isDone(await systemctl("is-active", "--quiet", TIMER))) {
      return { done: `already installed: ${timer} runs every ${JOB_EVERY_SECONDS / 60} minutes`, isSame: true };
    }
    const isTaken = isDone(await systemctl("daemon-reload")) && isDone(await systemctl("enable", "--now", TIMER));
    if (isTaken) {
      return {
        done: `installed ${timer}, which runs every ${JOB_EVERY_SECONDS / 60} minutes; its errors: journalctl --user -u ${JOB_NAME}`,
        isSame: false,
      };
    }
    return inputError(
      `${timer} is written, but systemd did not take it; log in as that user, and run: systemctl --user enable --now ${TIMER}`,
    );
  };

  const uninstall = async (): Promise<JobChange | InputError> => {
    const isThere = existsSync(timer) || existsSync(service);
    if (!isThere) return { done: "not installed; nothing to remove", isSame: true };
    const ended = await systemctl("disable", "--now", TIMER);
    for (const path of [timer, service]) {
      const removed = removeFile(path);
      if (isInputError(removed)) return removed;
    }
    await systemctl("daemon-reload");
    if (!isDone(ended)) return inputError(`${timer} is removed, but systemd could not be told; it forgets the timer when you log out`);
    return { done: `removed ${timer}; the copy that it made stays`, isSame: false };
  };

  return { install, uninstall, installedAt: () => (existsSync(timer) ? timer : undefined) };
}

function missingProgram({ environment }: Host): InputError | undefined {
  if (programPath("secret-tool", environment) === undefined) {
    return inputError(
      "the program secret-tool is not on the PATH (libsecret-tools, libsecret). Claude Code keeps its login in .credentials.json on Linux, which is read as it is and needs no copy",
    );
  }
  if (programPath("systemctl", environment) !== undefined) return undefined;
  return inputError("there is no systemd here (no systemctl on the PATH); have cron run it: */5 * * * * faultproxy credentials sync");
}

/** systemd.service(5). Standard output, which only says that all is well, goes nowhere. */
export function serviceText(words: readonly string[]): string {
  return `[Unit]
Description=Copy of Claude Code's login for faultproxy
Documentation=man:faultproxy-credentials(1)

[Service]
Type=oneshot
ExecStart=${words.map(quoted).join(" ")}
StandardOutput=null
UMask=0077
# Each makes the runtime inside the program run other code than the program's.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN BUN_INSPECT BUN_INSPECT_CONNECT_TO BUN_INSPECT_NOTIFY BUN_INSPECT_PRELOAD
`;
}

export function timerText(): string {
  return `[Unit]
Description=Copy of Claude Code's login for faultproxy, every ${JOB_EVERY_SECONDS / 60} minutes
Documentation=man:faultproxy-credentials(1)

[Timer]
OnActiveSec=0
OnUnitInactiveSec=${JOB_EVERY_SECONDS}
AccuracySec=30

[Install]
WantedBy=timers.target
`;
}

/** systemd.service(5), "Command lines": quotes, backslashes, variables and specifiers mean something there. */
function quoted(word: string): string {
  const escaped = word.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$");
  return `"${escaped}"`;
}
