import type { Dialect } from "../../core/dialect.ts";
import { HTTP_FAULT_NAMES, type HttpFaultName, type Provider } from "../../core/provider.ts";

/**
 * Every value that `variant=` can take for a fault, over the given providers and dialects, each once; none where the
 * fault has no variants. The catalogues are handed in because faults know providers and dialects as types only.
 */
export function variantsOf(faultName: string, providers: readonly Provider[], dialects: readonly Dialect[]): readonly string[] {
  const entries = isHttpFaultName(faultName)
    ? providers.flatMap((provider) => provider.errors[faultName])
    : faultName === "error_event"
      ? [
          ...dialects,
          ...providers.flatMap((provider) => Object.values(provider.streamErrors).map((streamErrors) => ({ streamErrors }))),
        ].flatMap(({ streamErrors }) => streamErrors)
      : [];
  return [...new Set(entries.map((entry) => entry.variant))];
}

function isHttpFaultName(name: string): name is HttpFaultName {
  return (HTTP_FAULT_NAMES as readonly string[]).includes(name);
}
