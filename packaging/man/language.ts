/** What faultproxy(7) says of faults and providers, from their own files. */
import type { Fault, FaultLevel, ParameterSpec } from "../../src/core/fault.ts";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { COMMON_KEYS } from "../../src/rules/language.ts";
import { argument, enumerated, enumeratedLines, prose, tagged } from "./mdoc.ts";

/** Keys of a rule are written with their sign. */
function keyHead(key: string): string {
  return `Cm ${argument(key)} Ns =`;
}

/** The faults of one level, with their letters and the names of their keys. */
export function faultList(level: FaultLevel): readonly string[] {
  return tagged(
    ofLevel(level).map(({ name, letter, summary, parameters }) => {
      const keys = Object.keys(parameters).map(keyHead);
      return {
        head: enumerated("Ic", [name, ...(letter === undefined ? [] : [letter])]),
        text: [...prose(summary), ...(keys.length === 0 ? [] : [`.Pq ${keys.join(" , ")}`])],
      };
    }),
  );
}

function ofLevel(level: FaultLevel): readonly Fault[] {
  return FAULTS.filter((fault) => fault.level === level);
}

/** The keys of the faults of one level. A key that means different things stands once for each, with the faults that take it so. */
export function faultKeys(level: FaultLevel): readonly string[] {
  const faults = ofLevel(level);
  const found = new Map<string, { readonly key: string; readonly spec: ParameterSpec; readonly faults: string[] }>();
  for (const { name, parameters } of faults) {
    for (const [key, spec] of Object.entries(parameters)) {
      const same = JSON.stringify([key, spec]);
      const entry = found.get(same) ?? { key, spec, faults: [] };
      entry.faults.push(name);
      found.set(same, entry);
    }
  }
  return tagged(
    [...found.values()].map(({ key, spec, faults: takers }) => ({
      head: `${keyHead(key)}${takers.length === faults.length ? "" : ` Pq ${enumerated("Ic", takers)}`}`,
      text: prose(`${spec.summary} (${kindOf(spec)})`),
    })),
  );
}

/** As `faultproxy faults FAULT` has it. */
function kindOf({ type, choices, minimum = 0, maximum, default: preset }: ParameterSpec): string {
  const bounds = maximum === undefined ? "" : ` ${minimum} to ${maximum}`;
  return `${choices === undefined ? type : choices.join("|")}${bounds}${preset === undefined ? "" : `; ${/ /.test(preset) ? `"${preset}"` : preset} if not given`}`;
}

/** The keys that every fault takes. */
export function commonKeys(): readonly string[] {
  return tagged(
    Object.entries(COMMON_KEYS).map(([key, summary]) => ({ head: keyHead(key), text: prose(summary) })),
    "after_requests=",
  );
}

/** Faults that delay or pace, and leave the rest to others. */
export function addingFaults(): readonly string[] {
  return enumeratedLines(
    "Ic",
    names(({ terminal }) => !terminal),
    ".",
  );
}

/** Faults that need raw sockets whatever their keys say. */
export function rawFaults(): readonly string[] {
  return enumeratedLines("Ic", names(needsRawSockets), ".");
}

function needsRawSockets({ needsRawSockets: needs, parameters }: Fault): boolean {
  return needs?.(Object.fromEntries(Object.entries(parameters).map(([key, spec]) => [key, spec.default ?? ""]))) ?? false;
}

function names(is: (fault: Fault) => boolean): readonly string[] {
  return FAULTS.filter(is).map(({ name }) => name);
}

/** How each provider is reached. */
export function providerList(): readonly string[] {
  return tagged(
    PROVIDER_NAMES.map((name) => {
      const { title, recognition, host, hostVariable } = PROVIDERS[name];
      const prefixes = recognition.prefixes.map((prefix) => `/${prefix}`).join(" or ");
      const place =
        host === undefined
          ? ["real host in", `.Ev ${hostVariable} ,`, "since every customer has one;"]
          : [...prose(`real host ${host}, or`), `.Ev ${hostVariable} ;`];
      return {
        head: `Ic ${name}`,
        text: [...prose(`${title}. Prefix ${prefixes};`), ...place, "clients read", ...enumeratedLines("Ev", variablesOf(name), ".")],
      };
    }),
    "openrouter",
  );
}

/** The variables by which `run` leads a command's clients to itself. */
export function clientVariables(): readonly string[] {
  return tagged(
    PROVIDER_NAMES.map((name) => ({ head: PROVIDERS[name].title, text: enumeratedLines("Ev", variablesOf(name), "") })),
    "Tetrate Agent Router",
  );
}

function variablesOf(name: (typeof PROVIDER_NAMES)[number]): readonly string[] {
  return PROVIDERS[name].clientVariables("http://127.0.0.1").map(([variable]) => variable);
}
