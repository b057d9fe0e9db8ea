/**
 * `make soak`: the compiled proxy with routes of three targets, each of which fails in every way now and then, and clients that come, go and
 * look away. What it leaves behind is counted; anything that should not be there ends it with 1. Arguments: the seconds, the seed.
 */
import { inMb, type Sample, soak } from "./soak-run.ts";

const CLIENTS = 32;

const seconds = Number(process.argv[2] ?? 120);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Every tenth second is enough for people. */
let last: Sample | undefined;
let told = 0;
function tell(sample: Sample): void {
  if (told++ % 10 !== 9) return;
  const perSecond = last === undefined ? Number.NaN : ((sample.requests - last.requests) * 1_000) / (sample.atMs - last.atMs);
  last = sample;
  const rate = Number.isNaN(perSecond) ? "" : `, ${perSecond.toFixed(0)} requests/s`;
  const resident = sample.residentKb === undefined ? "?" : inMb(sample.residentKb);
  print(`${String(told).padStart(5)} s: ${resident} resident, ${sample.descriptors ?? "?"} descriptors, ${sample.running} running${rate}`);
}

print(`${CLIENTS} clients for ${seconds} s, seed ${seed}`);
const { report, samples, checks } = await soak({ seconds, clients: CLIENTS, seed, tell });
const peakKb = Math.max(...samples.map(({ residentKb }) => residentKb ?? 0));
print(`\n${report.sent} requests, ${(report.sent / seconds).toFixed(0)} a second; at most ${inMb(peakKb)} resident\n`);
const ends = Object.entries(report.ends).sort(([, one], [, other]) => other - one);
for (const [name, count] of ends) print(`${String(count).padStart(8)}  ${name}`);
print("");
for (const { name, isKept, detail } of checks) print(`${isKept ? "ok  " : "FAIL"} ${name}: ${detail}`);
process.exit(checks.every(({ isKept }) => isKept) ? 0 : 1);
