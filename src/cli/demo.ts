import type { Settings } from "../config/settings.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import { type Daemon, startDaemon } from "../shell/daemon.ts";
import { originOf } from "../shell/origin.ts";
import type { CliCommand } from "./command.ts";
import { request, type Seen } from "./demo-client.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { printOut, type Style, styleFor } from "./print.ts";
import { configurationFrom } from "./settings-from.ts";

export const DEMO: CliCommand = {
  name: "demo",
  usage: [""],
  about: [
    "Starts a proxy with the built-in provider on a free port, sends requests through it as a plain HTTP client, and shows for each fault what was typed and what the client saw. Needs no key and no network, and ends by itself.",
  ],
  options: {},
  wordsMax: 0,
  examples: [["faultproxy demo", "a few seconds"]],
  exitCodes: [
    ["0", "everything was as expected"],
    ["1", "something was not"],
  ],
  run: demo,
};

type Step = {
  readonly title: string;
  /** Typed at the proxy before the request. */
  readonly command: string;
  readonly send: (origin: string) => Promise<Seen>;
  /** What the client saw, in words. */
  readonly tell: (seen: Seen) => string;
  readonly expected: (seen: Seen) => boolean;
};

const STEPS: readonly Step[] = [
  {
    title: "A normal answer (OpenAI)",
    command: "n",
    send: (origin) => request(origin, "openai", false),
    tell: ({ status, text }) => `${status}, an answer of ${text.length} characters`,
    expected: ({ status, text }) => status === 200 && text.includes('"choices"'),
  },
  {
    title: "A streamed answer (Anthropic)",
    command: "n",
    send: (origin) => request(origin, "anthropic", true),
    tell: ({ status, events, text }) => `${status}, ${events} events, ${text.includes("message_stop") ? "complete" : "not complete"}`,
    expected: ({ status, text, brokenOff }) => status === 200 && text.includes("message_stop") && !brokenOff,
  },
  {
    title: "Context length exceeded (OpenAI)",
    command: "c",
    send: (origin) => request(origin, "openai", false),
    tell: ({ status, text }) => `${status} ${errorText(text)}`,
    expected: ({ status, text }) => status === 400 && text.includes("context_length_exceeded"),
  },
  {
    title: "Rate limit (OpenAI)",
    command: "r retry_after=1",
    send: (origin) => request(origin, "openai", false),
    tell: ({ status, retryAfter, text }) => `${status}, Retry-After: ${retryAfter}, ${errorText(text)}`,
    expected: ({ status, retryAfter }) => status === 429 && retryAfter === "1",
  },
  {
    title: "… and the retry after that second",
    command: "",
    async send(origin) {
      await Bun.sleep(1_000);
      return request(origin, "openai", false);
    },
    tell: ({ status }) => `${status}, recovered`,
    expected: ({ status }) => status === 200,
  },
  {
    title: "Overloaded (Anthropic)",
    command: "o",
    send: (origin) => request(origin, "anthropic", false),
    tell: ({ status, text }) => `${status} ${errorText(text)}`,
    expected: ({ status, text }) => status === 529 && text.includes("overloaded_error"),
  },
  {
    title: "A stream that is cut in the middle (OpenAI)",
    command: "cut after=5",
    send: (origin) => request(origin, "openai", true),
    tell: ({ status, events, brokenOff }) => `${status}, ${events} events, then ${brokenOff ? "a connection reset" : "a proper end"}`,
    expected: ({ status, text, brokenOff }) => status === 200 && brokenOff && !text.includes("[DONE]"),
  },
  {
    title: "An error event inside a 200 stream (Anthropic)",
    command: "error_event after=4",
    send: (origin) => request(origin, "anthropic", true),
    tell: ({ status, events, text }) => `${status}, ${events} events, the last: ${lastEvent(text)}`,
    expected: ({ status, text }) => status === 200 && text.includes("event: error") && !text.includes("message_stop"),
  },
];

async function demo(): Promise<number> {
  const settings = demoSettings();
  const daemon = isInputError(settings) ? settings : await startDaemon(settings, {}, (text) => message.warn(text));
  if (isInputError(daemon)) {
    message.error(daemon.message);
    return EXIT.failure;
  }
  const origin = originOf(daemon);
  // An HTTP_PROXY of the user's is none for this address.
  process.env.NO_PROXY = daemon.host;
  const style = styleFor(process.stdout);
  printOut(`faultproxy listens on ${origin}; its built-in provider answers for all providers.\n\n`);
  let failures = 0;
  for (const [index, step] of STEPS.entries()) {
    if (!(await show(step, index + 1, daemon, origin, style))) failures++;
  }
  const { requests, injections } = daemon.counts();
  await daemon.stop(true);
  printOut(
    `${requests} requests, ${injections} injections, ${failures === 0 ? "everything as expected" : `${failures} not as expected`}.\n`,
  );
  if (failures === 0) printOut("Now put it before a client of yours: faultproxy serve --simulate, or faultproxy run -- COMMAND\n");
  return failures === 0 ? EXIT.ok : EXIT.failure;
}

function demoSettings(): Settings | InputError {
  const options = { port: "0", simulate: true, stdin: false, between: "5ms", "log-level": "silent", config: "" };
  const configuration = configurationFrom({ options }, {});
  return isInputError(configuration) ? configuration : configuration.settings;
}

/** Performs one step and prints it; false where the client saw something else than it should. */
async function show(step: Step, number: number, daemon: Daemon, origin: string, { bold, red }: Style): Promise<boolean> {
  const set = step.command === "" ? undefined : daemon.command(step.command);
  const seen = isInputError(set) ? set.message : await step.send(origin).catch((error: Error) => error.message);
  const isGood = typeof seen !== "string" && step.expected(seen);
  const saw = typeof seen === "string" ? `nothing: ${seen}` : step.tell(seen);
  const typed = step.command === "" ? "" : `   typed:      ${step.command}\n`;
  printOut(`${bold(`${number}. ${step.title}`)}\n${typed}   client saw: ${saw}\n   ${isGood ? "as expected" : red("NOT as expected")}\n\n`);
  return isGood;
}

/** The message of an error body in any provider's form. */
function errorText(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: string; type?: string; code?: string } };
    return `${error?.code ?? error?.type}: ${error?.message}`;
  } catch {
    return body.slice(0, 100);
  }
}

function lastEvent(text: string): string {
  return text.trim().split("\n\n").at(-1)?.replace("\n", " ") ?? "";
}
