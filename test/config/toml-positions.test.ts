import { expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { positionOfKey, tomlPositions } from "../../src/config/toml-positions.ts";

const TOML = `# a = 1
top = "x = 1 # no comment"   # comment
'quoted key' = 'a'

[ table . "in ] ner" ]
  key = { inline = 1,
          more = [1, 2] }
list = [
  "]", # ]
  2,
]
after = """
[not]
a = "table"
"""
last.dotted = 1
[[array]]
x = 1
`;

test.each<[readonly string[], number, number]>([
  [["top"], 2, 1],
  [["quoted key"], 3, 1],
  [["table"], 5, 1],
  [["table", "in ] ner"], 5, 1],
  [["table", "in ] ner", "key"], 6, 3],
  [["table", "in ] ner", "key", "inline"], 6, 11],
  [["table", "in ] ner", "list"], 8, 1],
  [["table", "in ] ner", "after"], 12, 1],
  [["table", "in ] ner", "last", "dotted"], 16, 1],
  [["array", "x"], 18, 1],
])("%j stands at line %d, column %d", (path, line, column) => {
  expect(positionOfKey(tomlPositions(TOML), path)).toEqual({ line, column });
});

const LISTS = `long = """
a""""
[[route]]
targets = [
  { provider = "a", url = "] }" }, # the first
  { hold = { "a b" = [1, { x.y = 2 }], bytes = 1 } },
]
[route.match]
model = "m"
[[route]]
  [[route.targets]]
  provider = "a"
  [[route.targets]]
  provider = "b"
  [route.targets.credential]
  env = "E"
[[other.route]]
x = 1
`;

test.each<[readonly string[], number, number]>([
  [["route"], 3, 1],
  [["route", "0"], 3, 1],
  [["route", "0", "targets"], 4, 1],
  [["route", "0", "targets", "0"], 5, 3],
  [["route", "0", "targets", "0", "url"], 5, 21],
  [["route", "0", "targets", "1", "hold", "a b"], 6, 14],
  [["route", "0", "targets", "1", "hold", "a b", "1"], 6, 26],
  [["route", "0", "targets", "1", "hold", "a b", "1", "x", "y"], 6, 28],
  [["route", "0", "targets", "1", "hold", "bytes"], 6, 40],
  [["route", "0", "targets", "1", "hold", "none"], 6, 5],
  [["route", "0", "match"], 8, 1],
  [["route", "0", "match", "model"], 9, 1],
  [["route", "1"], 10, 1],
  [["route", "1", "targets"], 11, 3],
  [["route", "1", "targets", "0", "provider"], 12, 3],
  [["route", "1", "targets", "1"], 13, 3],
  [["route", "1", "targets", "1", "provider"], 14, 3],
  [["route", "1", "targets", "1", "credential"], 15, 3],
  [["route", "1", "targets", "1", "credential", "env"], 16, 3],
  [["other", "route", "0", "x"], 18, 1],
])("in lists of tables %j stands at line %d, column %d", (path, line, column) => {
  expect(positionOfKey(tomlPositions(LISTS), path)).toEqual({ line, column });
});

type Value = string | number | readonly Value[] | { readonly [key: string]: Value };

const TEXT = fc.string({ maxLength: 6, unit: fc.constantFrom("a", "[", "]", "{", "}", ",", "=", "#", "\\", '"', "'", ".", " ", "ä") });
const VALUE: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    TEXT,
    fc.integer(),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(TEXT, tie("value"), { maxKeys: 3 }),
  ),
})).value;

/** The value as TOML, and in `places` where each key in it and each member of a list begins. */
function printed(value: Value, path: string, before: string, places: Map<string, string>): string {
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  let text = isList ? "[ # ] {\n\n" : "{ ";
  for (const [index, [key, member]] of Object.entries(value).entries()) {
    if (index > 0) text += isList ? " # ,\n , " : ", ";
    const inner = `${path}\0${key}`;
    places.set(inner, before + text);
    if (!isList) text += `${JSON.stringify(key)} = `;
    text += printed(member, inner, before + text, places);
  }
  return text + (isList ? "\n]" : " }");
}

test("every key and every member of a list is found where it stands, however deep", () => {
  fc.assert(
    fc.property(fc.dictionary(TEXT, VALUE, { minKeys: 1, maxKeys: 3 }), (root) => {
      const places = new Map<string, string>();
      let toml = "";
      for (const [key, value] of Object.entries(root)) {
        places.set(key, toml);
        toml += `${JSON.stringify(key)} = `;
        toml += `${printed(value, key, toml, places)} # "\n`;
      }
      expect<unknown>(parse(toml)).toEqual(root);
      const found = tomlPositions(toml);
      for (const [path, before] of places) {
        const lines = before.split("\n");
        expect([path, found.get(path)]).toEqual([path, { line: lines.length, column: (lines.at(-1) ?? "").length + 1 }]);
      }
    }),
  );
});

test("a value that nests without end is walked through", () => {
  const depth = 900;
  const toml = `a = ${"[".repeat(depth)}${"]".repeat(depth)}\nb = 1\n`;
  expect(tomlPositions(toml).get("b")).toEqual({ line: 2, column: 1 });
});
