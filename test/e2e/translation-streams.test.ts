import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import { ENGINES, eventually, type TestDaemon } from "./support/daemon.ts";
import { chunked, complete, converse, raw, rawConnection, request } from "./support/raw-client.ts";
import { type BackendRequest, played, type RecordedBackend, recorded, startBackend, writeChunk } from "./support/recorded-backend.ts";
import { CHAT_PATH, openaiAt, post, startTranslating } from "./support/translating.ts";

const BODY = { model: "gpt-5.1", messages: [{ role: "user" as const, content: "hello" }], stream: true as const };
const TEXT = recorded("responses/text.sse");
const EVENTS = TEXT.toString()
  .split(/(?<=\n\n)/)
  .filter((event) => event !== "");
/** The events before the answer's text has come as far as this. */
const eventsUntil = (piece: string) => EVENTS.slice(0, EVENTS.findIndex((event) => event.includes(`"delta":"${piece}"`)) + 1).join("");

/** The head of an answer that others finish. */
const begun =
  (events: string, then: (request: BackendRequest) => void = () => {}) =>
  (request: BackendRequest) => {
    request.socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    writeChunk(request.socket, events);
    then(request);
  };

/** What came of a stream, as its client saw it. */
async function seenBy(openai: OpenAI): Promise<{ text: string; finish: string | undefined; error: unknown }> {
  const seen: { text: string; finish: string | undefined; error: unknown } = { text: "", finish: undefined, error: undefined };
  try {
    for await (const { choices } of await openai.chat.completions.create(BODY)) {
      seen.text += choices[0]?.delta.content ?? "";
      seen.finish = choices[0]?.finish_reason ?? seen.finish;
    }
  } catch (error) {
    seen.error = error;
  }
  return seen;
}

describe.each(ENGINES)("translated streams and how they end, with the %s engine", (engine) => {
  let backend: RecordedBackend;
  let daemon: TestDaemon;
  let openai: OpenAI;
  beforeAll(async () => {
    backend = await startBackend();
    daemon = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, 'dialect = "responses"']);
    openai = openaiAt(daemon);
  });
  afterAll(async () => {
    await daemon.stop();
    backend.stop();
  });
  const FIELDS = { "content-type": "application/json" };
  const bytes = () => request("POST", CHAT_PATH, FIELDS, JSON.stringify(BODY));

  test.each([
    ["error and response.failed", "failed", "The first half", { code: "rate_limit_exceeded", type: "tokens" }, /try again in 11\.054s/],
    ["response.failed alone", "failed-alone", "The first half", { code: "server_error" }, /invalid content/],
    ["an error event as specified", "error-flat", "", { code: "server_error" }, /while processing your request/],
  ])("%s: an error, what came before it, and no reason to finish", async (_, name, text, facts, message) => {
    backend.reply(played(recorded(`responses/${name}.sse`)));
    const seen = await seenBy(openai);
    expect(seen).toMatchObject({ text, finish: undefined, error: facts });
    expect(String(seen.error)).toMatch(message);
    const { text: whole, end } = await raw(daemon.port, bytes(), { until: complete });
    expect(whole).toContain('data: {"error":{');
    expect(whole).not.toContain("[DONE]");
    expect(end).toBe("open");
  });

  test.each([
    ["FIN", "fin"],
    ["RST", "rst"],
    ["a proper end", "proper"],
  ] as const)("a stream that stops in its middle by %s is an error and never looks whole", async (_, end) => {
    const came = Promise.withResolvers<void>();
    backend.reply(played(Buffer.from(eventsUntil("ürich")), { end, until: came.promise }));
    let text = "";
    let error: unknown;
    try {
      for await (const { choices } of await openai.chat.completions.create(BODY)) {
        text += choices[0]?.delta.content ?? "";
        expect(choices[0]?.finish_reason).toBeNull();
        if (text.endsWith("ürich")) came.resolve();
      }
    } catch (thrown) {
      error = thrown;
    }
    expect(text).toBe("Grüße aus Zürich");
    expect(error).toMatchObject({ code: "stream_incomplete", type: "server_error" });
  });

  test.each(["fin", "rst"] as const)("on the wire, a stream cut by %s has the error in it and no last chunk", async (end) => {
    const came = Promise.withResolvers<void>();
    backend.reply(played(Buffer.from(eventsUntil("ürich")), { end, until: came.promise }));
    const answer = await raw(daemon.port, bytes(), {
      until: (text) => {
        if (Buffer.from(text, "latin1").toString().includes("ürich")) came.resolve();
        return false;
      },
    });
    // The serve engine has no other way.
    expect(answer.end).toBe(engine === "wire" ? "fin" : "rst");
    const { text, ended } = chunked(answer);
    expect(text).toContain('data: {"error":{');
    expect(text).not.toContain("[DONE]");
    expect(ended).toBe(false);
  });

  test("bytes without a terminal event, and nothing before them: an error", async () => {
    backend.reply(played(Buffer.from("")));
    expect(await seenBy(openai)).toMatchObject({ text: "", finish: undefined, error: { code: "stream_incomplete" } });
  });

  test("the end comes with the terminal event; a backend that says no more and stays is left", async () => {
    backend.reply(played(TEXT, { end: "open" }));
    const start = performance.now();
    const answer = await raw(daemon.port, bytes(), { until: complete });
    expect(performance.now() - start).toBeLessThan(800);
    expect(chunked(answer)).toMatchObject({ ended: true, text: expect.stringMatching(/data: \[DONE\]\n\n$/) });
    await backend.last().gone;
    expect(performance.now() - start).toBeLessThan(3_000);
    expect(await daemon.event(({ type, done }) => type === "exchange" && done === "delivered")).toMatchObject({ status: 200, error: null });
  });

  test("an RST behind the terminal event is no cut", async () => {
    const came = Promise.withResolvers<void>();
    backend.reply(played(TEXT, { end: "rst", until: came.promise }));
    const answer = await raw(daemon.port, bytes(), {
      until(text) {
        if (text.includes("sonnig")) came.resolve();
        return complete(text);
      },
    });
    expect(chunked(answer)).toMatchObject({ ended: true, text: expect.stringMatching(/data: \[DONE\]\n\n$/) });
  });

  test("a client that leaves in the middle takes the backend's connection with it", async () => {
    backend.reply(begun(eventsUntil("ürich")));
    const stream = await openai.chat.completions.create(BODY);
    for await (const { choices } of stream) if (choices[0]?.delta.content !== undefined) break;
    await backend.last().gone;
    const ended = await daemon.event(({ type, done }) => type === "exchange" && done === "client_gone");
    expect(ended).toMatchObject({ error: null });
  });

  test("a client that leaves before a whole answer has come takes the backend's connection with it", async () => {
    const before = backend.requests.length;
    backend.reply(
      ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"id":'),
    );
    const { socket } = rawConnection(daemon.port, request("POST", CHAT_PATH, FIELDS, JSON.stringify({ ...BODY, stream: false })));
    await eventually(() => (backend.requests.length > before ? true : undefined), "the request");
    socket.destroy();
    await backend.last().gone;
  });

  test("chunks come as their events do, and comments pass", async () => {
    const opened = Promise.withResolvers<BackendRequest>();
    backend.reply(begun(`: keepalive\n\n${EVENTS[0]}`, opened.resolve));
    const client = converse(daemon.port, bytes());
    const { socket } = await opened.promise;
    await client.until((text) => text.includes(": keepalive\n\n") && text.includes('"role":"assistant"'));
    const first = eventsUntil("Gr");
    writeChunk(socket, `: ping\n\n${first.slice(EVENTS[0]?.length)}`);
    await client.until((text) => text.includes(": ping\n\n") && text.includes('"content":"Gr"'));
    expect(client.text()).not.toContain("sonnig");
    writeChunk(socket, TEXT.subarray(first.length));
    await client.until((text) => text.endsWith("0\r\n\r\n"));
    expect(client.text()).toContain("sonnig");
    socket.write("0\r\n\r\n");
    client.socket.destroy();
  });

  test("events that keep a connection alive become comments", async () => {
    const keepalive = 'event: keepalive\ndata: {"type":"keepalive","sequence_number":2}\n\n';
    backend.reply(played(Buffer.from(`${EVENTS[0]}${keepalive}${TEXT.subarray(EVENTS[0]?.length)}`)));
    const { text } = await post(daemon, CHAT_PATH, BODY);
    expect(text.split("\n\n")[1]).toBe(": keepalive");
    expect(text).toEndWith("data: [DONE]\n\n");
  });

  test("an event that never ends is a cut: what it says would be missing in an answer that looks whole", async () => {
    backend.reply(
      begun(eventsUntil("Gr"), ({ socket }) => {
        writeChunk(socket, 'data: {"type":"response.output_text.delta","delta":"');
        for (let megabytes = 0; megabytes < 17; megabytes++) writeChunk(socket, "x".repeat(1024 * 1024));
      }),
    );
    expect(await seenBy(openai)).toMatchObject({ text: "Gr", finish: undefined, error: { code: "stream_incomplete" } });
    await backend.last().gone;
  });

  test("ten streams at once do not wait for each other", async () => {
    const open: BackendRequest[] = [];
    const first = eventsUntil("Gr");
    backend.reply(begun(first, (request) => void open.push(request)));
    let finished = 0;
    const clients = Array.from({ length: 10 }, () =>
      seenBy(openai).then((seen) => {
        finished++;
        return seen;
      }),
    );
    await eventually(() => (open.length === 10 ? true : undefined), "ten streams");
    for (const [index, { socket }] of open.toReversed().entries()) {
      writeChunk(socket, TEXT.subarray(first.length));
      socket.write("0\r\n\r\n");
      await eventually(() => (finished > index ? true : undefined), `the end of stream ${index}`);
      expect(finished).toBe(index + 1);
    }
    for (const seen of await Promise.all(clients)) expect(seen).toMatchObject({ finish: "stop", error: undefined });
  });
});
