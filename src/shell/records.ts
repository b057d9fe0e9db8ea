import type { Settings } from "../config/settings.ts";
import type { Clock } from "../core/clock.ts";
import type { ExchangeEvent } from "../core/event.ts";
import type { Ledger, LedgerHealth } from "./cost/batches.ts";
import { openJsonLines } from "./cost/json-lines.ts";
import { defaultLedgerPath, openLedger } from "./cost/ledger.ts";
import { rowOf } from "./cost/row.ts";

/** Where inference requests are written down: the ledger, JSON lines, both or neither. */
export type Records = {
  readonly add: (event: ExchangeEvent) => void;
  /** Undefined where nothing is written. */
  readonly health: () => LedgerHealth | undefined;
  readonly close: () => void;
};

export function createRecords(
  settings: Pick<Settings, "ledgerFile" | "ledgerKeepDays" | "ledgerLinesFile">,
  environment: Readonly<Record<string, string | undefined>>,
  clock: Clock,
  warn: (text: string) => void,
): Records {
  const path = settings.ledgerFile ?? defaultLedgerPath(environment);
  const ledgers: readonly Ledger[] = [
    ...(path === "" ? [] : [openLedger({ path, keepDays: settings.ledgerKeepDays, clock, warn })]),
    ...(settings.ledgerLinesFile === undefined ? [] : [openJsonLines({ path: settings.ledgerLinesFile, clock, warn })]),
  ];
  return {
    add(event) {
      const row = rowOf(event);
      if (row !== undefined) for (const ledger of ledgers) ledger.add(row);
    },
    health() {
      const [first, ...others] = ledgers.map((ledger) => ledger.health());
      if (first === undefined) return undefined;
      return others.reduce(
        (all, one) => ({
          isUp: all.isUp && one.isUp,
          detail: all.detail ?? one.detail,
          pending: all.pending + one.pending,
          dropped: all.dropped + one.dropped,
        }),
        first,
      );
    },
    close() {
      for (const ledger of ledgers) ledger.close();
    },
  };
}
