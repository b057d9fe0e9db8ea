import { closeSync, openSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { PROVIDER_NAMES } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { withoutHandedSockets } from "../shell/handed-sockets.ts";
import { logLines } from "../shell/log-lines.ts";
import { originOf } from "../shell/origin.ts";
import { codeOf } from "../shell/socket-path.ts";
import { childVariables, type Kept, keptUpstreams, socketVariables, withKeptUpstreams, withoutHttpProxy } from "./child-environment.ts";
import type { Call, CliCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { writeLog } from "./log-writer.ts";
import { message } from "./message.ts";
import { SETTING_OPTIONS } from "./options.ts";
import { passSignals } from "./pass-signals.ts";
import { printError, visible } from "./print.ts";
import { type RunningProxy, startProxy } from "./proxy.ts";
import { originalEnvironment, raiseFetchLimit } from "./raise-fetch-limit.ts";
import { configurationFrom, warnOfUnknownVariables } from "./settings-from.ts";
import { summarize, summaryText } from "./summary.ts";

const { stdin: _, ...OPTIONS } = SETTING_OPTIONS;
const DEFAULTS = { port: 0, stdin: false, logLevel: "silent" } as const;

export const RUN: CliCommand = {
  name: "run",
  usage: ["[OPTIONS] -- COMMAND [ARGUMENTS]"],
  about: [
    "Runs a command with a proxy of its own on a free port, and sets for it every variable that clients read to find a provider. Standard streams and signals pass through untouched; at the end a summary goes to standard error, and the exit code is the command's.",
    "A provider whose variable already points somewhere (OPENAI_BASE_URL=https://gateway.example/v1, DATABRICKS_HOST=https://…) is forwarded to there: its first variable that is set takes the place of its host. --upstream, the file and {PROVIDER}_REAL_HOST come before that.",
    "Port, host, further addresses, TLS, control socket and who may use it are set by options only, not by variables or the file: the command has none of the keys that api_keys asks for. Log lines are off unless a level is set. The command finds the control socket in FAULTPROXY_SOCKET, so that it can call faultproxy ctl. Where an HTTP proxy is set, NO_PROXY gets this one's address added. With --tls-cert the variables say https; a client that does not know who signed the certificate has to be told, one on Node.js by NODE_EXTRA_CA_CERTS.",
  ],
  tables: [["Variables", PROVIDER_NAMES.map((name) => [PROVIDERS[name].title, variableNames(name)])]],
  options: {
    ...OPTIONS,
    port: { type: "string", alias: "p", valueHint: "PORT", description: "port to listen on [a free one]" },
    "log-level": { type: "string", valueHint: "LEVEL", description: "silent, error, warn, info or debug, as with serve [silent]" },
    "summary-json": { type: "string", valueHint: "FILE", description: "write the summary to a file, as JSON" },
  },
  wordsMax: 0,
  takesRest: true,
  examples: [
    ['faultproxy run --mode "r 2" -- goose session', "the first two requests are rate limited"],
    ['faultproxy run --simulate --mode "cut 30%" -- npm test', "a test suite against the built-in provider, three of ten streams cut"],
  ],
  exitCodes: [
    ["N", "the command's own; 128 + N where signal N ended it"],
    ["1", "the proxy could not be started"],
    ["2", "wrong usage or bad input"],
    ["126", "the command cannot be executed"],
    ["127", "the command was not found"],
  ],
  run,
};

function variableNames(name: keyof typeof PROVIDERS): string {
  return PROVIDERS[name]
    .clientVariables("http://127.0.0.1")
    .map(([variable]) => variable)
    .join(", ");
}

/** A proxy for one command listens where nobody else does, whatever is set for the one that always runs. */
const ONLY_BY_OPTION = ["port", "host", "socket", "stdin", "listen", "reusePort", "tlsCertFile", "tlsKeyFile", "apiKeys", "open"] as const;

async function run(call: Call): Promise<number> {
  const [program] = call.rest ?? [];
  if (program === undefined) return refuse(inputError("run needs a command after --, such as: faultproxy run -- npm test"));
  const environment = originalEnvironment();
  const read = () => configurationFrom(call, environment, { defaults: DEFAULTS, onlyByOption: ONLY_BY_OPTION });
  const configuration = read();
  if (isInputError(configuration)) return refuse(configuration);
  warnOfUnknownVariables(environment);
  const { settings } = configuration;
  if (settings.engine === "serve") raiseFetchLimit();
  const { kept, unusable } = keptUpstreams(environment);
  const unknown = unusable.find(({ provider }) => !settings.simulate && settings.upstreams[provider] === undefined);
  if (unknown !== undefined) {
    const { provider, mistake } = unknown;
    return refuse(inputError(`${mistake}. It would be forwarded to; mend it, unset it, or say --upstream ${provider}=URL`));
  }
  const file = call.options["summary-json"];
  const unwritable = typeof file === "string" ? tryToWrite(file, () => closeSync(openSync(file, "a"))) : undefined;
  if (unwritable !== undefined) return refuse(unwritable);
  const proxy = await startProxy(configuration, withKeptUpstreams(environment, kept), read);
  if (isInputError(proxy)) {
    message.error(proxy.message);
    return EXIT.failure;
  }
  const line = logLines({ ...settings, rules: proxy.daemon.rules, visible });
  const endLog = line === undefined ? () => {} : writeLog(proxy.daemon.events, line);
  const summary = summarize(proxy.daemon.events, proxy.daemon.seed);

  const child = startChild(call.rest ?? [], { ...withoutHandedSockets(environment), ...variablesOf(proxy, environment, kept) });
  const code = typeof child === "number" ? child : await exitCodeOf(child);

  // Nobody is left to read what still runs.
  proxy.stop(true);
  await proxy.stopped;
  endLog();
  if (typeof child === "number") return code;
  const result = summary(proxy.daemon.counts().requests);
  printError(summaryText(result));
  if (typeof file === "string") {
    const failed = tryToWrite(file, () => writeFileSync(file, `${JSON.stringify({ exitCode: code, ...result }, null, 2)}\n`));
    if (failed !== undefined) message.error(failed.message);
  }
  return code;
}

function variablesOf({ daemon, socket }: RunningProxy, environment: Readonly<Record<string, string | undefined>>, kept: readonly Kept[]) {
  const origins = (provider: keyof typeof PROVIDERS) => originOf({ ...daemon, port: daemon.providerPorts[provider] ?? daemon.port });
  return {
    ...childVariables(environment, kept, daemon.targets(), origins),
    ...withoutHttpProxy(environment, new URL(originOf(daemon)).hostname),
    ...socketVariables(socket),
  };
}

/** The running child, or the exit code by which shells tell that there is none. */
function startChild(command: readonly string[], environment: Record<string, string | undefined>): Bun.Subprocess | number {
  try {
    return Bun.spawn([...command], { stdin: "inherit", stdout: "inherit", stderr: "inherit", env: environment });
  } catch (error) {
    const code = codeOf(error);
    const isMissing = code === "ENOENT";
    message.error(`cannot run ${command[0]}: ${isMissing ? "not found" : code === "EACCES" ? "not executable" : code}`);
    return isMissing ? EXIT.notFound : EXIT.notExecutable;
  }
}

/** The child's exit code as a shell would tell it. */
async function exitCodeOf(child: Bun.Subprocess): Promise<number> {
  const endSignals = passSignals((signal) => child.kill(signal));
  await child.exited;
  endSignals();
  return child.signalCode === null ? (child.exitCode ?? EXIT.failure) : 128 + signalNumber(child.signalCode);
}

function signalNumber(signal: number | NodeJS.Signals): number {
  return typeof signal === "number" ? signal : constants.signals[signal];
}

function tryToWrite(file: string, write: () => void): InputError | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    return inputError(`cannot write the summary to ${file} (${codeOf(error)})`);
  }
}

function refuse(mistake: InputError): number {
  message.error(mistake.message);
  return EXIT.usage;
}
