import { expect, test } from "bun:test";
import type { HeaderList } from "../../../src/core/headers.ts";
import { chatToMessages } from "../../../src/translate/chat-to-messages.ts";

const HOST = ["Host", "localhost:8080", "Host: localhost:8080\r\n"] as const;
const APP = ["x-stainless-lang", "js"] as const;
const KEY = ["Authorization", "Bearer sk-1", "Authorization: Bearer sk-1\r\n"] as const;
const OWN = ["X-Api-Key", "sk-ant-1", "X-Api-Key: sk-ant-1\r\n"] as const;
const ACCOUNT = ["authorization", "Bearer sk-ant-oat01-x"] as const;
const VERSION = ["anthropic-version", "2023-06-01"] as const;
const BETA = ["anthropic-beta", "oauth-2025-04-20"] as const;

const rows: readonly (readonly [string, HeaderList, HeaderList])[] = [
  ["the bearer token becomes a key in its place, without its old line", [HOST, KEY, APP], [HOST, ["x-api-key", "sk-1"], APP, VERSION]],
  ["a key that is there already counts", [KEY, HOST, OWN], [HOST, OWN, VERSION]],
  ["of two tokens the first counts", [KEY, ["authorization", "bearer  sk-2 "]], [["x-api-key", "sk-1"], VERSION]],
  ["an empty token is none", [["authorization", "Bearer "], KEY], [["x-api-key", "sk-1"], VERSION]],
  ["other ways to authorize mean nothing there", [["authorization", "Basic abc"], HOST], [HOST, VERSION]],
  ["the token of an account stays one", [ACCOUNT, HOST], [ACCOUNT, HOST, BETA, VERSION]],
  ["its beta is put to others", [["Anthropic-Beta", "a"], ACCOUNT], [ACCOUNT, ["anthropic-beta", "a,oauth-2025-04-20"], VERSION]],
  ["and not twice", [["Anthropic-Beta", "oauth-2025-04-20,a"], ACCOUNT], [["Anthropic-Beta", "oauth-2025-04-20,a"], ACCOUNT, VERSION]],
  ["a version that was asked for stays", [["Anthropic-Version", "2024-01-01"], APP], [["Anthropic-Version", "2024-01-01"], APP]],
  [
    "organizations, projects and betas are OpenAI's alone",
    [["OpenAI-Organization", "o"], HOST, ["openai-project", "p"], ["OpenAI-Beta", "b"], APP],
    [HOST, APP, VERSION],
  ],
  ["doubles of other fields stay, in order", [APP, HOST, APP], [APP, HOST, APP, VERSION]],
  ["nothing", [], [VERSION]],
];

test.each([...rows])("%s", (_name, headers, expected) => {
  expect(chatToMessages.headers(headers)).toEqual(expected);
});
