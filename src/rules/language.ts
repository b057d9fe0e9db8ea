import { type InputError, inputError, isInputError } from "../core/errors.ts";
import type { Fault, Parameters, ParameterValue } from "../core/fault.ts";
import { COMMAND_CHARACTERS_MAX } from "../core/limits.ts";
import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES } from "../core/provider.ts";
import type { Aim, Rule } from "../core/rule.ts";
import { DIALECTS } from "../dialects/index.ts";
import { FAULTS, faultByName, variantsOf } from "../faults/index.ts";
import { PROVIDERS } from "../providers/index.ts";
import { amountText, type ParsedAmount, parseAmount } from "./amount.ts";
import { type Parsed, parseDuration, parseInteger, parseParameter, parseSwitch } from "./values.ts";
import { joinWords, splitWords } from "./words.ts";

/** A rule before it is set: everything that the text says. */
export type RuleDraft = Pick<Rule, "fault" | "aim" | "parameters" | "side" | "text"> & {
  readonly amount: ParsedAmount;
  readonly id: string | undefined;
};

export type Command =
  | { readonly kind: "none" }
  | { readonly kind: "quit" }
  | { readonly kind: "reload" }
  | { readonly kind: "mode"; readonly draft: RuleDraft }
  | { readonly kind: "add"; readonly draft: RuleDraft }
  | { readonly kind: "list" }
  | { readonly kind: "remove"; readonly id: string }
  | { readonly kind: "clear" };

export const WORD_COMMANDS = ["n", "q", "add", "ls", "rm", "clear", "reload"] as const;

/** Keys that every fault takes, with what `faults` says of them. */
export const COMMON_KEYS: Readonly<Record<string, string>> = {
  provider: "only this provider (glob)",
  model: "only models of this name (glob)",
  path: "only this path (glob); also reaches metadata and authentication endpoints",
  stream: "on: only streamed requests; off: only whole ones",
  session: "only this conversation (glob)",
  nth: "only the nth matching request",
  after_requests: "not before this many matching requests have passed",
  window: "only this long after the command (30s), or from then to then (10s-40s)",
  side: "client: what the client gets (default); upstream: what the target seems to answer",
  id: "a name for the rule (with add)",
};

/** Reads one line of the fault language. */
export function parseCommand(text: string): Command | InputError {
  if (text.length > COMMAND_CHARACTERS_MAX) return inputError(`a command has at most ${COMMAND_CHARACTERS_MAX} characters`);
  const words = splitWords(text);
  if (words === undefined) return inputError("a quote is not closed");
  const [first, ...rest] = words;
  if (first === undefined) return inputError("nothing was typed; n, q, or a fault such as c, r 3, u 30%");
  switch (first.toLowerCase()) {
    case "n":
    case "none":
      return alone(first, rest, { kind: "none" });
    case "q":
    case "quit":
      return alone(first, rest, { kind: "quit" });
    case "reload":
      return alone(first, rest, { kind: "reload" });
    case "ls":
      return alone(first, rest, { kind: "list" });
    case "clear":
      return alone(first, rest, { kind: "clear" });
    case "rm": {
      const [id, ...more] = rest;
      if (id === undefined || more.length > 0) return inputError("rm takes one rule's id; ls shows them");
      return { kind: "remove", id };
    }
    case "add": {
      if (rest.length === 0) return inputError("add takes a fault, such as: add r 30% provider=openai");
      const draft = parseRule(rest, true);
      return isInputError(draft) ? draft : { kind: "add", draft };
    }
    default: {
      const draft = parseRule(words, false);
      return isInputError(draft) ? draft : { kind: "mode", draft };
    }
  }
}

function alone(word: string, rest: readonly string[], command: Command): Command | InputError {
  return rest.length === 0 ? command : inputError(`${word} stands alone; "${joinWords(rest)}" is too much`);
}

function parseRule(words: readonly string[], added: boolean): RuleDraft | InputError {
  const head = /^([a-z]+(?:[_-][a-z]+)*)(.*)$/i.exec(words[0] ?? "");
  const name = head?.[1] ?? words[0] ?? "";
  const fault = faultByName(name);
  if (fault === undefined || head === null) return unknownFault(words[0] ?? "", added);

  const attached = head[2] ?? "";
  const amountWords = attached === "" ? [] : [attached];
  const pairs: [string, string][] = [];
  for (const word of words.slice(1)) {
    const equals = word.indexOf("=");
    if (equals > 0) pairs.push([word.slice(0, equals).toLowerCase().replaceAll("-", "_"), word.slice(equals + 1)]);
    else if (word === "%" && amountWords.length === 1) amountWords[0] += "%";
    else amountWords.push(word);
  }
  if (amountWords.length > 1) return inputError(`one amount is enough: ${amountWords.join(" and ")} are ${amountWords.length}`);
  const amount = parseAmount(amountWords[0] ?? "");
  if (!amount.ok) return inputError(`amount ${amountWords[0]}: expected ${amount.expected}`);
  return draftOf(fault, amount.value, pairs, added);
}

function unknownFault(name: string, added: boolean): InputError {
  const commands: readonly string[] = WORD_COMMANDS;
  if (added && commands.includes(name.toLowerCase())) return inputError(`add takes a fault; ${name} is a command of its own`);
  const known = [...(added ? [] : commands), ...FAULTS.map((fault) => fault.name)];
  return inputError(`unknown fault "${name}"${didYouMean(name, known)} (\`faultproxy faults\` lists them all)`);
}

function draftOf(
  fault: Fault,
  amount: ParsedAmount,
  pairs: readonly (readonly [string, string])[],
  added: boolean,
): RuleDraft | InputError {
  const aim: Record<string, unknown> = {};
  const parameters: Record<string, ParameterValue> = {};
  let side: Rule["side"] = "client";
  let id: string | undefined;
  const seen = new Set<string>();
  for (const [key, spec] of Object.entries(fault.parameters)) {
    if (spec.default === undefined) continue;
    const parsed = parseParameter(key, spec, spec.default);
    // A default that its own parser refuses is a mistake in the fault's file.
    if (!parsed.ok) throw new Error(`${fault.name}: default of ${key}: expected ${parsed.expected}`);
    parameters[key] = parsed.value;
  }
  for (const [key, text] of pairs) {
    if (seen.has(key)) return inputError(`${key}= is given twice`);
    seen.add(key);
    const refuse = (expected: string) => inputError(`${key}=${text}: expected ${expected}`);
    const spec = Object.hasOwn(fault.parameters, key) ? fault.parameters[key] : undefined;
    if (spec !== undefined) {
      const parsed = parseParameter(key, spec, text);
      if (!parsed.ok) return refuse(parsed.expected);
      if (key === "variant") {
        const variants = variantsOf(fault, Object.values(PROVIDERS), DIALECTS);
        if (variants.length > 0 && !variants.includes(String(parsed.value))) {
          return refuse(`one of ${variants.join(", ")}${didYouMean(text, variants)}`);
        }
      }
      parameters[key] = parsed.value;
    } else if (key === "side") {
      const lower = text.toLowerCase();
      if (lower !== "client" && lower !== "upstream") return refuse("client or upstream");
      side = lower;
    } else if (key === "id") {
      if (!added) return inputError("id= names a rule that is kept beside the mode: add … id=NAME");
      if (!/^[a-z0-9][a-z0-9_.-]{0,63}$/i.test(text) || text === "mode") return refuse("letters, digits, - _ . (at most 64), and not mode");
      id = text;
    } else if (Object.hasOwn(COMMON_KEYS, key)) {
      const parsed = parseAimKey(key, text);
      if (!parsed.ok) return refuse(parsed.expected);
      Object.assign(aim, parsed.value);
    } else {
      const known = [...Object.keys(fault.parameters), ...Object.keys(COMMON_KEYS)];
      return inputError(`unknown key "${key}" for ${fault.name}${didYouMean(key, known)} (it takes ${known.join(", ")})`);
    }
  }
  const text = [
    fault.name,
    ...(amount.kind === "none" ? ["0"] : [amountText(amount)]),
    ...pairs.map(([key, value]) => joinWords([`${key}=${value}`])),
  ];
  return { fault: fault.name, amount, aim: aim as Aim, parameters: parameters as Parameters, side, id, text: text.join(" ") };
}

function parseAimKey(key: string, text: string): Parsed<Aim> {
  if (text === "") return { ok: false, expected: "a value" };
  switch (key) {
    case "provider": {
      const isGlob = /[*?]/.test(text);
      if (!isGlob && !(PROVIDER_NAMES as readonly string[]).includes(text.toLowerCase())) {
        return { ok: false, expected: `one of ${PROVIDER_NAMES.join(", ")}, or a glob${didYouMean(text, PROVIDER_NAMES)}` };
      }
      return { ok: true, value: { provider: text } };
    }
    case "model":
      return { ok: true, value: { model: text } };
    case "path":
      return /^[/*?]/.test(text) ? { ok: true, value: { path: text } } : { ok: false, expected: "a path that begins with / or *" };
    case "session":
      return { ok: true, value: { session: text } };
    case "stream": {
      const parsed = parseSwitch(text);
      return parsed.ok ? { ok: true, value: { stream: parsed.value } } : parsed;
    }
    case "nth": {
      const parsed = parseInteger(text, 1, Number.MAX_SAFE_INTEGER);
      return parsed.ok ? { ok: true, value: { nth: parsed.value } } : parsed;
    }
    case "after_requests": {
      const parsed = parseInteger(text, 0, Number.MAX_SAFE_INTEGER);
      return parsed.ok ? { ok: true, value: { afterRequests: parsed.value } } : parsed;
    }
    default:
      return parseWindow(text);
  }
}

function parseWindow(text: string): Parsed<Aim> {
  const expected = "a duration such as 30s, or two such as 10s-40s";
  const [from, until, ...more] = text.split(/\.\.|-/);
  if (from === undefined || more.length > 0) return { ok: false, expected };
  const first = parseDuration(from);
  if (!first.ok) return { ok: false, expected };
  if (until === undefined) return { ok: true, value: { window: { fromMs: 0, untilMs: first.value } } };
  const second = parseDuration(until);
  if (!second.ok || second.value <= first.value) return { ok: false, expected };
  return { ok: true, value: { window: { fromMs: first.value, untilMs: second.value } } };
}
