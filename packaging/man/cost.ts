/** What the pages say of the ledger, from the table of its columns. */
import { COLUMNS } from "../../src/shell/cost/row.ts";
import { argument, prose, tagged } from "./mdoc.ts";

export function ledgerColumns(): readonly string[] {
  return tagged(COLUMNS.map(({ name, summary }) => ({ head: `Ic ${argument(name)}`, text: prose(summary) })));
}
