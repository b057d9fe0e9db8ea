import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openJsonLines } from "../../../../src/shell/cost/json-lines.ts";
import { openLedger } from "../../../../src/shell/cost/ledger.ts";
import { REAL_CLOCK } from "../../../../src/shell/real-clock.ts";
import { manualClock, NOW, row, turns } from "./rows.ts";

/** A process that writes, to be killed, or to run where the disk is its own. What it prints is told as JSON, a line each. */
const [what, path = "", amount = "0"] = process.argv.slice(2);
const say = (value: unknown) => void process.stdout.write(`${JSON.stringify(value)}\n`);
const warnings: string[] = [];
const warn = (text: string) => void warnings.push(text);

/** Tells of each row when it is written, and does not end. */
async function acknowledge(): Promise<void> {
  const ledger = openLedger({ path, keepDays: 90, clock: REAL_CLOCK, warn });
  for (let exchange = 1; ; exchange++) {
    ledger.add(row(exchange));
    // Some wait for their turn, some for more of them.
    if (exchange % 7 === 0) await turns(1);
    if (exchange % 50 === 0 && ledger.flush()) say(exchange);
  }
}

/** One of several that write at the same time. */
async function share(): Promise<void> {
  const ledger = openLedger({ path, keepDays: 90, clock: REAL_CLOCK, warn });
  say("ready");
  for (let exchange = 1; exchange <= Number(amount); exchange++) {
    ledger.add(row(exchange));
    if (exchange % 3 === 0) await turns(1);
  }
  while (!ledger.flush()) await Bun.sleep(1);
  ledger.close();
  say({ warnings });
}

/** On a small disk: writes until it is full, makes room, and goes on. */
async function fill(): Promise<void> {
  const ballast = join(path, "ballast");
  writeFileSync(ballast, new Uint8Array(200_000));
  const clock = manualClock();
  const ledger = openLedger({ path: join(path, "own/ledger.sqlite"), keepDays: 90, clock, warn });
  let exchange = 0;
  while (ledger.health().isUp && exchange < 100_000) {
    for (let i = 0; i < 20; i++) ledger.add(row(++exchange));
    ledger.flush();
  }
  const full = ledger.health();
  ledger.add(row(++exchange));
  await clock.advance(1_000);
  rmSync(ballast);
  await clock.advance(30_000);
  const after = ledger.health();
  ledger.close();
  say({ warnings, full, after, exchange });
}

async function fillLines(): Promise<void> {
  const ballast = join(path, "ballast");
  writeFileSync(ballast, new Uint8Array(200_000));
  const clock = manualClock();
  const lines = openJsonLines({ path: join(path, "lines.jsonl"), clock, warn });
  let exchange = 0;
  while (lines.health().isUp && exchange < 100_000) {
    for (let i = 0; i < 20; i++) lines.add(row(++exchange));
    lines.flush();
  }
  const full = lines.health();
  rmSync(ballast);
  await clock.advance(30_000);
  const after = lines.health();
  lines.close();
  say({ warnings, full, after, exchange });
}

/** What may only be read. */
async function readOnly(): Promise<void> {
  const clock = manualClock();
  const ledger = openLedger({ path, keepDays: 90, clock, warn });
  ledger.add(row(1, { timeMs: NOW }));
  await clock.advance(60_000);
  say({ warnings, health: ledger.health() });
}

const DO: Readonly<Record<string, () => Promise<void>>> = { acknowledge, share, fill, fillLines, readOnly };
await DO[what ?? ""]?.();
