import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../shell/support.ts";
import { faultproxy } from "./support.ts";

type Seen = { readonly path: string; readonly headers: Headers; readonly body: Record<string, unknown> };

const KEYS = { OPENAI_API_KEY: "sk-proj-SECRET1", ANTHROPIC_API_KEY: "sk-ant-SECRET2", GEMINI_API_KEY: "AIzaSECRET3" };
/** Keys of the machine that the tests run on must not be used. */
const NO_KEYS = { OPENAI_API_KEY: "", ANTHROPIC_API_KEY: "", GEMINI_API_KEY: "", GOOGLE_API_KEY: "" };

let folder: ReturnType<typeof temporaryFolder>;
let text: string;
let server: ReturnType<typeof Bun.serve>;
let seen: Seen[] = [];
let answer: ((path: string, headers: Headers) => Response) | undefined;

beforeAll(() => {
  folder = temporaryFolder();
  text = join(folder.path, "prompt.txt");
  // 1200 characters in 1202 bytes.
  writeFileSync(text, `ü${"x".repeat(1_198)}é`);
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      seen.push({ path: pathname, headers: request.headers, body: (await request.json()) as Record<string, unknown> });
      if (answer !== undefined) return answer(pathname, request.headers);
      if (pathname === "/v1/responses/input_tokens") return Response.json({ object: "response.input_tokens", input_tokens: 300 });
      if (pathname === "/v1/messages/count_tokens") return Response.json({ input_tokens: 400 });
      return Response.json({ totalTokens: 250, promptTokensDetails: [{ modality: "TEXT", tokenCount: 250 }] });
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  folder.remove();
});

async function estimate(words: readonly string[], environment: Readonly<Record<string, string>> = {}, input?: string) {
  seen = [];
  const ended = await faultproxy(["estimate", ...words], {
    environment: { ...NO_KEYS, ...environment },
    ...(input !== undefined && { input }),
  });
  for (const key of Object.values(KEYS)) expect(ended.out + ended.err).not.toContain(key);
  return ended;
}

function url(): string {
  return server.url.href;
}

describe("the estimate", () => {
  test("of a file, for every provider", async () => {
    const { code, out, err } = await estimate([text]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(
      [
        `${text}: 1,200 characters, 1,202 bytes`,
        "",
        "PROVIDER    CHARACTERS A TOKEN  ESTIMATED",
        "openai                       5        240",
        "anthropic                    3        400",
        "google                       4        300",
        "openrouter                   4        300",
        "tetrate                      4        300",
        "databricks                   4        300",
        "",
      ].join("\n"),
    );
    expect(seen).toEqual([]);
  });

  test.each([[["-"]], [[]]])("of standard input, with %j", async (words) => {
    const { out } = await estimate(["--provider", "anthropic", ...words], {}, "seven c");
    expect(out).toBe(
      "standard input: 7 characters, 7 bytes\n\nPROVIDER   CHARACTERS A TOKEN  ESTIMATED\nanthropic                   3          3\n",
    );
  });

  test("takes the figures of the configuration", async () => {
    const file = join(folder.path, "config.toml");
    writeFileSync(file, "[limits.estimation]\nprovider_chars_per_token = { openai = 2.5 }\nchars_per_token = 8\n");
    const { out } = await estimate(["--config", file, "--json", text]);
    const { providers } = JSON.parse(out);
    expect(providers.slice(0, 2)).toEqual([
      { provider: "openai", charactersPerToken: 2.5, estimatedTokens: 480, measuredTokens: null, measuredCharactersPerToken: null },
      { provider: "anthropic", charactersPerToken: 8, estimatedTokens: 150, measuredTokens: null, measuredCharactersPerToken: null },
    ]);
  });

  test("of a long text is of its length alone, and says so", async () => {
    const { out } = await estimate(["--provider", "openai", "-"], {}, "x".repeat(20_001));
    expect(out).toContain("openai                     5      5,001\n");
    expect(out).toContain("Above 20,000 bytes (limits.estimation.max_sample_bytes) the length alone counts, 4 bytes a token.");
  });

  test("of nothing is nothing", async () => {
    expect((await estimate(["--provider", "openai", "-"], {}, "")).out).toContain("standard input: 0 characters, 0 bytes");
  });
});

describe("--measure", () => {
  test("asks each provider whose key is set, and says what would have been right", async () => {
    const { code, out, err } = await estimate(["--measure", "--url", url(), text], KEYS);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(
      [
        `${text}: 1,200 characters, 1,202 bytes`,
        "",
        "PROVIDER    CHARACTERS A TOKEN  ESTIMATED  MEASURED  ESTIMATE IS",
        "openai                       5        240       300      20% low",
        "anthropic                    3        400       400        right",
        "google                       4        300       250     20% high",
        "openrouter                   4        300",
        "tetrate                      4        300",
        "databricks                   4        300",
        "",
        "The figures that fit this text, for the configuration:",
        "",
        "  [limits.estimation]",
        "  provider_chars_per_token = { openai = 4, anthropic = 3, google = 4.8 }",
        "",
      ].join("\n"),
    );
    const content = `ü${"x".repeat(1_198)}é`;
    const byPath = new Map(seen.map((each) => [each.path, each]));
    const openai = byPath.get("/v1/responses/input_tokens");
    expect(openai?.headers.get("authorization")).toBe("Bearer sk-proj-SECRET1");
    expect(openai?.body).toEqual({ model: "gpt-4o", input: content });
    const anthropic = byPath.get("/v1/messages/count_tokens");
    expect(anthropic?.headers.get("x-api-key")).toBe("sk-ant-SECRET2");
    expect(anthropic?.headers.get("anthropic-version")).toBe("2023-06-01");
    expect(anthropic?.body).toEqual({ model: "claude-opus-4-5-20251101", messages: [{ role: "user", content }] });
    const google = byPath.get("/v1beta/models/gemini-2.5-pro:countTokens");
    expect(google?.headers.get("x-goog-api-key")).toBe("AIzaSECRET3");
    expect(google?.body).toEqual({ contents: [{ role: "user", parts: [{ text: content }] }] });
    // No key goes to another provider.
    for (const { headers } of seen) {
      const given = Object.values(KEYS).filter((key) => [...headers.values()].some((value) => value.includes(key)));
      expect(given).toHaveLength(1);
    }
  });

  test("what it prints can be put into a configuration", async () => {
    const { out } = await estimate(["--measure", "--url", url(), text], KEYS);
    const file = join(folder.path, "measured.toml");
    writeFileSync(file, out.split("\n").slice(-4).join("\n"));
    const { providers } = JSON.parse((await estimate(["--json", "--config", file, text])).out);
    expect(providers.map(({ estimatedTokens }: { estimatedTokens: number }) => estimatedTokens).slice(0, 3)).toEqual([300, 400, 250]);
  });

  test("asks one provider, for one model, and without a key where another has it", async () => {
    const { code, out } = await estimate(["--measure", "--provider", "google", "--model", "a/b", "--url", url(), "--json", text]);
    expect(code).toBe(0);
    expect(seen.map(({ path }) => path)).toEqual(["/v1beta/models/a%2Fb:countTokens"]);
    expect(seen[0]?.headers.get("x-goog-api-key")).toBeNull();
    expect(JSON.parse(out).providers).toEqual([
      { provider: "google", charactersPerToken: 4, estimatedTokens: 300, measuredTokens: 250, measuredCharactersPerToken: 4.8 },
    ]);
  });

  test("goes to the provider's host where that is set", async () => {
    const { code } = await estimate(["--measure", "--provider", "openai", text], { ...KEYS, OPENAI_REAL_HOST: url() });
    expect(code).toBe(0);
    expect(seen).toHaveLength(1);
  });

  test("warns of a short text", async () => {
    const { out } = await estimate(["--measure", "--provider", "openai", "--url", url(), "-"], KEYS, "short");
    expect(out).toContain("It is a short text");
  });

  describe("that fails", () => {
    const refusals: readonly (readonly [string, (path: string, headers: Headers) => Response, string])[] = [
      [
        "with an error that repeats the key",
        (_path, headers) =>
          Response.json({ error: { message: `Incorrect API key provided: ${headers.get("authorization")?.slice(7)}.` } }, { status: 401 }),
        "OpenAI did not count: 401 Incorrect API key provided: ***.",
      ],
      ["with a page", () => new Response("<html>\x1b[2Jno</html>", { status: 502 }), "OpenAI did not count: 502 <html>\\x1b[2Jno</html>"],
      [
        "with nonsense",
        () => Response.json({ input_tokens: -3 }),
        'OpenAI did not count: its answer names no number ({"input_tokens":-3})',
      ],
      ["with no JSON", () => new Response("hello"), "OpenAI did not count: its answer names no number (hello)"],
      ["by sending elsewhere", () => Response.redirect("http://127.0.0.1:1/", 307), "OpenAI did not count: 307"],
    ];
    test.each(refusals)("%s", async (_what, refuse, expected) => {
      answer = refuse;
      const { code, out, err } = await estimate(["--measure", "--provider", "openai", "--url", url(), text], KEYS);
      answer = undefined;
      expect(code).toBe(1);
      expect(err).toStartWith(`faultproxy: error: ${expected}`);
      expect(err.trim().split("\n")).toHaveLength(1);
      // The estimate is printed all the same.
      expect(out).toContain("openai                     5        240\n");
      expect(seen).toHaveLength(1);
    });

    test("since nobody listens", async () => {
      const { code, err } = await estimate(["--measure", "--provider", "openai", "--url", "http://127.0.0.1:1", text], KEYS);
      expect(code).toBe(1);
      expect(err).toStartWith("faultproxy: error: OpenAI did not count: ");
    });

    test("for one keeps what the others said", async () => {
      answer = (path) =>
        path.includes("count_tokens") ? new Response("no", { status: 500 }) : Response.json({ input_tokens: 300, totalTokens: 250 });
      const { code, out } = await estimate(["--measure", "--url", url(), text], KEYS);
      answer = undefined;
      expect(code).toBe(1);
      expect(out).toContain("provider_chars_per_token = { openai = 4, google = 4.8 }");
    });
  });
});

test.each<[readonly string[], string]>([
  [
    ["--provider", "opnai", "x"],
    "--provider opnai: expected one of openai, anthropic, google, openrouter, tetrate, databricks; did you mean openai?",
  ],
  [["--model", "gpt-5", "x"], "--model goes with --measure"],
  [["--url", "http://a", "x"], "--url goes with --measure"],
  [["--measure", "--url", "ftp://a", "x"], "--url: expected http://… or https://…"],
  [["--measure", "x"], "--measure needs a key: set OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY"],
  [["--measure", "--provider", "google", "x"], "--measure needs a key: set GEMINI_API_KEY or GOOGLE_API_KEY"],
  [["--measure", "--provider", "tetrate", "x"], "has no endpoint that counts tokens; openai, anthropic, google have"],
  [["/nonexistent/text"], "cannot read /nonexistent/text (ENOENT)"],
  [["a", "b"], '"b" is too much for estimate'],
])("%j is a mistake", async (words, expected) => {
  const { code, out, err } = await estimate(words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(expected);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("a model without its provider, and a folder, are mistakes too", async () => {
  const { code, err } = await estimate(["--measure", "--model", "gpt-5", "--url", url(), text], KEYS);
  expect(code).toBe(2);
  expect(err).toContain("--model needs --provider NAME");
  mkdirSync(join(folder.path, "a-folder"));
  expect((await estimate([join(folder.path, "a-folder")])).err).toContain("a-folder (EISDIR)");
  expect(seen).toEqual([]);
});
