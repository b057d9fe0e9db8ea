import { existsSync } from "node:fs";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { readFailed } from "../shell/cost/failed-report.ts";
import { defaultLedgerPath } from "../shell/cost/ledger-path.ts";
import { REPORT_GROUPS, type ReportGroup, readReport } from "../shell/cost/report.ts";
import type { Call, CliCommand } from "./command.ts";
import { failedCsv, failedJson, failedTable } from "./cost/failed-text.ts";
import { reportCsv, reportJson, reportTable } from "./cost/report-text.ts";
import { momentText, sinceOf } from "./cost/since.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { printOut, type Style, styleFor, visible } from "./print.ts";
import { configurationFrom } from "./settings-from.ts";

export const COST: CliCommand = {
  name: "cost",
  usage: ["[--by WHAT] [--since TIME] [--ledger FILE]", "--failed [--since TIME] [--ledger FILE]", "[OPTIONS] --json | --csv"],
  about: [
    "Sums up the ledger that serve writes while its gateway is on: requests, tokens and what they cost, by model, provider, client key or day. A proxy may be writing to it.",
    "With --failed it counts what failed at the targets of routes instead, by target and class of failure, also where another target answered then.",
    "Input has what came from a cache in it, and output has reasoning in it. A model without a known price is not guessed at: it is shown as unknown. A request that its provider refused costs nothing.",
  ],
  options: {
    by: { type: "string", valueHint: "WHAT", description: `what each line is for: ${REPORT_GROUPS.join(", ")} [model]` },
    failed: { type: "boolean", description: "what failed at the targets of routes, in place of costs" },
    since: { type: "string", valueHint: "TIME", description: "how long ago (24h, 7d, 2w) or from which day on (2026-03-01) [all]" },
    json: { type: "boolean", description: "as JSON, complete" },
    csv: { type: "boolean", description: "as CSV, complete" },
    ledger: { type: "string", valueHint: "FILE", description: "another ledger than the configured one" },
    config: { type: "string", valueHint: "FILE", description: "configuration file that names the ledger" },
  },
  wordsMax: 0,
  examples: [
    ["faultproxy cost --since 7d", "the last week, by model"],
    ["faultproxy cost --by day --since 2026-03-01", "day by day"],
    ["faultproxy cost --failed --since 24h", "which targets of routes failed today, and how"],
    ["faultproxy cost --by key --csv > keys.csv", "for a spreadsheet"],
  ],
  exitCodes: [
    ["0", "printed"],
    ["1", "there is no ledger, or it cannot be read"],
    ["2", "wrong usage, or a configuration that cannot be used"],
  ],
  run: cost,
};

/** Where the packaged service has its ledger. */
const SERVICE_LEDGER = "/var/lib/faultproxy/ledger.sqlite";

async function cost(call: Call): Promise<number> {
  const asked = readAsked(call, Date.now());
  if (isInputError(asked)) return fail(asked, EXIT.usage);
  const path = ledgerPath(call);
  if (isInputError(path)) return fail(path, EXIT.usage);
  if (!existsSync(path)) return fail(inputError(noLedger(path)), EXIT.failure);
  const { stdout } = process;
  const drawing = { style: styleFor(stdout), width: stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY };
  const text = asked.isOfFailures ? failedText(path, asked, drawing) : costText(path, asked, drawing);
  if (isInputError(text)) return fail(text, EXIT.failure);
  printOut(text);
  return EXIT.ok;
}

type Drawing = { readonly style: Style; readonly width: number };

function costText(path: string, { by, sinceMs, form }: Asked, { style, width }: Drawing): string | InputError {
  const report = readReport(path, by, sinceMs);
  if (isInputError(report)) return report;
  if (form === "json") return reportJson(report, by, path, sinceMs);
  if (form === "csv") return reportCsv(report, by);
  const table = report.total.requests === 0 ? "none\n" : reportTable(report, by, style, width);
  return `${title(sinceMs === 0 ? "All requests" : `Requests since ${momentText(sinceMs)}`, path, style)}${table}`;
}

function failedText(path: string, { sinceMs, form }: Asked, { style, width }: Drawing): string | InputError {
  const failed = readFailed(path, sinceMs);
  if (isInputError(failed)) return failed;
  if (form === "json") return failedJson(failed, path, sinceMs);
  if (form === "csv") return failedCsv(failed);
  const table = failed.length === 0 ? "none\n" : failedTable(failed, style, width);
  return `${title(`Failures of targets${sinceMs === 0 ? "" : ` since ${momentText(sinceMs)}`}`, path, style)}${table}`;
}

function title(what: string, path: string, style: Style): string {
  return `${style.dim(`${what}, from ${visible(path)}`)}\n\n`;
}

type Asked = {
  readonly isOfFailures: boolean;
  readonly by: ReportGroup;
  readonly sinceMs: number;
  readonly form: "table" | "json" | "csv";
};

function readAsked({ options }: Call, nowMs: number): Asked | InputError {
  const by = REPORT_GROUPS.find((each) => each === (options.by ?? "model"));
  if (by === undefined) {
    const typed = String(options.by);
    return inputError(`--by ${typed}: expected one of ${REPORT_GROUPS.join(", ")}${didYouMean(typed, REPORT_GROUPS)}`);
  }
  if (options.failed === true && options.by !== undefined) return inputError("--failed has lines of its own; --by is for costs");
  const sinceMs = options.since === undefined ? 0 : sinceOf(String(options.since), nowMs);
  if (isInputError(sinceMs)) return sinceMs;
  if (options.json === true && options.csv === true) return inputError("--json and --csv are two forms; choose one");
  return {
    isOfFailures: options.failed === true,
    by,
    sinceMs,
    form: options.json === true ? "json" : options.csv === true ? "csv" : "table",
  };
}

/** The named one, the configured one, or the usual one; the service's where the user has none. */
function ledgerPath({ options }: Call): string | InputError {
  if (typeof options.ledger === "string") return options.ledger;
  const configuration = configurationFrom({ options: options.config === undefined ? {} : { config: options.config } }, process.env);
  if (isInputError(configuration)) return configuration;
  const { ledgerFile } = configuration.settings;
  if (ledgerFile === "") return inputError('the configuration keeps no ledger (cost.ledger = ""); --ledger FILE names one');
  const usual = ledgerFile ?? defaultLedgerPath(process.env);
  return ledgerFile === undefined && !existsSync(usual) && existsSync(SERVICE_LEDGER) ? SERVICE_LEDGER : usual;
}

function noLedger(path: string): string {
  return `there is no ledger at ${visible(path)} yet; serve writes one while its gateway is on (serve --gateway, or a [cost] table in its configuration)`;
}

function fail(mistake: InputError, code: number): number {
  message.error(mistake.message);
  return code;
}
