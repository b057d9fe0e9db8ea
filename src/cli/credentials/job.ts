import { type InputError, inputError } from "../../core/errors.ts";
import type { ProgramEnd } from "../../shell/credentials/run-program.ts";
import type { Host } from "./host.ts";
import { type Asked, type Copy, copyOf } from "./sync.ts";

/** Of the property list, its log and the units. */
export const JOB_NAME = "faultproxy-credentials";

export const JOB_EVERY_SECONDS = 300;

/** What the job runs: the same copy wherever it is started, so that what this environment says is written out. */
export function jobWords(host: Host, asked: Asked, { service, to }: Copy): readonly string[] | InputError {
  const usual = copyOf({ environment: {}, home: host.home }, { service: undefined, to: undefined });
  const isUsual = (key: keyof Copy, value: string) => asked[key] === undefined && "to" in usual && usual[key] === value;
  const words = [
    ...host.program,
    "credentials",
    "sync",
    ...(isUsual("to", to) ? [] : [`--to=${to}`]),
    ...(isUsual("service", service) ? [] : [`--service=${service}`]),
  ];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const strange = words.find((word) => /[\u0000-\u001f\u007f\ufffe\uffff]/.test(word));
  return strange === undefined ? words : inputError(`${JSON.stringify(strange)} has control characters, which no job can be given`);
}

/** What a change of the job came to, a sentence each. */
export type JobChange = { readonly done: string; readonly isSame: boolean };

export type Job = {
  readonly install: (words: readonly string[]) => Promise<JobChange | InputError>;
  readonly uninstall: () => Promise<JobChange | InputError>;
  /** The path of what says it, where it is installed. */
  readonly installedAt: () => string | undefined;
};

const PROGRAM_MS_MAX = 20_000;

export function runOptions({ environment }: Host): { readonly environment: Host["environment"]; readonly timeoutMs: number } {
  return { environment, timeoutMs: PROGRAM_MS_MAX };
}

export function isDone(end: ProgramEnd): boolean {
  return end.kind === "ended" && end.code === 0;
}
