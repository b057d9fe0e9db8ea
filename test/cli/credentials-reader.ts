/** Reads a file over and over until another is there, and prints how often it was whole, and how often anything else. */
import { existsSync, readFileSync } from "node:fs";

const [path = "", end = ""] = process.argv.slice(2);
let whole = 0;
let others = 0;
process.stdout.write("reading\n");
do {
  for (let turn = 0; turn < 50; turn++) {
    const text = read();
    if (/^\{"claudeAiOauth":.*\}\n$/.test(text)) whole++;
    else others++;
  }
} while (!existsSync(end));
process.stdout.write(`${JSON.stringify({ whole, others })}\n`);

function read(): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return String(error);
  }
}
