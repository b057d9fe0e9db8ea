import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type InputError, inputError, isInputError } from "../../core/errors.ts";
import { runProgram } from "../../shell/credentials/run-program.ts";
import type { Host } from "./host.ts";
import { isDone, JOB_EVERY_SECONDS, JOB_NAME, type Job, type JobChange, runOptions } from "./job.ts";
import { putFile, removeFile } from "./private-file.ts";

/** An agent of launchd's, for the user who is logged in. */
export function launchAgent(host: Host): Job {
  const path = join(host.home, "Library/LaunchAgents", `${JOB_NAME}.plist`);
  const log = join(host.home, "Library/Logs", `${JOB_NAME}.log`);
  const domain = `gui/${host.uid}`;
  const label = `${domain}/${JOB_NAME}`;
  const launchctl = (...words: readonly string[]) => runProgram("launchctl", words, runOptions(host));

  /** launchd may still be at the end of what it was told to take away. */
  const load = async (wasLoaded: boolean): Promise<boolean> => {
    if (isDone(await launchctl("bootstrap", domain, path))) return true;
    if (wasLoaded) {
      await Bun.sleep(TAKEN_AWAY_MS);
      if (isDone(await launchctl("bootstrap", domain, path))) return true;
    }
    // Before macOS 10.11, and where nobody is logged in at the screen. It tells of a failure in words alone.
    return isDone(await launchctl("load", "-w", path)) && isDone(await launchctl("list", JOB_NAME));
  };

  const install = async (words: readonly string[]): Promise<JobChange | InputError> => {
    const loaded = await launchctl("print", label);
    if (loaded.kind === "absent") return withoutLaunchctl();
    makeFolder(join(host.home, "Library/Logs"));
    const put = putFile(path, agentText(words, log), host.uid);
    if (isInputError(put)) return put;
    if (put === "same" && isDone(loaded))
      return { done: `already installed: ${path} runs every ${JOB_EVERY_SECONDS / 60} minutes`, isSame: true };
    if (isDone(loaded)) await launchctl("bootout", label);
    if (await load(isDone(loaded))) {
      return { done: `installed ${path}, which runs every ${JOB_EVERY_SECONDS / 60} minutes; its errors go to ${log}`, isSame: false };
    }
    return inputError(
      `${path} is written, but launchd did not take it; it will at the next login, or try: launchctl bootstrap ${domain} ${path}`,
    );
  };

  const uninstall = async (): Promise<JobChange | InputError> => {
    const ended = await launchctl("bootout", label);
    const isThere = existsSync(path);
    if (!isDone(ended) && isThere) await launchctl("unload", "-w", path);
    const removed = removeFile(path);
    if (isInputError(removed)) return removed;
    if (removed === "absent") return { done: "not installed; nothing to remove", isSame: true };
    return ended.kind === "absent" ? withoutLaunchctl() : { done: `removed ${path}; the copy that it made stays`, isSame: false };
  };

  return { install, uninstall, installedAt: () => (existsSync(path) ? path : undefined) };
}

const TAKEN_AWAY_MS = 1_000;

function withoutLaunchctl(): InputError {
  return inputError("the program launchctl is not on the PATH, so that launchd cannot be told; it is in /bin");
}

/** Every user has it; launchd makes the file alone. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch {}
}

/** launchd.plist(5). Standard output, which only says that all is well, goes nowhere. */
export function agentText(words: readonly string[], log: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${JOB_NAME}</string>
  <key>ProgramArguments</key>
  <array>
${words.map((word) => `    <string>${escaped(word)}</string>\n`).join("")}  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>StartInterval</key>
  <integer>${JOB_EVERY_SECONDS}</integer>
  <key>ProcessType</key>
  <string>Background</string>
  <key>Umask</key>
  <integer>${0o077}</integer>
  <key>StandardErrorPath</key>
  <string>${escaped(log)}</string>
</dict>
</plist>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
