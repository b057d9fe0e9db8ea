import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { FAULT_LEVELS, type Fault, type FaultLevel, type ParameterSpec } from "../core/fault.ts";
import { didYouMean } from "../core/nearest.ts";
import { type Evidence, PROVIDER_NAMES, type Provider, type ProviderName } from "../core/provider.ts";
import { DIALECTS } from "../dialects/index.ts";
import { FAULTS, type Form, faultByName, formsOf } from "../faults/index.ts";
import { PROVIDERS } from "../providers/index.ts";
import { COMMON_KEYS } from "../rules/language.ts";
import type { Call, CliCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { table, wrapped } from "./help.ts";
import { message } from "./message.ts";
import { printOut, type Style, styleFor } from "./print.ts";

export const FAULTS_COMMAND: CliCommand = {
  name: "faults",
  usage: ["[--json]", "PROVIDER [--json]", "FAULT [--json]"],
  about: [
    "Lists every fault with its letter and its keys; for a provider, the forms that its errors have, with status, evidence and source; for a fault, all about its keys and forms.",
  ],
  options: { json: { type: "boolean", description: "as JSON, complete" } },
  wordsMax: 1,
  examples: [
    ["faultproxy faults", "all faults"],
    ["faultproxy faults anthropic", "how Anthropic's errors look"],
    ["faultproxy faults cut", "the keys of one fault"],
  ],
  exitCodes: [
    ["0", "printed"],
    ["2", "there is no such provider or fault"],
  ],
  run: async (call) => listFaults(call),
};

const LEVEL_TITLES: Readonly<Record<FaultLevel, string>> = {
  http: "HTTP: the provider answers with an error of its own",
  wire: "Wire: the connection or the body misbehaves",
  stream: "Stream: a streamed answer goes wrong on its way",
  answer: "Answer: status 200 and well formed, but not what was asked for",
};

const EVIDENCE_TITLES: Readonly<Record<Evidence, string>> = {
  F: "fixture, specification or well-known client test",
  C: "captured traffic in public",
  D: "the provider's documentation",
  S: "the shape is certain, the text is illustrative",
  U: "unverified",
};

function listFaults({ words, options }: Call): number {
  const chosen = choose(words[0]);
  if (isInputError(chosen)) {
    message.error(chosen.message);
    return EXIT.usage;
  }
  const style = styleFor(process.stdout);
  if (options.json) printOut(`${JSON.stringify(asJson(chosen), null, 2)}\n`);
  else if (chosen.provider !== undefined) printOut(providerPage(PROVIDERS[chosen.provider], style));
  else if (chosen.fault !== undefined) printOut(faultPage(chosen.fault, style));
  else printOut(allFaults(style));
  return EXIT.ok;
}

type Chosen = { readonly provider?: ProviderName; readonly fault?: Fault };

function choose(word: string | undefined): Chosen | InputError {
  if (word === undefined) return {};
  const provider = PROVIDER_NAMES.find((name) => name === word.toLowerCase());
  if (provider !== undefined) return { provider };
  const fault = faultByName(word);
  if (fault !== undefined) return { fault };
  const known = [...PROVIDER_NAMES, ...FAULTS.map(({ name }) => name)];
  return inputError(`there is no provider and no fault "${word}"${didYouMean(word, known)} (providers: ${PROVIDER_NAMES.join(", ")})`);
}

function allFaults({ bold }: Style): string {
  const groups = FAULT_LEVELS.flatMap((level) => [
    bold(LEVEL_TITLES[level]),
    ...FAULTS.filter((fault) => fault.level === level).flatMap(faultLines),
    "",
  ]);
  return [
    ...groups,
    bold("Keys that every fault takes"),
    ...table(Object.entries(COMMON_KEYS).map(([key, summary]) => [`${key}=`, summary] as const)),
    "",
    ...wrapped("Amounts: nothing = once, 4 = four times, 30% or 0.3 = that share, * = all. Such as: r 2 provider=openai retry_after=5", 0),
    ...wrapped("More: faultproxy faults PROVIDER (how its errors look), faultproxy faults FAULT (its keys).", 0),
    "",
  ].join("\n");
}

const NAME_WIDTH = Math.max(...FAULTS.map(({ name }) => name.length));

function faultLines(fault: Fault): readonly string[] {
  const at = NAME_WIDTH + 7;
  const head = `  ${(fault.letter ?? "").padEnd(3)}${fault.name.padEnd(NAME_WIDTH + 2)}`;
  const keys = Object.keys(fault.parameters).map((key) => `${key}=`);
  const [first = "", ...more] = wrapped(fault.summary, at);
  return [head + first.slice(at), ...more, ...(keys.length === 0 ? [] : wrapped(keys.join(" "), at))];
}

function faultPage(fault: Fault, { bold }: Style): string {
  const letter = fault.letter === undefined ? "" : ` (${fault.letter})`;
  const keys = Object.entries(fault.parameters).map(([key, spec]) => [`${key}=`, parameterText(spec)] as const);
  const forms = PROVIDER_NAMES.map((name) => [name, formsOf(fault, PROVIDERS[name], DIALECTS)] as const).filter(
    ([, found]) => found.length > 0,
  );
  const width = widest(forms.flatMap(([, found]) => found));
  return [
    `${bold(fault.name)}${letter}`,
    ...wrapped(fault.summary, 2),
    ...(needsWire(fault) ? ["  needs the wire engine, which is the default"] : []),
    "",
    ...(keys.length === 0 ? [] : [bold("Keys"), ...table(keys), ""]),
    ...forms.flatMap(([name, found]) => [bold(PROVIDERS[name].title), ...formLines(found, width), ""]),
    ...(forms.length === 0 ? [] : legend(bold)),
  ].join("\n");
}

/** With its usual parameters. */
function needsWire({ needsRawSockets, parameters }: Fault): boolean {
  return needsRawSockets?.(Object.fromEntries(Object.entries(parameters).map(([key, spec]) => [key, spec.default ?? ""]))) ?? false;
}

function parameterText({ summary, type, choices, default: preset, minimum, maximum }: ParameterSpec): string {
  const kind = choices === undefined ? type : choices.join("|");
  const bounds = maximum === undefined ? "" : ` ${minimum ?? 0} to ${maximum}`;
  return `${summary} (${kind}${bounds}${preset === undefined ? "" : `; ${preset} if not given`})`;
}

function providerPage(provider: Provider, { bold }: Style): string {
  const groups = FAULTS.map((fault) => [fault, formsOf(fault, provider, DIALECTS)] as const).filter(([, forms]) => forms.length > 0);
  const width = widest(groups.flatMap(([, forms]) => forms));
  const title = ({ name, letter }: Fault) => `${bold(name)}${letter === undefined ? "" : ` (${letter})`}`;
  const intro =
    "The first form of each fault is its default, but for those of a dialect, which are the default there; variant= chooses another. Variant, status, evidence, source:";
  return [
    bold(provider.title),
    ...wrapped(intro, 0),
    "",
    ...groups.flatMap(([fault, forms]) => [title(fault), ...formLines(forms, width), ""]),
    ...legend(bold),
  ].join("\n");
}

/** Variant, status, evidence and source of each form, in columns. */
function formLines(forms: readonly Form[], nameWidth: number): readonly string[] {
  const at = 2 + nameWidth + 2 + 3 + 2 + 1 + 2;
  return forms.flatMap((form) => {
    const head = `  ${formName(form).padEnd(nameWidth)}  ${form.status}  ${form.evidence}  `;
    const [first = "", ...more] = wrapped(form.source, at);
    return [head + first.trimStart(), ...more];
  });
}

function formName({ variant, dialect }: Form): string {
  return dialect === null ? variant : `${variant} (${dialect})`;
}

function widest(forms: readonly Form[]): number {
  return Math.max(0, ...forms.map((form) => formName(form).length));
}

function legend(bold: Style["bold"]): readonly string[] {
  return [bold("Evidence"), ...table(Object.entries(EVIDENCE_TITLES)), ""];
}

function asJson({ provider, fault }: Chosen): unknown {
  const providers = provider === undefined ? PROVIDER_NAMES : [provider];
  const faults = fault === undefined ? FAULTS : [fault];
  return {
    faults: faults.map((each) => ({
      name: each.name,
      letter: each.letter ?? null,
      level: each.level,
      summary: each.summary,
      engines: needsWire(each) ? ["wire"] : ["wire", "serve"],
      terminal: each.terminal,
      keys: each.parameters,
      forms: Object.fromEntries(providers.map((name) => [name, formsOf(each, PROVIDERS[name], DIALECTS)])),
    })),
    commonKeys: COMMON_KEYS,
    evidence: EVIDENCE_TITLES,
  };
}
