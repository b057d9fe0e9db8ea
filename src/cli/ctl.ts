import { existsSync } from "node:fs";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { joinWords } from "../rules/words.ts";
import { askDaemon, type Found, findDaemon, isUnreachable, openAnswer } from "../shell/control-client.ts";
import { codeOf } from "../shell/socket-path.ts";
import type { RuleStatus, Status } from "../shell/status.ts";
import { rulesTable, statusBox } from "./boxes.ts";
import type { Call, CliCommand } from "./command.ts";
import { type Ask, breakerCommand } from "./ctl-breaker.ts";
import { cooldownCommand } from "./ctl-cooldown.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { printError, printOut, visible, whenOutputIsGone } from "./print.ts";
import { type Reloaded, reloadedText } from "./reloaded.ts";
import { routesText } from "./routes-text.ts";

export const CTL: CliCommand = {
  name: "ctl",
  usage: ["[OPTIONS] COMMAND", "[OPTIONS] status | ls | events | quit"],
  about: [
    "Commands a running proxy of the same user through its control socket. The words are those that can be typed at the proxy itself; quote * against the shell. Also called faultctl.",
    "With one daemon running nothing needs to be chosen; with several, --port or --socket says which.",
  ],
  tables: [
    [
      "Commands",
      [
        ["c 30%, r 3, u *, n, …", "set the mode: FAULT [AMOUNT] [KEY=VALUE …]; n means no error"],
        ["add FAULT …", "add a rule beside the mode"],
        ["ls [--json]", "list the mode and the rules"],
        ["rm ID, clear", "remove one rule, or all and the mode"],
        ["status [--json]", "mode, counts, addresses, providers, routes"],
        ["events [--no-follow]", "every decision and every exchange, one JSON object a line"],
        ["breaker ls [--json]", "list the circuits of the gateway"],
        ["breaker reset [NAME]", "close a circuit, such as openai/gpt-5, or all"],
        ["breaker open NAME", "open one for a cooldown"],
        ["cooldown ls [--json]", "list the targets of routes that are left alone for now"],
        ["cooldown reset [TARGET]", "let one be asked again, such as openai/gpt-5, or all"],
        ["reload", "read the configuration file again; a broken one changes nothing"],
        ["quit, q", "end the daemon; running requests get up to 10 s"],
      ],
    ],
  ],
  options: {
    socket: { type: "string", valueHint: "PATH", description: "path of the daemon's control socket (FAULTPROXY_SOCKET)" },
    port: { type: "string", valueHint: "N", description: "port of the daemon" },
    json: { type: "boolean", description: "print the answer as JSON" },
    follow: { type: "boolean", default: true, negativeDescription: "events: end after those that have been" },
  },
  wordsMax: Number.POSITIVE_INFINITY,
  dashesAreWords: true,
  examples: [
    ["faultproxy ctl c 30%", "context errors for 30% of requests"],
    ["faultctl r 2 provider=anthropic retry_after=5", "two rate limits, for Anthropic only"],
    ["faultproxy ctl events | grep '\"injected\":true'", "watch what is injected"],
    ["curl --unix-socket PATH http://localhost/v1/status", "the same without this program"],
  ],
  exitCodes: [
    ["0", "done"],
    ["1", "the daemon could not do it"],
    ["2", "wrong usage or bad input; several daemons and none chosen"],
    ["3", "no daemon"],
  ],
  run: ctl,
};

async function ctl(call: Call): Promise<number> {
  const [first] = call.words;
  if (first === undefined) return refuse(inputError("ctl needs a command, such as c 30%, n or status (faultproxy ctl --help lists all)"));
  const port = portOf(call);
  if (isInputError(port)) return refuse(port);
  const socket = typeof call.options.socket === "string" ? call.options.socket : undefined;
  if (socket !== undefined && port !== undefined) return refuse(inputError("--socket and --port both choose a daemon; one is enough"));
  const found = await findDaemon({ socket, port }, process.env);
  if (isInputError(found)) return refuse(found);
  return found.kind === "one" ? command(found, call) : notOne(found);
}

function portOf({ options }: Call): number | undefined | InputError {
  if (typeof options.port !== "string") return undefined;
  const port = /^\d{1,5}$/.test(options.port) ? Number(options.port) : Number.NaN;
  return port >= 1 && port <= 65_535 ? port : inputError(`--port ${options.port}: expected a whole number from 1 to 65535`);
}

function notOne(found: Exclude<Found, { kind: "one" }>): number {
  if (found.kind === "none") {
    message.error(`no daemon ${found.where} is running; start one with faultproxy serve`);
    return EXIT.noDaemon;
  }
  message.error(`${found.daemons.length} daemons are running; choose one with --port or --socket:`);
  for (const { port, pid, modeTitle, socket } of found.daemons) {
    printError(`  --port ${port}  (pid ${pid}, ${visible(modeTitle)}, --socket ${socket})\n`);
  }
  return EXIT.usage;
}

async function command({ socket, status }: Extract<Found, { kind: "one" }>, { words, options }: Call): Promise<number> {
  const json = options.json === true;
  const [first = "", ...more] = words;
  switch (first.toLowerCase()) {
    case "status":
      return more.length > 0 ? tooMuch(more) : print(json ? toJson(status) : statusText(status));
    case "events":
      return more.length > 0 ? tooMuch(more) : events(socket, options.follow !== false);
    case "reload": {
      if (more.length > 0) return tooMuch(more);
      const reloaded = await ask<Reloaded>(socket, "POST", "/v1/reload");
      if (isInputError(reloaded)) return failed(`not reloaded: ${reloaded.message}`);
      return typeof reloaded === "number" ? reloaded : print(json ? toJson(reloaded) : `${visible(reloadedText(reloaded))}\n`);
    }
    case "breaker":
    case "cooldown": {
      const asking: Ask = (method, path, body) => ask(socket, method, path, body);
      const done = await (first.toLowerCase() === "breaker" ? breakerCommand : cooldownCommand)(more, json, asking);
      return typeof done === "number" ? done : isInputError(done) ? refuse(done) : print(done);
    }
    case "ls": {
      const rules = more.length > 0 ? undefined : await ask<{ rules: RuleStatus[] }>(socket, "GET", "/v1/rules");
      if (rules === undefined) return tooMuch(more);
      return isInputError(rules)
        ? refuse(rules)
        : typeof rules === "number"
          ? rules
          : print(json ? toJson(rules.rules) : rulesTable(rules.rules));
    }
    default: {
      const after = await ask<Status>(socket, "POST", "/v1/command", { command: commandText(words) });
      if (isInputError(after)) return refuse(withOwnWords(words, after));
      if (typeof after === "number") return after;
      const isQuit = /^q(uit)?$/i.test(first);
      if (json) return print(toJson(after));
      return print(isQuit ? `the daemon on port ${after.port} (pid ${after.pid}) is stopping\n` : statusBox(after));
    }
  }
}

/** A shell's word with spaces is a value (message="a b") where a key stands before them, else a piece of a command ("r 30%"). */
function commandText(words: readonly string[]): string {
  return words.map((word) => (/^[a-z_-]+=/i.test(word) ? joinWords([word]) : word)).join(" ");
}

/** The body of a good answer; the mistake that the daemon found; or an exit code. */
async function ask<Body>(socket: string, method: string, path: string, body?: unknown): Promise<Body | InputError | number> {
  const answer = await askDaemon(socket, method, path, body);
  if (isUnreachable(answer)) {
    message.error(`the daemon at ${socket} went away (${answer.code})`);
    return EXIT.failure;
  }
  if (answer.status < 400) return answer.body as Body;
  const told = (answer.body as { error?: { message?: string } }).error?.message ?? `status ${answer.status}`;
  // A broken file has a line for each of its mistakes.
  const text = told.split("\n").map(visible).join("\n");
  if (answer.status < 500) return inputError(text);
  message.error(text);
  return EXIT.failure;
}

/** The daemon knows the fault language only; of its guess and the words that ctl adds, the nearest is told. */
function withOwnWords([first = "", ...rest]: readonly string[], mistake: InputError): InputError {
  const isFile = mistake.message.startsWith("amount ") && rest.some((word) => existsSync(word));
  if (isFile || mistake.message.startsWith("one amount is enough")) {
    return inputError(`${mistake.message}. If the shell made file names of a *, quote it ('*') or write 100%`);
  }
  if (!mistake.message.startsWith("unknown fault")) return mistake;
  const guess = /; did you mean (\w+)\?/.exec(mistake.message);
  const meant = nearest(first, [
    "status",
    "events",
    "quit",
    "reload",
    "breaker",
    "cooldown",
    ...(guess?.[1] === undefined ? [] : [guess[1]]),
  ]);
  if (meant === undefined || meant === guess?.[1]) return mistake;
  const without = guess === null ? mistake.message : mistake.message.replace(guess[0], "");
  return inputError(without.replace(/^(unknown fault "[^"]*")/, `$1; did you mean ${meant}?`));
}

async function events(socket: string, follow: boolean): Promise<number> {
  const unread = new AbortController();
  whenOutputIsGone(() => unread.abort());
  const answer = await openAnswer(socket, `/v1/events?follow=${follow}`, { signal: unread.signal });
  if (isUnreachable(answer) || answer.body === null) return refuse(inputError("the daemon gave no events"));
  const decoder = new TextDecoder();
  try {
    for await (const bytes of answer.body) printOut(decoder.decode(bytes, { stream: true }));
  } catch (error) {
    if (unread.signal.aborted) return EXIT.ok;
    message.error(`the daemon at ${socket} went away (${codeOf(error)})`);
    return EXIT.failure;
  }
  return EXIT.ok;
}

function statusText(status: Status): string {
  const { origin, pid, config, socket, seed, engine, uptimeSeconds, running, injections, version } = status;
  const providers = Object.entries(status.providers).map(([name, target]) => {
    const where = target.kind === "url" ? target.base : target.kind === "simulated" ? "simulated" : `no host (set ${target.variable})`;
    const speaks = target.dialect === null ? "" : ` (speaks ${target.dialect})`;
    return `  ${name.padEnd(10)}  ${where}${speaks}${target.port === null ? "" : ` (own port ${target.port})`}\n`;
  });
  const rows = [
    ["Address", origin],
    ["Process", `${pid}, up ${uptimeSeconds} s, version ${version}, engine ${engine}`],
    ["Config", config ?? "none"],
    ["Socket", socket ?? "none"],
    ["Seed", String(seed)],
    ["Running", String(running)],
    ["Injected", String(injections)],
  ];
  // A daemon of an older version tells none.
  const routes = routesText(status.routes ?? [], Date.now());
  return `${statusBox(status)}${rows.map(([name = "", value = ""]) => `${name.padEnd(8)}  ${value}\n`).join("")}Providers:\n${providers.join("")}${routes}`;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function print(text: string): number {
  printOut(text);
  return EXIT.ok;
}

function failed(text: string): number {
  message.error(text);
  return EXIT.failure;
}

function tooMuch(words: readonly string[]): number {
  return refuse(inputError(`"${joinWords(words)}" is too much`));
}

function refuse(mistake: InputError): number {
  message.error(mistake.message);
  return EXIT.usage;
}
