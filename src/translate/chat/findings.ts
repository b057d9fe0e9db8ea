import type { RequestMistake } from "../translation.ts";

/** What is found on the way through a request: its first mistake, and what the target cannot express. */
export type Findings = {
  /** The first mistake counts. Gives undefined, so that a check can end with it. */
  readonly wrong: (code: string | null, param: string, message: string) => undefined;
  /** Each name is kept once. */
  readonly drop: (name: string) => void;
  readonly mistake: () => RequestMistake | undefined;
  /** In the order found. */
  readonly dropped: () => readonly string[];
};

export function createFindings(): Findings {
  let mistake: RequestMistake | undefined;
  const names = new Set<string>();
  return {
    wrong(code, param, message) {
      mistake ??= { kind: "mistake", status: 400, message, param, code };
      return undefined;
    },
    drop: (name) => names.add(name),
    mistake: () => mistake,
    dropped: () => [...names],
  };
}

/** For what the settings leave out: it has lost nothing that the target could not express. */
export function withoutDrops(findings: Findings): Findings {
  return { ...findings, drop: () => {} };
}
