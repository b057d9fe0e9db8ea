import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const SOURCE = join(import.meta.dir, "../src");

/** A folder may import from its own layer and from those after it. */
const LAYERS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["cli"],
  ["shell"],
  ["engines"],
  ["pipeline"],
  ["rules", "policy", "faults", "simulator", "stream", "providers", "dialects", "config", "translate", "rescue"],
  ["core"],
];

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

function layerOf(file: string): number {
  const top = file.split("/")[0] ?? "";
  const layer = LAYERS.findIndex((names) => names.includes(top));
  if (layer < 0) throw new Error(`src/${file}: ${top} is in no layer; ARCHITECTURE.md names them`);
  return layer;
}

test.each(files)("src/%s imports nothing from a higher layer", (file) => {
  const text = readFileSync(join(SOURCE, file), "utf8");
  const upward = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)]
    .map((found) => relative(SOURCE, join(SOURCE, dirname(file), found[1] ?? "")))
    // package.json and the like lie outside src.
    .filter((imported) => !imported.startsWith(".."))
    .filter((imported) => layerOf(imported) < layerOf(file));
  expect(upward).toEqual([]);
});

test.each(["providers", "providers/openai-compatible", "dialects", "faults"])(
  "every file of src/%s can be reached from its index",
  (folder) => {
    const names = readdirSync(join(SOURCE, folder)).filter((file) => file.endsWith(".ts"));
    const reached = new Set(["index.ts"]);
    for (const file of reached) {
      const text = readFileSync(join(SOURCE, folder, file), "utf8");
      for (const other of names) if (text.includes(`"./${other}"`)) reached.add(other);
    }
    expect(names.filter((name) => !reached.has(name))).toEqual([]);
  },
);

test("the stages of the pipeline do not call each other: run.ts and run/ call them, and what several need is in helpers/", () => {
  const stages = readdirSync(join(SOURCE, "pipeline")).filter((file) => file.endsWith(".ts") && file !== "run.ts");
  const helpers = readdirSync(join(SOURCE, "pipeline/helpers")).map((file) => `helpers/${file}`);
  const calls = [...stages, ...helpers].flatMap((file) =>
    [...readFileSync(join(SOURCE, "pipeline", file), "utf8").matchAll(/^import (?!type )[^;]*from "(\.[^"]+)"/gm)]
      .map((found) => relative(join(SOURCE, "pipeline"), join(SOURCE, "pipeline", dirname(file), found[1] ?? "")))
      .filter((imported) => !imported.startsWith("..") && !imported.startsWith("helpers/"))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(calls).toEqual([]);
});

test("only cli prints, and only engines and shell know the runtime", () => {
  const free = new Set(["cli", "main.ts", "shell", "engines"]);
  const offenders = files
    .filter((file) => !free.has(file.split("/")[0] ?? ""))
    .filter((file) =>
      /\bBun\.|\bprocess\.[a-z]|\bDate\.now|\bMath\.random|\bsetTimeout\b|from "node:/.test(readFileSync(join(SOURCE, file), "utf8")),
    );
  expect(offenders).toEqual([]);
});
