import { expect, test } from "bun:test";
import { WholeBody } from "../../../src/core/whole-body.ts";
import { WholeRequestBody } from "../../../src/engines/wire/request-body.ts";

const BLOCK = Buffer.from("POST / HTTP/1.1\r\n\r\nthe body and what follows");
const BODY = "the body";
const from = BLOCK.indexOf(BODY);

test("a body that is there can be sent as often as one likes, whoever reads it and gives it up", async () => {
  const body = new WholeRequestBody(new WholeBody(BLOCK, from, from + BODY.length));
  for (let attempt = 0; attempt < 3; attempt++) {
    const forwarded = body.forward();
    expect(Buffer.from((await forwarded.read()) ?? []).toString()).toBe(BODY);
    expect(await forwarded.read()).toBeUndefined();
    forwarded.cancel();
    expect(forwarded.text()).toBe(BODY);
  }
  expect(body.lengthBytes).toBe(BODY.length);
});

test("what is looked for is found in the body alone", () => {
  const body = new WholeBody(BLOCK, from, from + BODY.length);
  expect(["the", "body", "HTTP", "and", "dy a"].map((part) => body.has(Buffer.from(part)))).toEqual([true, true, false, false, false]);
  expect(["the", "b", "HTTP", "and"].map((part) => body.lastIndexOf(Buffer.from(part)))).toEqual([0, 4, -1, -1]);
  expect([body.byteAt(0), body.latin1(4, 8)]).toEqual([0x74, "body"]);
});
