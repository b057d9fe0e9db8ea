import { expect, test } from "bun:test";
import { isInputError } from "../../src/core/errors.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { parseCommand } from "../../src/rules/language.ts";
import { needsRawSockets } from "../../src/rules/raw-sockets.ts";

function refusal(text: string): string | undefined {
  const command = parseCommand(text);
  if (isInputError(command)) throw new Error(`${text}: ${command.message}`);
  return needsRawSockets(command)?.message;
}

test("faults that need raw sockets, as they are by default", () => {
  expect(FAULTS.flatMap(({ name }) => (refusal(name) === undefined ? [] : [name]))).toEqual([
    "close",
    "hang_after_headers",
    "truncate_body",
    "wrong_length",
    "duplicate_head",
    "slow_head",
    "half_close",
    "late_reset",
    "garbage",
  ]);
});

test("whatever acts on the bytes of a response needs raw sockets", () => {
  const over = FAULTS.filter(({ acts }) => acts === "wire").map(({ name }) => name);
  expect(over.filter((name) => refusal(name) === undefined)).toEqual([]);
});

const SENTENCE = "only raw sockets can do that; start with --engine wire, the default, in place of --engine serve";

test.each([
  ["cut by=fin", "cut 1 by=fin"],
  ["cut by=reset", undefined],
  ["cut by=end", undefined],
  ["garbage kind=status_line", "garbage 1 kind=status_line"],
  ["garbage * kind=chunk_size", "garbage * kind=chunk_size"],
  ["garbage kind=binary", undefined],
  ["add truncate_body 30% by=reset", "truncate_body 30% by=reset"],
  ["close 0", undefined],
  ["n", undefined],
  ["ls", undefined],
])("%s", (text, named) => {
  expect(refusal(text)).toBe(named && `${named}: ${SENTENCE}`);
});
