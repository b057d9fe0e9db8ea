import { DIALECT_NAMES, type DialectName } from "../core/dialect.ts";
import type { Fault } from "../core/fault.ts";
import { type Evidence, HTTP_FAULT_NAMES, type Provider } from "../core/provider.ts";
import { DIALECTS } from "../dialects/index.ts";

/** One way in which a provider tells an error. */
export type Form = {
  readonly variant: string;
  /** Of an error inside a stream; null where it is a whole answer. */
  readonly dialect: DialectName | null;
  readonly status: number;
  readonly evidence: Evidence;
  readonly source: string;
};

/** The forms that a fault has with a provider, the default first; none where the fault has only one way to show. */
export function formsOf(fault: Fault, provider: Provider): readonly Form[] {
  const name = HTTP_FAULT_NAMES.find((candidate) => candidate === fault.name);
  if (name !== undefined) {
    return provider.errors[name].map(({ variant, status, evidence, source }) => ({ variant, dialect: null, status, evidence, source }));
  }
  if (fault.name !== "error_event") return [];
  return DIALECT_NAMES.flatMap((dialect) =>
    (provider.streamErrors[dialect] ?? DIALECTS[dialect].streamErrors).map(({ variant, evidence, source }) => ({
      variant,
      dialect,
      status: 200,
      evidence,
      source,
    })),
  );
}
