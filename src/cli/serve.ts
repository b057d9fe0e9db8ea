import { closeSync, openSync } from "node:fs";
import { isInputError } from "../core/errors.ts";
import { DRAIN_MS_MAX } from "../core/limits.ts";
import { logLines } from "../shell/log-lines.ts";
import { notifyManager } from "../shell/notify-manager.ts";
import { banner } from "./boxes.ts";
import { withoutSocketOfRun } from "./child-environment.ts";
import type { Call, CliCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { writeLog } from "./log-writer.ts";
import { message } from "./message.ts";
import { SETTING_OPTIONS } from "./options.ts";
import { printOut, visible } from "./print.ts";
import { type RunningProxy, startProxy } from "./proxy.ts";
import { originalEnvironment, raiseFetchLimit } from "./raise-fetch-limit.ts";
import { type Say, sayIn } from "./say.ts";
import { configurationFrom, warnOfUnknownVariables } from "./settings-from.ts";
import { readTypedCommands } from "./typed-commands.ts";

export const SERVE: CliCommand = {
  name: "serve",
  usage: ["[OPTIONS]"],
  about: [
    "Starts the proxy in the foreground. It prints the variables that point clients at it, and one line for each request and each injected fault (on standard error).",
    "Commands are typed on standard input, or sent with faultproxy ctl from another terminal. The end of input quits on a terminal; anywhere else the proxy goes on serving.",
    "Every option can also be set by a variable: --log-level by FAULTPROXY_LOG_LEVEL and so on, --port by PORT too. The command line comes before variables, variables before the file.",
  ],
  tables: [
    [
      "Commands",
      [
        ["n", "no error: pass everything through"],
        ["c, r, u", "context length exceeded, rate limit, server error"],
        ["a, o, b", "authentication, overloaded, billing or quota"],
        [
          "FAULT [AMOUNT] [KEY=VALUE …]",
          "any fault of faultproxy faults; amounts: 4 (times), 30% or 0.3 (share), * (all); once if none is given",
        ],
        ["add FAULT …, ls, rm ID, clear", "keep several rules beside the mode"],
        ["reload", "read the configuration file again"],
        ["q", "quit"],
      ],
    ],
  ],
  options: SETTING_OPTIONS,
  wordsMax: 0,
  examples: [
    ["faultproxy serve", "in front of the real providers, on port 8888"],
    ["faultproxy serve --simulate --ttft 300ms --between 20ms", "without a key: the built-in provider answers"],
    ['faultproxy serve --mode "c 3" --no-stdin &', "in the background of a test; faultproxy ctl quit ends it"],
    ["faultproxy serve --upstream openai=http://127.0.0.1:11434", "a server of your own takes OpenAI's place"],
  ],
  exitCodes: [
    ["0", "it was told to quit"],
    ["1", "the port or the control socket could not be opened"],
    ["2", "wrong usage or bad input"],
  ],
  run: serve,
};

async function serve(call: Call): Promise<number> {
  const environment = withoutSocketOfRun(originalEnvironment());
  const read = () => configurationFrom(call, environment);
  const configuration = read();
  if (isInputError(configuration)) {
    message.error(configuration.message);
    return EXIT.usage;
  }
  warnOfUnknownVariables(environment);
  const { settings } = configuration;
  if (settings.engine === "serve") raiseFetchLimit();
  const proxy = await startProxy(configuration, environment, read);
  if (isInputError(proxy)) {
    message.error(proxy.message);
    return EXIT.failure;
  }
  onSignals(proxy, sayIn(settings));
  const line = logLines({ ...settings, rules: proxy.daemon.rules, visible });
  const endLog = line === undefined ? () => {} : writeLog(proxy.daemon.events, line);
  printOut(settings.logFormat === "json" ? `${JSON.stringify({ type: "listening", ...proxy.status() })}\n` : banner(proxy.status()));
  if (settings.stdin) readTypedCommands(proxy);
  notifyManager("READY=1", environment);
  void proxy.stopping.then(() => notifyManager("STOPPING=1", environment));
  await proxy.stopped;
  endLog();
  return EXIT.ok;
}

/** SIGINT and SIGTERM: the first lets running requests finish, the second breaks them off. SIGHUP reads the file again. */
function onSignals(proxy: RunningProxy, say: Say): void {
  let asked = false;
  const ask = () => {
    const { running } = proxy.daemon.counts();
    if (!asked && running > 0) {
      say(`waiting up to ${DRAIN_MS_MAX / 1_000} s for ${running} running; once more breaks off`, "info");
    }
    proxy.stop(asked);
    asked = true;
  };
  process.on("SIGINT", ask);
  process.on("SIGTERM", ask);
  const hadTerminal = process.stdin.isTTY || process.stdout.isTTY;
  process.on("SIGHUP", () => {
    if (hadTerminal && isTerminalGone()) ask();
    else proxy.reload();
  });
}

/** The same signal tells of a terminal that was closed; then there is none to be opened (tty(4)). */
function isTerminalGone(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}
