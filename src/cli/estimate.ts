import { readFileSync, statSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { estimateInputTokens } from "../policy/estimate.ts";
import { PROVIDERS } from "../providers/index.ts";
import { codeOf } from "../shell/socket-path.ts";
import type { Call, CliCommand } from "./command.ts";
import { COUNTERS, countable, countTokens, keyVariables } from "./estimate/counters.ts";
import { type EstimateRow, estimateTable, figuresText } from "./estimate/estimate-text.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { printOut, styleFor } from "./print.ts";
import { configurationFrom } from "./settings-from.ts";

const MEASURABLE = PROVIDER_NAMES.filter((name) => COUNTERS[name] !== undefined);

export const ESTIMATE: CliCommand = {
  name: "estimate",
  usage: ["[--provider NAME] [FILE]", "--measure [--provider NAME] [--url URL] [FILE]"],
  about: [
    "Shows what limits take a text for: its characters, and the input tokens estimated from them with each provider's figure of the configuration. FILE may be - for standard input.",
    "With --measure it asks the provider how many tokens it really has, which costs nothing, and prints the figure that fits the text. The text goes to the provider. Take a text like those of your requests, of some thousand characters.",
  ],
  options: {
    provider: { type: "string", valueHint: "NAME", description: "one provider alone" },
    measure: { type: "boolean", description: `ask ${MEASURABLE.join(", ")}, with the key in ${keyVariables()}` },
    model: { type: "string", valueHint: "MODEL", description: "whose tokens are counted [the provider's usual one]" },
    url: { type: "string", valueHint: "URL", description: "ask through this proxy or server, such as http://127.0.0.1:8888" },
    json: { type: "boolean", description: "as JSON" },
    config: { type: "string", valueHint: "FILE", description: "configuration file with the figures" },
  },
  wordsMax: 1,
  examples: [
    ["faultproxy estimate prompt.txt", "what each provider's limits would take it for"],
    ["faultproxy estimate --measure prompt.txt", "what it really comes to, where a key is set"],
    ["git diff | faultproxy estimate --provider anthropic -", "a text from elsewhere"],
  ],
  exitCodes: [
    ["0", "printed"],
    ["1", "a provider could not be asked, or did not count"],
    ["2", "wrong usage, a file that cannot be read, or a configuration that cannot be used"],
  ],
  run: estimate,
};

/** Larger texts are no prompt. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

async function estimate(call: Call): Promise<number> {
  const asked = readAsked(call);
  if (isInputError(asked)) return fail(asked);
  const configuration = configurationFrom(
    { options: call.options.config === undefined ? {} : { config: call.options.config } },
    process.env,
  );
  if (isInputError(configuration)) return fail(configuration);
  const input = await readText(call.words[0]);
  if (isInputError(input)) return fail(input);

  const measured = await measure(asked, input.text);
  for (const mistake of measured.mistakes) message.error(mistake.message);
  const rows = rowsOf(asked.providers, input, configuration.settings, measured.tokens);
  if (call.options.json === true) printOut(`${JSON.stringify(asJson(input, rows), null, 2)}\n`);
  else {
    const style = styleFor(process.stdout);
    printOut(estimateTable(input, rows, configuration.settings, style) + figuresText(input, rows, style));
  }
  return measured.mistakes.length > 0 ? EXIT.failure : EXIT.ok;
}

type Asked = {
  readonly providers: readonly ProviderName[];
  /** Providers that are asked. */
  readonly measured: readonly ProviderName[];
  readonly model: string | undefined;
  readonly url: string | undefined;
};

function readAsked({ options }: Call): Asked | InputError {
  const { provider: name, model, url } = options;
  const provider = PROVIDER_NAMES.find((each) => each === name);
  if (name !== undefined && provider === undefined)
    return inputError(`--provider ${name}: expected one of ${PROVIDER_NAMES.join(", ")}${didYouMean(String(name), PROVIDER_NAMES)}`);
  if (options.measure !== true && (model !== undefined || url !== undefined))
    return inputError(`--${model === undefined ? "url" : "model"} goes with --measure`);
  if (typeof url === "string" && !/^https?:\/\/[^/?#]/.test(url)) return inputError("--url: expected http://… or https://…");
  const providers = provider === undefined ? PROVIDER_NAMES : [provider];
  const measured = options.measure === true ? toMeasure(provider, url !== undefined) : [];
  if (isInputError(measured)) return measured;
  if (model !== undefined && measured.length > 1) return inputError("--model needs --provider NAME: each provider has models of its own");
  return { providers, measured, model: textOr(model), url: textOr(url) };
}

function textOr(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A proxy may have a key of its own, so that none is needed here. */
function toMeasure(provider: ProviderName | undefined, hasUrl: boolean): readonly ProviderName[] | InputError {
  if (provider !== undefined && COUNTERS[provider] === undefined)
    return inputError(`${PROVIDERS[provider].title} has no endpoint that counts tokens; ${MEASURABLE.join(", ")} have`);
  const withKey = countable(process.env);
  if (provider !== undefined && (hasUrl || withKey.includes(provider))) return [provider];
  if (provider === undefined && withKey.length > 0) return withKey;
  const variables = provider === undefined ? keyVariables() : (COUNTERS[provider]?.keyVariables.join(" or ") ?? "");
  return inputError(`--measure needs a key: set ${variables}${hasUrl ? ", or name a --provider" : ""}`);
}

export type Input = { readonly name: string; readonly text: string; readonly characters: number; readonly bytes: number };

async function readText(word: string | undefined): Promise<Input | InputError> {
  const isStandardInput = word === undefined || word === "-";
  const name = isStandardInput ? "standard input" : word;
  if (word === undefined && process.stdin.isTTY) return inputError("estimate needs a FILE, or a text on standard input");
  try {
    if (!isStandardInput && statSync(word).size > TEXT_BYTES_MAX) return tooLarge(name);
    const bytes = isStandardInput ? await Bun.stdin.bytes() : readFileSync(word);
    if (bytes.length > TEXT_BYTES_MAX) return tooLarge(name);
    const text = new TextDecoder().decode(bytes);
    return { name, text, characters: text.length, bytes: bytes.length };
  } catch (error) {
    return inputError(`cannot read ${name} (${codeOf(error)})`);
  }
}

function tooLarge(name: string): InputError {
  return inputError(`${name} has more than ${TEXT_BYTES_MAX / 1024 / 1024} MiB`);
}

type Measured = { readonly tokens: ReadonlyMap<ProviderName, number>; readonly mistakes: readonly InputError[] };

async function measure({ measured, model, url }: Asked, text: string): Promise<Measured> {
  const tokens = new Map<ProviderName, number>();
  const mistakes: InputError[] = [];
  const answers = measured.map(async (provider) => {
    const count = await countTokens({ provider, model: model ?? PROVIDERS[provider].usualModel, text, url }, process.env);
    if (isInputError(count)) mistakes.push(count);
    else tokens.set(provider, count);
  });
  await Promise.all(answers);
  return { tokens, mistakes };
}

function rowsOf(
  providers: readonly ProviderName[],
  { characters, bytes }: Input,
  settings: Settings,
  measured: ReadonlyMap<ProviderName, number>,
): readonly EstimateRow[] {
  return providers.map((provider) => {
    const tokens = measured.get(provider);
    return {
      provider,
      figure: settings.providerCharsPerToken[provider] ?? settings.charsPerToken,
      estimated: estimateInputTokens({ provider, characters, bodyBytes: bytes }, settings),
      measured: tokens,
      fitting: tokens === undefined || tokens === 0 ? undefined : Math.round((characters / tokens) * 100) / 100,
    };
  });
}

function asJson({ characters, bytes }: Input, rows: readonly EstimateRow[]): unknown {
  return {
    characters,
    bytes,
    providers: rows.map(({ provider, figure, estimated, measured = null, fitting = null }) => ({
      provider,
      charactersPerToken: figure,
      estimatedTokens: estimated,
      measuredTokens: measured,
      measuredCharactersPerToken: fitting,
    })),
  };
}

function fail(mistake: InputError): number {
  message.error(mistake.message);
  return EXIT.usage;
}
