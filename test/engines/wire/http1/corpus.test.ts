import { describe, expect, test } from "bun:test";
import type { MessageEvent } from "../../../../src/engines/wire/http1/message.ts";
import { type MessageReader, requestReader, responseReader } from "../../../../src/engines/wire/http1/reader.ts";
import { CUT_REQUESTS, MALFORMED_REQUESTS, ODD_REQUESTS } from "./corpus/requests.ts";
import { MALFORMED_RESPONSES, ODD_RESPONSES, RESPONSES_WITH_MORE } from "./corpus/responses.ts";
import { eventsOf, inBlocks, latin1, textOf } from "./support.ts";

const toPost = () => responseReader(() => "POST");
const BLOCK_BYTES = [1, 2, 7, 1_000_000];

/** The last event for these bytes and, where asked for, the end of the connection: the same in blocks of whatever size. */
function lastEvent<StartLine>(
  readerOf: () => MessageReader<StartLine>,
  bytes: string,
  isEnded: boolean,
): MessageEvent<StartLine> | undefined {
  const found = BLOCK_BYTES.map((size) => {
    const reader = readerOf();
    const events = eventsOf(reader, inBlocks(latin1(bytes), size));
    if (isEnded) events.push(...reader.finish());
    return events.at(-1);
  });
  const [first] = found;
  for (const other of found) {
    expect(other?.kind).toBe(first?.kind as "error");
    if (other?.kind === "error") expect(other).toEqual(first as typeof other);
  }
  return first;
}

function errorOf<StartLine>(event: MessageEvent<StartLine> | undefined) {
  return event?.kind === "error" ? { status: event.error.status, code: event.error.code } : event?.kind;
}

test("the corpus has its cases, each by a name of its own", () => {
  for (const cases of [MALFORMED_REQUESTS, CUT_REQUESTS, ODD_REQUESTS, MALFORMED_RESPONSES, RESPONSES_WITH_MORE, ODD_RESPONSES]) {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    expect(new Set(cases.map(({ bytes }) => bytes)).size).toBe(cases.length);
  }
  expect(MALFORMED_REQUESTS.length).toBeGreaterThanOrEqual(340);
  expect(MALFORMED_RESPONSES.length).toBeGreaterThanOrEqual(140);
});

describe("a malformed request is refused at its bytes:", () => {
  test.each(MALFORMED_REQUESTS.map(({ name, bytes, expect: expected }) => [name, bytes, expected] as const))(
    "%s",
    (_name, bytes, expected) => {
      expect(errorOf(lastEvent(requestReader, bytes, false))).toEqual(expected);
    },
  );
});

describe("a cut request is refused at its end:", () => {
  test.each(CUT_REQUESTS.map(({ name, bytes, expect: expected }) => [name, bytes, expected] as const))("%s", (_name, bytes, expected) => {
    expect(lastEvent(requestReader, bytes, false)?.kind).not.toBe("error");
    expect(errorOf(lastEvent(requestReader, bytes, true))).toEqual(expected);
  });
});

describe("an odd request is read:", () => {
  test.each(ODD_REQUESTS.map(({ name, bytes }) => [name, bytes] as const))("%s", (_name, bytes) => {
    expect(lastEvent(requestReader, bytes, false)?.kind).toBe("end");
    expect(lastEvent(requestReader, bytes, true)?.kind).toBe("end");
  });
});

describe("a malformed response is refused:", () => {
  test.each(MALFORMED_RESPONSES.map(({ name, bytes, expect: { code } }) => [name, bytes, code] as const))("%s", (_name, bytes, code) => {
    const event = lastEvent(toPost, bytes, true);
    expect(event?.kind === "error" ? event.error.code : event?.kind).toBe(code);
  });
});

describe("what is behind a response is not part of it:", () => {
  test.each(RESPONSES_WITH_MORE.map(({ name, bytes, rest }) => [name, bytes, rest] as const))("%s", (_name, bytes, rest) => {
    const event = toPost().read(latin1(bytes)).at(-1);
    expect(event?.kind === "end" ? textOf(event.rest) : event?.kind).toBe(rest);
  });
});

describe("an odd response is read:", () => {
  test.each(ODD_RESPONSES.map(({ name, bytes, status, body }) => [name, bytes, status, body] as const))(
    "%s",
    (_name, bytes, status, body) => {
      for (const size of BLOCK_BYTES) {
        const reader = toPost();
        const events = [...eventsOf(reader, inBlocks(latin1(bytes), size)), ...reader.finish()];
        expect(events.at(-1)?.kind).toBe("end");
        const payload = events.flatMap((event) => (event.kind === "data" ? event.payload.map(textOf) : []));
        expect(payload.join("")).toBe(body);
        expect(events.filter((event) => event.kind === "head").at(-1)?.head.status).toBe(status);
      }
    },
  );
});
