import { expect, test } from "bun:test";
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
