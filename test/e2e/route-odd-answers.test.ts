import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { startTestDaemon, type TestDaemon } from "./support/daemon.ts";

/** What a primary says that is no answer; the fallback has one. */
let says: () => Response = () => new Response();
let primaries = 0;
const asked: string[] = [];
const GOOD = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "good",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};
const chunk = (delta: object, finish: string | null = null, index = 0) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "good", choices: [{ index, delta, finish_reason: finish }] })}\n\n`;
const STREAM = `${chunk({ role: "assistant", content: "" })}${chunk({ content: "Hello" })}${chunk({}, "stop")}data: [DONE]\n\n`;
const sse = (text: string) => new Response(text, { headers: { "content-type": "text/event-stream" } });

const servers = [
  Bun.serve({
    port: 0,
    async fetch(request) {
      primaries++;
      await request.arrayBuffer();
      return says();
    },
  }),
  Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const body = Buffer.from(await request.arrayBuffer()).toString();
      asked.push(pathname);
      if (pathname.endsWith("/embeddings")) return Response.json({ object: "list", data: [], model: "e" });
      return body.includes('"stream":true') ? sse(STREAM) : Response.json(GOOD);
    },
  }),
] as const;

const SECRET = "sk-lent-0123456789abcdef";
let daemon: TestDaemon;
beforeAll(async () => {
  const [primary, fallback] = servers.map(({ port }) => `http://127.0.0.1:${port}/v1`);
  const toml = `[breaker]\nmode = "off"\n[[route]]\ntargets = [
  { provider = "openai", url = "${primary}", retries = 0, idle_timeout = 0.3, credential = { env = "LENT" } },
  { provider = "openai", url = "${fallback}", model = "good", retries = 0 },
]\n`;
  daemon = await startTestDaemon({ engine: "wire", toml, environment: { LENT: SECRET } });
});
afterAll(async () => {
  await daemon.stop();
  for (const server of servers) server.stop(true);
});
beforeEach(() => {
  asked.length = 0;
  primaries = 0;
});

const reset = () => fetch("http://localhost/v1/cooldowns/reset", { unix: daemon.socket, method: "POST", body: '{"target":null}' });

async function ask(path: string, body: string | object, headers: Record<string, string> = {}) {
  const response = await fetch(`${daemon.origin}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, ...(await read(response)) };
}

/** As far as it comes. */
async function read(response: Response): Promise<{ readonly text: string; readonly isCut: boolean }> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const piece of response.body ?? []) text += decoder.decode(piece, { stream: true });
    return { text, isCut: false };
  } catch {
    return { text, isCut: true };
  }
}

const CHAT = { model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] };

describe("a 200 that is no answer is not one", () => {
  const WHOLE: readonly [string, () => Response][] = [
    ["an empty object", () => Response.json({})],
    ["an error of another kind", () => Response.json({ detail: "Internal Server Error" })],
    ["a proxy's own", () => Response.json({ message: "no healthy upstream" })],
    ["a list", () => Response.json([GOOD])],
    ["a text", () => Response.json("out of order")],
    [
      "white space for ever",
      () =>
        new Response(
          new ReadableStream({
            async pull(to) {
              to.enqueue(new TextEncoder().encode("\n"));
              await Bun.sleep(50);
            },
          }),
          { headers: { "content-type": "application/json" } },
        ),
    ],
    ["nothing", () => new Response(null, { headers: { "content-type": "application/json" } })],
    ["an accepted job", () => Response.json({ id: "job" }, { status: 202 })],
  ];
  test.each(WHOLE)("%s", async (_name, answer) => {
    says = answer;
    const got = await ask("/v1/chat/completions", CHAT);
    expect([got.status, JSON.parse(got.text).model, primaries]).toEqual([200, "good", 1]);
  });

  test("where the API is none of the four it is an error or a page that is none", async () => {
    for (const answer of [
      () => new Response("<html>", { headers: { "content-type": "text/html" } }),
      () => Response.json({ error: { message: "Overloaded" } }),
    ]) {
      says = answer;
      const got = await ask("/v1/embeddings", { model: "e", input: "Hi" });
      expect([got.status, JSON.parse(got.text).object, asked.at(-1)]).toEqual([200, "list", "/v1/embeddings"]);
    }
  });

  test("and what is an answer there is one, whatever its type", async () => {
    says = () => new Response(new Uint8Array([1, 2, 3]), { headers: { "content-type": "audio/mpeg" } });
    const got = await ask("/v1/audio/speech", { model: "tts-1", input: "Hi" });
    expect([got.status, got.headers.get("content-type"), got.text, asked.length]).toEqual([200, "audio/mpeg", "\u0001\u0002\u0003", 0]);
  });
});

describe("a stream", () => {
  const stream = { ...CHAT, stream: true };
  const DATA = /^data: (.*)$/gm;
  const textOf = (body: string) =>
    [...body.matchAll(DATA)]
      .map(([, data = ""]) => (data === "[DONE]" ? "" : (JSON.parse(data).choices?.[0]?.delta?.content ?? "")))
      .join("");

  test.each([
    ["no blank line behind its terminator", STREAM.slice(0, -1)],
    ["no line end behind its terminator", STREAM.slice(0, -2)],
    ["no blank line behind its finish", STREAM.slice(0, STREAM.indexOf("data: [DONE]") - 1)],
    ["half an event behind its finish", `${STREAM.slice(0, STREAM.indexOf("data: [DONE]"))}data: {"id":"c1","choices":[],"usa`],
  ])("with %s is whole, and looks so", async (_name, bytes) => {
    says = () => sse(bytes);
    const got = await ask("/v1/chat/completions", stream);
    expect([got.text, asked.length]).toEqual([STREAM, 0]);
  });

  test("that says an empty reason all the time is not over for that", async () => {
    const bytes = STREAM.replaceAll('"finish_reason":null', '"finish_reason":""');
    says = () => sse(bytes);
    expect((await ask("/v1/chat/completions", stream)).text).toBe(bytes);
    const cut = bytes.slice(0, bytes.indexOf(chunk({}, "stop")));
    says = () => sse(cut);
    expect((await ask("/v1/chat/completions", stream)).text).not.toContain("[DONE]");
  });

  const NEVER_WHOLE: readonly [string, string][] = [
    ["one of two choices is missing its end", `${chunk({ content: "a" })}${chunk({ content: "b" }, null, 1)}${chunk({}, "stop")}`],
    ["it says that it broke off", `${chunk({ content: "a" })}${chunk({}, "error")}data: [DONE]\n\n`],
    ["it ran out of resources", `${chunk({ content: "a" })}${chunk({}, "insufficient_system_resource")}`],
    ["the word for a finish is in a text", chunk({ content: '"finish_reason":"stop"' })],
  ];
  test.each(NEVER_WHOLE)("is not whole where %s", async (_name, bytes) => {
    says = () => sse(bytes);
    const got = await ask("/v1/chat/completions", stream);
    // All of it came at once: it may be seen before anything has gone on, and then the fallback answers.
    const isFallback = got.text === STREAM;
    expect(isFallback || (got.isCut && got.text.includes('"error"') && !got.text.includes("[DONE]"))).toBe(true);
  });

  test("that stands still but for the same empty frame is broken off", async () => {
    says = () =>
      new Response(
        new ReadableStream({
          async start(to) {
            to.enqueue(new TextEncoder().encode(chunk({ role: "assistant", content: "Hel" })));
            for (let each = 0; each < 100; each++) {
              await Bun.sleep(50);
              try {
                to.enqueue(new TextEncoder().encode(chunk({})));
              } catch {
                return;
              }
            }
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    const got = await ask("/v1/chat/completions", stream);
    expect([got.isCut, textOf(got.text), got.text.includes("stands still")]).toEqual([true, "Hel", true]);
  });
});

test("a body that is too large to be looked at may ask for either form, and counts as neither", async () => {
  says = () => sse(STREAM);
  const body = `{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"${"x".repeat(33 * 1024 * 1024)}"}]}`;
  const got = await ask("/v1/chat/completions", body);
  expect([got.status, got.text]).toEqual([200, STREAM]);
  says = () => Response.json(GOOD);
  expect(JSON.parse((await ask("/v1/chat/completions", body.replace('"stream":true', '"stream":false'))).text).model).toBe("good");
});

describe("a credential that is lent", () => {
  test("is not shown by a target that repeats it", async () => {
    says = () =>
      Response.json(
        { error: { message: `Incorrect API key provided: ${SECRET}`, code: "invalid_api_key" } },
        { status: 400, headers: { "x-key": SECRET } },
      );
    await using alone = await startTestDaemon({
      engine: "wire",
      toml: `[[route]]\ntargets = [{ provider = "openai", url = "http://127.0.0.1:${servers[0].port}", credential = { env = "LENT" } }]\n`,
      environment: { LENT: SECRET },
    });
    const response = await fetch(`${alone.origin}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify(CHAT),
      headers: { "content-type": "application/json" },
    });
    const text = await response.text();
    expect([response.status, response.headers.get("x-key")]).toEqual([400, "********"]);
    expect(text).toContain("Incorrect API key provided: ********");
    expect(text + alone.log() + JSON.stringify(await alone.events())).not.toContain(SECRET);
  });

  test("is left alone for a request that it may not make no longer than for a moment", async () => {
    says = () =>
      Response.json(
        { error: { message: "Project `p` does not have access to model `gpt-5-pro`", code: "model_not_found" } },
        { status: 403 },
      );
    expect((await ask("/v1/chat/completions", CHAT)).status).toBe(200);
    says = () => Response.json({ ...GOOD, model: "primary" });
    expect(JSON.parse((await ask("/v1/chat/completions", CHAT)).text).model).toBe("primary");
  });
});

test("what a later target finds wrong is not the request's fault while the first is left alone", async () => {
  const wrong = Bun.serve({
    port: 0,
    fetch: () => Response.json({ error: { message: "Unknown parameter", type: "invalid_request_error" } }, { status: 400 }),
  });
  try {
    says = () => Response.json({ error: { message: "Rate limit" } }, { status: 429, headers: { "retry-after": "60" } });
    const [primary, fallback] = servers.map(({ port }) => `http://127.0.0.1:${port}/v1`);
    const toml = `[[route]]\ntargets = [{ provider = "openai", url = "${primary}" }, { provider = "openai", url = "http://127.0.0.1:${wrong.port}" }, { provider = "openai", url = "${fallback}" }]\n`;
    await using three = await startTestDaemon({ engine: "wire", toml });
    for (let each = 0; each < 2; each++) {
      const response = await fetch(`${three.origin}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(CHAT),
        headers: { "content-type": "application/json" },
      });
      expect([response.status, ((await response.json()) as { model: string }).model]).toEqual([200, "good"]);
    }
    expect(primaries).toBe(1);
  } finally {
    wrong.stop(true);
    await reset();
  }
});

test("a target that says nothing is left for the next one, the built-in provider too", async () => {
  const toml = '[[route]]\ntargets = [{ provider = "openai", timeout = 0.2 }, { provider = "openai", model = "gpt-4o-mini" }]\n';
  await using simulated = await startTestDaemon({ engine: "wire", toml, args: ["--simulate"] });
  await simulated.command("hang side=upstream");
  const response = await fetch(`${simulated.origin}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify(CHAT),
    headers: { "content-type": "application/json" },
  });
  expect([response.status, response.headers.get("x-faultproxy-attempts")]).toEqual([
    200,
    "openai degraded upstream_timeout, openai/gpt-4o-mini 200",
  ]);
});
