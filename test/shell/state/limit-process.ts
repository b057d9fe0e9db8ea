import type { Limit } from "../../../src/core/state-store.ts";
import { limitInstance } from "./limit-instance.ts";

/** A process of its own: asks so many times for a limit, and prints how many passed. Arguments: URL, prefix, limit as JSON, requests. */
const [url = "", prefix = "", limit = "", requests = ""] = process.argv.slice(2);
const instance = limitInstance(url, prefix, 10_000);
await instance.up();
const asked: readonly Limit[] = [JSON.parse(limit)];
let passed = 0;
for (let rest = Number(requests); rest > 0; rest -= 20) passed += await instance.passing(asked, Math.min(rest, 20));
process.stdout.write(`${passed}\n`);
instance.scripts.close();
