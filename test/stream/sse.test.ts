import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SSE, sseSplitter } from "../../src/stream/sse.ts";
import { anyBytes, anyPlaces, bytesOf, expectExactFrames, PROPERTY_OPTIONS, plain, split, textOfPieces } from "./properties.ts";

const PIECES = [
  "\n",
  "\r",
  "\r\n",
  "\n\n",
  "\r\r",
  "\r\n\r\n",
  "data:",
  "data: ",
  "data",
  "event: x",
  "event:",
  ": c",
  "id: 1",
  "\uFEFF",
  "é",
  "漢",
  "😀",
];

function framesOf(text: string) {
  return plain(split(SSE.splitter(), [bytesOf(text)])).map(({ bytes, event, data }) => [
    Buffer.from(bytes, "latin1").toString("utf8"),
    event,
    data,
  ]);
}

/** WHATWG HTML section 9.2.6, step by step over the whole text; `TextDecoder` has taken off the byte order mark. */
function eventsBySpecification(text: string): string[][] {
  const events: string[][] = [];
  let data = "";
  let type = "";
  const lines = text.split(/\r\n|\r|\n/);
  // What stands after the last line end is not a line yet.
  for (const line of lines.slice(0, -1)) {
    const colon = line.indexOf(":");
    if (line === "") {
      if (data !== "") events.push([type, data.slice(0, -1)]);
      data = "";
      type = "";
    } else if (colon !== 0) {
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") data += `${value}\n`;
      if (field === "event") type = value;
    }
  }
  return events;
}

describe("SSE frames", () => {
  test("do not depend on chunking and join to the input, whatever the bytes", () => {
    const input = fc.oneof(textOfPieces(PIECES), anyBytes);
    fc.assert(
      fc.property(input, anyPlaces, (bytes, places) => expectExactFrames(SSE.splitter, bytes, places)),
      PROPERTY_OPTIONS,
    );
  });

  test("bring the events that the specification's own steps bring", () => {
    fc.assert(
      fc.property(textOfPieces(PIECES), (bytes) => {
        const events = split(SSE.splitter(), [bytes]).flatMap(({ event, data }) => (data === undefined ? [] : [[event ?? "", data]]));
        expect(events).toEqual(eventsBySpecification(new TextDecoder().decode(bytes)));
      }),
      PROPERTY_OPTIONS,
    );
  });

  test("above the limit come in pieces without data that do not depend on chunking either", () => {
    fc.assert(
      fc.property(textOfPieces(PIECES), anyPlaces, fc.integer({ min: 1, max: 40 }), (bytes, places, bytesMax) => {
        expectExactFrames(() => sseSplitter(bytesMax), bytes, places);
        expect(split(sseSplitter(bytesMax), [bytes]).every((frame) => frame.bytes.length <= bytesMax)).toBe(true);
      }),
      PROPERTY_OPTIONS,
    );
  });

  const cases: readonly (readonly [string, string, readonly (readonly [string, string | undefined, string | undefined])[]])[] = [
    ["one event", "data: x\n\n", [["data: x\n\n", undefined, "x"]]],
    ["no space after the colon", "data:x\n\n", [["data:x\n\n", undefined, "x"]]],
    ["only one space is taken off", "data:  x\n\n", [["data:  x\n\n", undefined, " x"]]],
    ["CRLF", "event: e\r\ndata: x\r\n\r\n", [["event: e\r\ndata: x\r\n\r\n", "e", "x"]]],
    [
      "CR",
      "data: x\r\rdata: y\r\r",
      [
        ["data: x\r\r", undefined, "x"],
        ["data: y\r\r", undefined, "y"],
      ],
    ],
    ["mixed line ends", "data: x\r\n\n", [["data: x\r\n\n", undefined, "x"]]],
    ["several data lines", "data: a\ndata\ndata: b\n\n", [["data: a\ndata\ndata: b\n\n", undefined, "a\n\nb"]]],
    ["empty data", "data:\n\n", [["data:\n\n", undefined, ""]]],
    ["event without data", "event: ping\n\n", [["event: ping\n\n", "ping", undefined]]],
    ["comment", ": OPENROUTER PROCESSING\n\n", [[": OPENROUTER PROCESSING\n\n", undefined, undefined]]],
    ["comment before data", ": c\ndata: x\n\n", [[": c\ndata: x\n\n", undefined, "x"]]],
    [
      "blank lines between",
      "\n\r\ndata: x\n\n\n",
      [
        ["\n", undefined, undefined],
        ["\r\n", undefined, undefined],
        ["data: x\n\n", undefined, "x"],
        ["\n", undefined, undefined],
      ],
    ],
    ["other fields", "id: 7\nretry: 5\ndatax: no\ndata: x\n\n", [["id: 7\nretry: 5\ndatax: no\ndata: x\n\n", undefined, "x"]]],
    ["byte order mark", "\uFEFFdata: x\n\n", [["\uFEFFdata: x\n\n", undefined, "x"]]],
    ["byte order mark in a value", "data: \uFEFFx\n\n", [["data: \uFEFFx\n\n", undefined, "\uFEFFx"]]],
    [
      "unfinished rest",
      "data: x\n\ndata: y\n",
      [
        ["data: x\n\n", undefined, "x"],
        ["data: y\n", undefined, undefined],
      ],
    ],
    [
      "bare JSON after the last event",
      'data: {"a":1}\n\n{\n  "error": {\n    "code": 503\n  }\n}\n',
      [
        ['data: {"a":1}\n\n', undefined, '{"a":1}'],
        ['{\n  "error": {\n    "code": 503\n  }\n}\n', undefined, undefined],
      ],
    ],
  ];
  test.each([...cases])("%s", (_name, input, expected) => {
    expect(framesOf(input)).toEqual(expected.map((frame) => [...frame]));
  });

  test("a frame comes with its blank line, not one byte later", () => {
    const splitter = SSE.splitter();
    expect(splitter.push(bytesOf("data: x\n"))).toHaveLength(0);
    expect(splitter.push(bytesOf("\n"))).toHaveLength(1);
    expect(splitter.push(bytesOf("data: y\r\n\r"))).toHaveLength(0);
    expect(splitter.push(bytesOf("\n"))).toHaveLength(1);
  });

  test("a frame in many small chunks costs one pass", () => {
    const splitter = sseSplitter(64 * 1024 * 1024);
    const frames = [...splitter.push(bytesOf("data: "))];
    const chunk = new Uint8Array(16).fill(0x61);
    for (let index = 0; index < 250_000; index++) frames.push(...splitter.push(chunk));
    frames.push(...splitter.push(bytesOf("\n\n")));
    expect(frames.map((frame) => frame.data?.length)).toEqual([4_000_000]);
  });

  test("what is rendered is read back", () => {
    const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\r", "").replaceAll("\n", ""));
    const data = fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join("\n"));
    const name = fc.option(fc.stringMatching(/^[a-z._]{1,20}$/), { nil: undefined });
    fc.assert(
      fc.property(name, data, (event, text) => {
        const frames = split(SSE.splitter(), [SSE.render(event, text, 0)]);
        expect(frames.map((frame) => [frame.event, frame.data])).toEqual([[event, text]]);
      }),
      PROPERTY_OPTIONS,
    );
  });
});
