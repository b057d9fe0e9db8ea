/** Writes the completions of the shells into dist/completions, each under the name that its shell looks for. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bashCompletion } from "./completions/bash.ts";
import { fishCompletion } from "./completions/fish.ts";
import { completionGrammar } from "./completions/grammar.ts";
import { zshCompletion } from "./completions/zsh.ts";

const FOLDER = join(import.meta.dir, "../dist/completions");

const grammar = await completionGrammar();
const bash = bashCompletion(grammar);
const fish = fishCompletion(grammar);
const files = {
  "bash/faultproxy": bash,
  "bash/faultctl": bash,
  "zsh/_faultproxy": zshCompletion(grammar),
  "fish/faultproxy.fish": fish,
  "fish/faultctl.fish": fish,
};
for (const [file, text] of Object.entries(files)) {
  mkdirSync(join(FOLDER, file, ".."), { recursive: true });
  writeFileSync(join(FOLDER, file), text);
}
process.stdout.write("dist/completions\n");
