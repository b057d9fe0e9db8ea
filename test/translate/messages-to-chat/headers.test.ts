import { expect, test } from "bun:test";
import type { HeaderList } from "../../../src/core/headers.ts";
import { messagesToChat } from "../../../src/translate/messages-to-chat.ts";

const HOST = ["Host", "localhost:8080", "Host: localhost:8080\r\n"] as const;
const APP = ["x-app", "cli"] as const;
const KEY = ["X-Api-Key", "sk-1", "X-Api-Key: sk-1\r\n"] as const;
const TOKEN = ["authorization", "Bearer t", "authorization:  Bearer t\r\n"] as const;

const rows: readonly (readonly [string, HeaderList, HeaderList])[] = [
  ["the key becomes a bearer token in its place, without its old line", [HOST, KEY, APP], [HOST, ["Authorization", "Bearer sk-1"], APP]],
  ["a token that is there already counts", [KEY, HOST, TOKEN], [HOST, TOKEN]],
  ["a token alone stays as it came", [TOKEN, APP], [TOKEN, APP]],
  ["of two keys the first counts", [KEY, ["x-api-key", "sk-2"]], [["Authorization", "Bearer sk-1"]]],
  ["an empty key is none", [["x-api-key", " "], KEY], [["Authorization", "Bearer sk-1"]]],
  [
    "versions, betas and the like are the Messages API's alone",
    [["anthropic-version", "2023-06-01"], HOST, ["Anthropic-Beta", "a,b"], ["anthropic-dangerous-direct-browser-access", "true"], APP],
    [HOST, APP],
  ],
  ["doubles of other fields stay, in order", [APP, HOST, APP], [APP, HOST, APP]],
  ["nothing", [], []],
];

test.each([...rows])("%s", (_name, headers, expected) => {
  expect(messagesToChat.headers(headers)).toEqual(expected);
});
