import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { WholeBody } from "../../src/core/whole-body.ts";
import { toldAtEnd as toldInBody } from "../../src/dialects/index.ts";

/** In a block that other bytes stand in too. */
function toldAtEnd(text: string) {
  const [before, behind] = ['"usage"', '"usage":{}}"error"'];
  const block = Buffer.from(`${before}${text}${behind}`);
  return toldInBody(new WholeBody(block, before.length, block.length - behind.length));
}

const CHAT = {
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-5-mini",
  choices: [{ index: 0, message: { role: "assistant", content: 'Say "usage": {} and "model": "x"' }, finish_reason: "stop" }],
  usage: { prompt_tokens: 3, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 1 } },
};
const MESSAGES = {
  model: "claude-opus-4-8",
  id: "msg_1",
  content: [{ type: "tool_use", id: "t", name: "n", input: { model: "other", usage: { input_tokens: 9 } } }],
  usage: { input_tokens: 3, output_tokens: 4 },
};

describe("usage at the end of a whole answer", () => {
  test.each([
    ["of Chat Completions", CHAT],
    ["of Messages, whose calls have keys of the same names", MESSAGES],
    ["before members with members", { ...CHAT, metadata: { a: { b: 1 } } }],
    ["before members without members", { ...CHAT, service_tier: "default", system_fingerprint: null, n: 1.5 }],
  ])("%s is found, however it is spaced", (_, answer) => {
    for (const text of [JSON.stringify(answer), JSON.stringify(answer, null, 2), `${JSON.stringify(answer)}\n`]) {
      expect(toldAtEnd(text)).toEqual({ usage: answer.usage, model: answer.model });
    }
  });

  const { usage, model, ...rest } = CHAT;
  test.each([
    ["no usage", { model, ...rest }],
    ["a usage that is none", { ...CHAT, usage: null }],
    ["the model behind the output", { ...rest, model, usage }],
    ["no model", { ...rest, usage }],
    ["an empty model", { ...CHAT, model: "" }],
    ["a model that is no text", { ...CHAT, model: 5 }],
    ["a model with escapes", { ...CHAT, model: 'a"b' }],
    ["a model beyond ASCII", { ...CHAT, model: "模型" }],
    ["a member with escapes before the model", { ...CHAT, id: "a\\b" }],
    ["the model behind a member with members", { metadata: {}, ...CHAT }],
    ["an error", { ...CHAT, error: null }],
    ["usage of a member alone", { model, ...rest, metadata: { usage } }],
    ["a longer end than any", { ...CHAT, note: "x".repeat(5_000) }],
  ])("an answer with %s has to be read", (_, answer) => {
    expect(toldAtEnd(JSON.stringify(answer))).toBeUndefined();
  });

  test("an answer that was cut has to be read, wherever that was", () => {
    const text = JSON.stringify(CHAT);
    for (let length = 0; length < text.length; length++) expect(toldAtEnd(text.slice(0, length))).toBeUndefined();
  });

  test("whatever is found is what reading finds", () => {
    const name = fc.constantFrom("usage", "model", "choices", "content", "id", "x");
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        fc.string(),
        fc.integer(),
        fc.constant(null),
        fc.constantFrom('"usage":{', "}", '"model":"y"', "usage"),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(name, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    let found = 0;
    fc.assert(
      fc.property(tree, tree, tree, (choices, tail, usage) => {
        const answer = { id: "i", model: "m", choices, usage: { prompt_tokens: 1, more: usage }, tail };
        const told = toldAtEnd(JSON.stringify(answer));
        if (told === undefined) return;
        found++;
        expect(told).toEqual(JSON.parse(JSON.stringify({ usage: answer.usage, model: answer.model })));
      }),
      { numRuns: 2_000 },
    );
    expect(found).toBeGreaterThan(100);
  });
});
