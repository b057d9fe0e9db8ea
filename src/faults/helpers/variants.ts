import { DIALECT_NAMES, type Dialect, type DialectName } from "../../core/dialect.ts";
import type { Fault } from "../../core/fault.ts";
import type { Evidence, Provider } from "../../core/provider.ts";

export type Dialects = Readonly<Record<DialectName, Pick<Dialect, "streamErrors">>>;

/** One way in which a provider tells an error. */
export type Form = {
  readonly variant: string;
  /** Of an error inside a stream, or of an answer that is the default in this dialect; null where it belongs to none. */
  readonly dialect: DialectName | null;
  readonly status: number;
  readonly evidence: Evidence;
  readonly source: string;
};

/**
 * The forms that a fault has with a provider, the default first (in each dialect); none where the fault has only one way to show. The
 * dialects are handed in because faults know them as types only.
 */
export function formsOf({ forms }: Fault, provider: Provider, dialects: Dialects): readonly Form[] {
  if (forms === undefined) return [];
  if (forms !== "stream_errors") {
    return provider.errors[forms].map(({ variant, dialect = null, status, evidence, source }) => ({
      variant,
      dialect,
      status,
      evidence,
      source,
    }));
  }
  return DIALECT_NAMES.flatMap((dialect) =>
    (provider.streamErrors[dialect] ?? dialects[dialect].streamErrors).map(({ variant, evidence, source }) => ({
      variant,
      dialect,
      status: 200,
      evidence,
      source,
    })),
  );
}

/** Every value that `variant=` can take for a fault, each once. */
export function variantsOf(fault: Fault, providers: readonly Provider[], dialects: Dialects): readonly string[] {
  return [...new Set(providers.flatMap((provider) => formsOf(fault, provider, dialects).map(({ variant }) => variant)))];
}
