import { describe, expect, test } from "bun:test";
import type { Frame } from "../../src/core/frame.ts";
import { actionsOver, answerOf, bytesOfFrames, FAKE_ARRAY, FAKE_DIALECT, FAKE_SSE, framesOf, joined, planOf, textOver } from "./fakes.ts";

describe("a synthesised answer", () => {
  test.each([
    ["refusal", { message: "No." }, { text: [], refusal: "No.", finish: "stop" }],
    ["empty", {}, { text: [], toolCalls: [], finish: "stop" }],
    ["bad_tool_json", {}, { toolCalls: [{ name: "search" }], finish: "tool_calls" }],
    ["unknown_tool", {}, { toolCalls: [{ name: "nonexistent_tool" }], finish: "tool_calls" }],
  ])("%s says what it should", (name, parameters, expected) => {
    const { status, headers, text } = answerOf(name, parameters, { stream: false });
    expect(status).toBe(200);
    expect(headers).toEqual([
      ["content-type", "application/json"],
      ["x-request-id", "req_1"],
    ]);
    expect(JSON.parse(text)).toMatchObject(expected);
  });

  test("is a stream where one was asked for", () => {
    const { headers, text } = answerOf("empty");
    expect([headers[0], text]).toEqual([["content-type", "text/event-stream"], "data: [DONE]\n\n"]);
  });

  test("the broken arguments do not parse, and those of the unknown tool do", () => {
    const argumentsOf = (name: string) => JSON.parse(answerOf(name, {}, { stream: false }).text).toolCalls[0].argumentsText;
    expect(() => JSON.parse(argumentsOf("bad_tool_json"))).toThrow();
    expect(JSON.parse(argumentsOf("unknown_tool"))).toBeObject();
  });

  test("the unknown tool is never one that was offered", () => {
    const { text } = answerOf("unknown_tool", {}, { stream: false, tools: ["nonexistent_tool", "nonexistent_tool_"] });
    expect(JSON.parse(text).toolCalls[0].name).toBe("nonexistent_tool__");
  });

  test("is the same for the same seed", () => {
    expect(answerOf("unknown_tool", {}, { seed: 3 })).toEqual(answerOf("unknown_tool", {}, { seed: 3 }));
  });

  test.each(["refusal", "empty", "bad_tool_json", "unknown_tool"])("%s leaves an endpoint of no known dialect alone", (name) => {
    expect(planOf(name, {}, { dialect: undefined })).toEqual([]);
  });
});

describe("a rewritten answer", () => {
  const LIVE = framesOf(['{"text":"one"}', '{"text":"two"}', '{"finish":"stop"}', '{"usage":{}}', "[DONE]"]);

  test("finish_length ends early and says so", () => {
    expect(textOver(actionsOver("finish_length", LIVE, { after: 1 }))).toBe(
      'data: {"text":"one"}\n\ndata: {"finish":"length"}\n\ndata: {"usage":{}}\n\ndata: [DONE]\n\n',
    );
  });

  test("usage_missing leaves out the usage and keeps all other bytes", () => {
    expect(joined(actionsOver("usage_missing", LIVE))).toEqual(bytesOfFrames(LIVE.toSpliced(3, 1)));
  });

  test("a JSON array stays one when its first element goes", () => {
    const frames = framesOf(['{"usage":{}}', '{"text":"one"}', '{"text":"two"}'], FAKE_ARRAY);
    expect(JSON.parse(textOver(actionsOver("usage_missing", frames, {}, FAKE_ARRAY)))).toEqual([{ text: "one" }, { text: "two" }]);
  });

  test("an event's name goes on repeating its type", () => {
    const dialect = { ...FAKE_DIALECT, endedByLength: () => (payload: string) => payload.replace("completed", "incomplete") };
    const data = '{"type":"response.completed"}';
    const frame: Frame = { event: "response.completed", data, bytes: FAKE_SSE.render("response.completed", data, 0) };
    expect(textOver(actionsOver("finish_length", [frame], { after: 1 }, FAKE_SSE, { dialect }))).toBe(
      'event: response.incomplete\ndata: {"type":"response.incomplete"}\n\n',
    );
  });
});
