import { expect, test } from "bun:test";
import { parseObject } from "../../src/dialects/shared.ts";
import { wholeAsStream } from "../../src/translate/whole-as-stream.ts";

test("a whole message is a stream that brings each block at once", () => {
  const usage = { input_tokens: 1, output_tokens: 2 };
  const content = [
    { type: "text", text: "A" },
    { type: "tool_use", id: "t", name: "f", input: { a: 1 } },
  ];
  const end = { stop_reason: "tool_use", stop_sequence: null, stop_details: null };
  const payloads = wholeAsStream("messages", { id: "msg_1", type: "message", model: "m", content, ...end, usage });
  expect(payloads.map(({ event }) => event)).toEqual(payloads.map(({ data }) => String(parseObject(data)?.type)));
  expect(payloads.map(({ data }) => parseObject(data))).toEqual([
    { type: "message_start", message: { id: "msg_1", type: "message", model: "m", content: [], usage } },
    { type: "content_block_start", index: 0, content_block: content[0] },
    { type: "content_block_stop", index: 0 },
    { type: "content_block_start", index: 1, content_block: content[1] },
    { type: "content_block_stop", index: 1 },
    { type: "message_delta", delta: end, usage },
    { type: "message_stop" },
  ]);
});
