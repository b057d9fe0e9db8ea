import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PROPERTY_OPTIONS } from "../stream/properties.ts";
import { ANY_VALUE, type Json, placesOf, withValue } from "./support/any-json.ts";
import type { TestDaemon } from "./support/daemon.ts";
import { outcomeOf } from "./support/outcome.ts";
import { played, type RecordedBackend, recorded, startBackend, whole } from "./support/recorded-backend.ts";
import { startTranslating } from "./support/translating.ts";

const MESSAGES = [{ role: "user", content: "hello" }];
/** What each client asks, and the last event of a stream, good or bad, as it knows it. */
const CLIENTS = {
  chat: ["/v1/chat/completions", { model: "m", messages: MESSAGES }, /^data: (?:\[DONE\]|\{"error":.*)\n\n$/],
  responses: ["/v1/responses", { model: "m", input: "hello" }, /^event: response\.(?:completed|incomplete|failed)\n/],
  messages: ["/v1/messages", { model: "m", max_tokens: 9, messages: MESSAGES }, /^event: (?:message_stop|error)\n/],
} as const;

const PAIRS = [
  ["chat", "responses", ["text", "parallel-calls"]],
  ["messages", "responses", ["text", "parallel-calls"]],
  ["responses", "chat", ["text", "calls"]],
  ["messages", "chat", ["text", "calls"]],
] as const;

const OPTIONS = { ...PROPERTY_OPTIONS, numRuns: 150 };

describe.each(PAIRS)("any answer for a client of %s, from a target that speaks %s", (client, target, names) => {
  const [path, body, isLast] = CLIENTS[client];
  let backend: RecordedBackend;
  let daemon: TestDaemon;
  beforeAll(async () => {
    backend = await startBackend();
    daemon = await startTranslating("wire", [`endpoint = "${backend.endpoint}"`, `dialect = "${target}"`], ["--log-level", "silent"]);
  });
  afterAll(async () => {
    await daemon.stop();
    backend.stop();
  });
  const asked = (stream: boolean) => outcomeOf(daemon, path, { ...body, stream }, 10_000);

  test.each(names)(
    "a whole one with anything at any place is an answer or an error, never a mistake of the proxy's own: %s",
    async (name) => {
      const answer = JSON.parse(recorded(`${target}/${name}.json`).toString()) as Json;
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...placesOf(answer)), ANY_VALUE, fc.boolean(), async (place, value, stream) => {
          backend.reply(whole(200, JSON.stringify(withValue(answer, place, value) ?? "")));
          const { status, text, end } = await asked(stream);
          expect(end).toBe("proper");
          expect(text).not.toContain("a mistake in faultproxy itself");
          if (status === 200 && stream) expect(text.split(/(?<=\n\n)/).at(-1)).toMatch(isLast);
          else expect(JSON.parse(text)).toBeObject();
          backend.requests.length = 0;
        }),
        OPTIONS,
      );
    },
  );

  test.each(names)("a stream with anything at any place of any event ends as the client knows it: %s", async (name) => {
    const frames = recorded(`${target}/${name}.sse`)
      .toString()
      .split(/(?<=\n\n)/)
      .filter((frame) => frame.includes("data: {"));
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: frames.length - 1 }), fc.nat(), ANY_VALUE, async (index, place, value) => {
        const frame = frames[index] ?? "";
        const json = JSON.parse(frame.slice(frame.indexOf("{"))) as Json;
        const places = placesOf(json);
        const changed = withValue(json, places[place % places.length] ?? [], value);
        const bytes = frames.with(index, `data: ${JSON.stringify(changed ?? "")}\n\n`).join("");
        backend.reply(played(Buffer.from(bytes)));
        const { status, text, end } = await asked(true);
        expect({ status, end }).toEqual({ status: 200, end: "proper" });
        expect(text.split(/(?<=\n\n)/).at(-1)).toMatch(isLast);
        backend.requests.length = 0;
      }),
      OPTIONS,
    );
  });
});
