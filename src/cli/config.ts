import { type EffectiveKey, effectiveKeys } from "../config/effective.ts";
import { exampleFile } from "../config/example.ts";
import { configCandidates } from "../config/locate.ts";
import { isInputError } from "../core/errors.ts";
import type { Call, CliCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { SETTING_OPTIONS } from "./options.ts";
import { printOut, styleFor, visible } from "./print.ts";
import { configurationFrom } from "./settings-from.ts";

export const CONFIG: CliCommand = {
  name: "config",
  usage: ["[OPTIONS of serve]", "--example"],
  about: [
    "Prints the configuration that serve would run by with the same options: every setting in TOML, with where it comes from behind it. Secrets are masked.",
    "With --example it prints a file with every key, explained and commented out, to begin with.",
  ],
  options: {
    ...SETTING_OPTIONS,
    example: { type: "boolean", description: "print a file with every key instead" },
  },
  wordsMax: 0,
  examples: [
    ["faultproxy config", "what holds now, and why"],
    ["faultproxy config --example > faultproxy.toml", "a file to begin with"],
  ],
  exitCodes: [
    ["0", "printed"],
    ["2", "wrong usage, or a configuration that cannot be used"],
  ],
  run: config,
};

async function config(call: Call): Promise<number> {
  if (call.options.example === true) {
    printOut(exampleFile());
    return EXIT.ok;
  }
  const configuration = configurationFrom(call, process.env);
  if (isInputError(configuration)) {
    message.error(configuration.message);
    return EXIT.usage;
  }
  const { dim } = styleFor(process.stdout);
  const note = (text: string) => dim(`# ${visible(text)}`);
  const { file } = configuration;
  const looked = file ?? `none (looked for ${configCandidates(process.env).join(", ")})`;
  const lines = [note(`file: ${looked}`)];
  const keys = effectiveKeys(configuration, process.env);
  const inLine = keys.filter(({ blocks = [] }) => blocks.length === 0);
  const width = Math.min(WIDTH_MAX, Math.max(...inLine.map((key) => assignment(key).length)));
  // A table stands once in a file, and keys of none before all tables.
  const tables = [...new Set(["", ...keys.map(({ table }) => table)])];
  for (const table of tables) {
    if (table !== "") lines.push("", `[${table}]`);
    for (const key of inLine.filter((each) => each.table === table)) {
      lines.push(
        key.value === undefined ? note(`${key.key}: ${key.origin}`) : `${visible(assignment(key)).padEnd(width)}  ${note(key.origin)}`,
      );
    }
    for (const { blocks = [], origin } of keys.filter((each) => each.table === table)) {
      for (const [index, block] of blocks.entries()) {
        // It is known where the list begins.
        const from = index === 0 ? `  ${note(origin)}` : "";
        lines.push("", `${visible(block.header)}${from}`, ...block.lines.map(visible));
      }
    }
  }
  printOut(`${lines.join("\n")}\n`);
  return EXIT.ok;
}

const WIDTH_MAX = 60;

function assignment({ key, value = "" }: EffectiveKey): string {
  return `${key} = ${value}`;
}
