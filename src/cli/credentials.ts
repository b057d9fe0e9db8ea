import { existsSync } from "node:fs";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { claudeFiles } from "../shell/credentials/claude-places.ts";
import { createCredentials } from "../shell/credentials/credentials.ts";
import { REAL_CLOCK } from "../shell/real-clock.ts";
import type { Call, CliCommand } from "./command.ts";
import { type Host, thisHost } from "./credentials/host.ts";
import { type Job, type JobChange, jobWords } from "./credentials/job.ts";
import { launchAgent } from "./credentials/launch-agent.ts";
import { type Asked, copyOf, type Synced, syncLogin } from "./credentials/sync.ts";
import { userTimer } from "./credentials/user-timer.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { printOut, visible } from "./print.ts";

/** The words that it takes. */
export const CREDENTIALS_WORDS = [
  ["sync", "copy the login of Claude Code from the keychain into a file, once"],
  ["install", "have that done every five minutes, by launchd or by systemd"],
  ["uninstall", "have it done no more; the file stays"],
  ["status", "tell whether the login can be used, and until when"],
] as const;

export const CREDENTIALS: CliCommand = {
  name: "credentials",
  usage: ["sync [--to FILE] [--service NAME]", "install [--to FILE] [--service NAME]", "uninstall", "status"],
  about: [
    "Keeps a copy of Claude Code's login where a proxy that cannot ask the keychain can read it, as in a container: claude-credentials.json, beside Claude Code's own file. The keychain is asked, and never written. A token is never renewed here: Claude Code does that itself.",
    "The file is the user's alone (0600), and always a whole one. A login that lasts longer is not replaced, nor is a file that holds something else.",
  ],
  options: {
    to: { type: "string", valueHint: "FILE", description: "another file than claude-credentials.json in ~/.claude (or CLAUDE_CONFIG_DIR)" },
    service: { type: "string", valueHint: "NAME", description: "another item of the keychain [Claude Code-credentials]" },
  },
  wordsMax: 1,
  tables: [["Commands", CREDENTIALS_WORDS]],
  examples: [
    ["faultproxy credentials sync", "copy it now"],
    ["faultproxy credentials install", "and every five minutes from now on"],
    ["faultproxy credentials status", "can it be used?"],
  ],
  exitCodes: [
    ["0", "done, or there was nothing to do"],
    ["1", "it failed; status: the login cannot be used"],
    ["2", "wrong usage"],
  ],
  run: async (call) => runCredentials(call, thisHost()),
};

export async function runCredentials({ words, options }: Call, host: Host): Promise<number> {
  const [word] = words;
  const names = CREDENTIALS_WORDS.map(([name]) => name);
  const name = names.find((each) => each === word);
  if (name === undefined) {
    const what = word === undefined ? "credentials needs a command" : `unknown command "${visible(word)}" for credentials`;
    return fail(inputError(`${what}: ${names.join(", ")}${word === undefined ? "" : didYouMean(word, names)}`), EXIT.usage);
  }
  const asked: Asked = { to: text(options.to), service: text(options.service) };
  const isCopy = name === "sync" || name === "install";
  if (!isCopy && (asked.to ?? asked.service) !== undefined) {
    return fail(inputError(`--to and --service are for sync and install, not for ${name}`), EXIT.usage);
  }
  if (name === "status") return status(host);
  const copy = copyOf(host, asked);
  if (isInputError(copy)) return fail(copy, EXIT.usage);
  if (name === "sync") return tellSynced(await syncLogin(host, copy));
  const job = jobOf(host);
  if (isInputError(job)) return fail(job, EXIT.failure);
  if (name === "uninstall") return tellJob(await job.uninstall());
  const line = jobWords(host, asked, copy);
  return isInputError(line) ? fail(line, EXIT.usage) : tellJob(await job.install(line));
}

function jobOf(host: Host): Job | InputError {
  if (host.platform === "darwin") return launchAgent(host);
  if (host.platform === "linux") return userTimer(host);
  return inputError(`nothing that runs jobs is known on ${host.platform}; have it run: faultproxy credentials sync`);
}

const SAID: Readonly<Record<Synced["kind"], string>> = {
  copied: "the login was copied",
  unchanged: "nothing has changed",
  kept: "left as it is, for its login lasts longer than that of the keychain",
};

function tellSynced(synced: Synced | InputError): number {
  if (isInputError(synced)) return fail(synced, EXIT.failure);
  const { kind, path, realPath, expires, isExpired } = synced;
  const place = realPath === path ? visible(path) : `${visible(path)} (which is ${visible(realPath)})`;
  const until = isExpired ? `; it expired at ${expires}: use claude once, which renews it` : `; it lasts until ${expires}`;
  printOut(`${place}: ${SAID[kind]}${kind === "kept" || expires === undefined ? "" : until}\n`);
  return EXIT.ok;
}

function tellJob(change: JobChange | InputError): number {
  if (isInputError(change)) return fail(change, EXIT.failure);
  printOut(`${visible(change.done)}\n`);
  return EXIT.ok;
}

/** The keychain is not asked: it might ask a person. */
function status(host: Host): number {
  const { environment, platform, home } = host;
  const credentials = createCredentials({
    environment,
    platform,
    home,
    clock: { ...REAL_CLOCK, wallMs: host.nowMs },
    warn: (warning) => message.warn(visible(warning)),
  });
  const [state] = credentials.states([{ kind: "claude" }]);
  credentials.close();
  if (state === undefined) return EXIT.failure;
  const expires = state.expires === null ? "" : `, ${state.state === "expired" ? "since" : "until"} ${state.expires}`;
  printOut(`login of Claude Code: ${state.state}${expires}\n`);
  for (const path of claudeFiles(environment, home)) printOut(`  ${visible(path)}: ${existsSync(path) ? "there" : "not there"}\n`);
  const job = jobOf(host);
  const installedAt = isInputError(job) ? undefined : job.installedAt();
  printOut(`copy from the keychain: ${installedAt === undefined ? "not installed" : `every five minutes (${visible(installedAt)})`}\n`);
  if (state.state === "ready") return EXIT.ok;
  return fail(inputError(state.detail ?? state.state), EXIT.failure);
}

function text(option: string | boolean | undefined): string | undefined {
  return typeof option === "string" ? option : undefined;
}

function fail(mistake: InputError, code: number): number {
  message.error(visible(mistake.message));
  return code;
}
