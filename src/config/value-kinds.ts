import { didYouMean } from "../core/nearest.ts";
import { PROVIDER_NAMES, type ProviderName } from "../core/provider.ts";
import { type Parsed, parseDuration, parseInteger, parseSwitch } from "../rules/values.ts";
import type { ListenSetting } from "./settings.ts";
import { checkUpstream } from "./upstream.ts";

/** How a setting's value is written: one parser for the command line, the environment and the file. */
export type ValueKind<Value> = {
  /** What stands for the value in the help. */
  readonly hint: string;
  readonly choices?: readonly string[];
  /** Types that the value may have in a TOML file. */
  readonly tomlTypes: readonly ("number" | "string" | "boolean" | "list")[];
  readonly parse: (text: string) => Parsed<Value>;
};

export function integer(hint: string, minimum: number, maximum: number): ValueKind<number> {
  return { hint, tomlTypes: ["number"], parse: (text) => parseInteger(text, minimum, maximum) };
}

export function duration(hint: string): ValueKind<number> {
  return { hint, tomlTypes: ["number", "string"], parse: (text) => parseDuration(text) };
}

export function text(hint: string, expected: string, pattern: RegExp): ValueKind<string> {
  return { hint, tomlTypes: ["string"], parse: (value) => (pattern.test(value) ? { ok: true, value } : { ok: false, expected }) };
}

export const PEM_FILE = text("FILE", "the path of a PEM file", /\S/);

export function choice<Choice extends string>(hint: string, choices: readonly Choice[]): ValueKind<Choice> {
  return {
    hint,
    choices,
    tomlTypes: ["string"],
    parse(value) {
      const found = choices.find((candidate) => candidate === value.toLowerCase());
      if (found !== undefined) return { ok: true, value: found };
      return { ok: false, expected: `${choices.length > 1 ? "one of " : ""}${choices.join(", ")}${didYouMean(value, choices)}` };
    },
  };
}

const ADDRESS_EXPECTED = "HOST:PORT, [IPV6]:PORT or unix:PATH, with NAME= before it where it is for one provider";

/** `127.0.0.1:9000,anthropic=unix:/run/a.sock` */
export const ADDRESSES: ValueKind<readonly ListenSetting[]> = {
  hint: "[NAME=]ADDRESS",
  tomlTypes: ["list", "string"],
  parse(list) {
    const settings: ListenSetting[] = [];
    for (const item of list.split(",").map((part) => part.trim())) {
      const [, typed, rest = ""] = /^(?:([a-z]+)=)?(.*)$/i.exec(item) ?? [];
      const provider = PROVIDER_NAMES.find((name) => name === typed?.toLowerCase());
      if (typed !== undefined && provider === undefined)
        return { ok: false, expected: `a provider before the "=" (${PROVIDER_NAMES.join(", ")})${didYouMean(typed, PROVIDER_NAMES)}` };
      const address = addressOf(rest);
      if (address === undefined) return { ok: false, expected: ADDRESS_EXPECTED };
      settings.push({ address, provider });
    }
    return { ok: true, value: settings };
  },
};

function addressOf(text: string): ListenSetting["address"] | undefined {
  const path = /^unix:(.+)$/i.exec(text)?.[1];
  if (path !== undefined) return { kind: "unix", path };
  const [, v6, name, digits] = /^(?:\[([\da-f:.%]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  return host === undefined || port > 65_535 ? undefined : { kind: "tcp", host, port };
}

export const SWITCH: ValueKind<boolean> = { hint: "on|off", tomlTypes: ["boolean"], parse: parseSwitch };

/** `openai=https://…,google=simulated` */
export const UPSTREAMS: ValueKind<Partial<Record<ProviderName, string>>> = {
  hint: "NAME=URL",
  tomlTypes: [],
  parse(list) {
    const upstreams: Partial<Record<ProviderName, string>> = {};
    for (const item of list.split(",").map((part) => part.trim())) {
      const equals = item.indexOf("=");
      if (equals <= 0) return { ok: false, expected: "NAME=URL, such as openai=http://127.0.0.1:9000 or openai=simulated" };
      const typed = item.slice(0, equals);
      const name = PROVIDER_NAMES.find((candidate) => candidate === typed.toLowerCase());
      if (name === undefined) {
        return { ok: false, expected: `a provider before the "=" (${PROVIDER_NAMES.join(", ")})${didYouMean(typed, PROVIDER_NAMES)}` };
      }
      if (upstreams[name] !== undefined) return { ok: false, expected: `${name} only once` };
      const upstream = checkUpstream(item.slice(equals + 1));
      if (!upstream.ok) return upstream;
      upstreams[name] = item.slice(equals + 1);
    }
    return { ok: true, value: upstreams };
  },
};
