import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { credentialOfText, momentOf } from "../../../src/shell/credentials/credential-text.ts";

const PLACE = "the file /k";
const AT_MS = Date.UTC(2026, 2, 1, 12);

const read = (text: string) => credentialOfText(text, PLACE);

/** Secret, kind and time, or why there is none. */
function short(text: string): readonly unknown[] {
  const result = read(text);
  if (result.kind === "unusable") return [result.reason, result.isPartial];
  const { secret, kind, expiresWallMs } = result.credential;
  return [secret, kind, expiresWallMs];
}

const form = (value: unknown) => JSON.stringify(value);

describe("a text is", () => {
  test.each<[string, string, readonly unknown[]]>([
    ["a key", "sk-key", ["sk-key", "api_key", undefined]],
    ["a key with space around it", " \n\tsk-key \r\n", ["sk-key", "api_key", undefined]],
    ["a key behind a byte order mark", "\ufeffsk-key\n", ["sk-key", "api_key", undefined]],
    ["a token of a login", "sk-ant-oat01-x\n", ["sk-ant-oat01-x", "oauth", undefined]],
    ["a key of Anthropic's", "sk-ant-api03-x", ["sk-ant-api03-x", "api_key", undefined]],
    ["Claude Code's form", form({ claudeAiOauth: { accessToken: "a", expiresAt: AT_MS } }), ["a", "oauth", AT_MS]],
    ["the same, with lines", JSON.stringify({ claudeAiOauth: { accessToken: "a", expiresAt: AT_MS } }, null, 2), ["a", "oauth", AT_MS]],
    ["the flat form", form({ accessToken: "a", refreshToken: "r", expiresAt: AT_MS }), ["a", "oauth", AT_MS]],
    ["the flat form with underscores", form({ access_token: "a", expires_at: AT_MS / 1_000 }), ["a", "oauth", AT_MS]],
    [
      "the outer form with underscores",
      form({ claude_ai_oauth: { access_token: "a", expires_at: "2026-03-01T12:00:00Z" } }),
      ["a", "oauth", AT_MS],
    ],
    ["a form whose outer member holds nothing", form({ claudeAiOauth: { accessToken: "" }, accessToken: "b" }), ["b", "oauth", undefined]],
    ["a form whose outer member is no object", form({ claudeAiOauth: "x", access_token: "b" }), ["b", "oauth", undefined]],
    ["a form that does not say when it expires", form({ accessToken: "a", expiresAt: null }), ["a", "oauth", undefined]],
    [
      "a form beside logins to other servers",
      form({ mcpOAuth: { x: { accessToken: "m" } }, claudeAiOauth: { accessToken: "a" } }),
      ["a", "oauth", undefined],
    ],
    ["no login where there are logins to other servers alone", form({ mcpOAuth: { x: { accessToken: "m" } } }), ["missing", false]],
    ["no login where the token is no text", form({ accessToken: 7 }), ["missing", false]],
    ["nothing", "", ["missing", true]],
    ["nothing but space", " \n ", ["missing", true]],
    ["perhaps half a form", '{"claudeAiOauth":{"accessToken":"a', ["unreadable", true]],
    ["no key where it has two lines", "sk-a\nsk-b", ["unreadable", false]],
    ["no key where it has a control character", "sk-a\u0007b", ["unreadable", false]],
    ["no key where it has a null", "sk-a\u0000b", ["unreadable", false]],
    ["no key where it has letters that no header field has", "“sk-a”", ["unreadable", false]],
    ["no key where it is of a whole file", "x".repeat(20_000), ["unreadable", false]],
    ["no login where the token has lines", form({ accessToken: "a\r\nx-evil: 1" }), ["unreadable", false]],
  ])("%s", (_, text, expected) => expect(short(text)).toEqual([...expected]));
});

test.each<[unknown, number | undefined]>([
  [AT_MS, AT_MS],
  [AT_MS + 0.5, AT_MS],
  [AT_MS / 1_000, AT_MS],
  [String(AT_MS), AT_MS],
  [String(AT_MS / 1_000), AT_MS],
  ["2026-03-01T12:00:00Z", AT_MS],
  ["2026-03-01T13:00:00.000+01:00", AT_MS],
  [0, undefined],
  [-1, undefined],
  ["soon", undefined],
  ["", undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [1e300, undefined],
  [null, undefined],
  [true, undefined],
  [[AT_MS], undefined],
])("a token that expires at %p does so at %p", (value, expected) => expect(momentOf(value)).toBe(expected));

/** What a header field can hold, without space at its ends. */
const token = fc.stringMatching(/^[!-z|~]([ -~]{0,40}[!-~])?$/);
const moment = fc.integer({ min: 1_600_000_000, max: 4_000_000_000 });

test("every form gives its token and its time, whatever stands beside them", () => {
  const names = fc.constantFrom(
    { outer: "claudeAiOauth", token: "accessToken", expires: "expiresAt" },
    { outer: "claude_ai_oauth", token: "access_token", expires: "expires_at" },
    { outer: undefined, token: "accessToken", expires: "expires_at" },
    { outer: undefined, token: "access_token", expires: "expiresAt" },
  );
  const unit = fc.constantFrom(
    (seconds: number) => seconds,
    (seconds: number) => seconds * 1_000,
    (seconds: number) => String(seconds * 1_000),
    (seconds: number) => new Date(seconds * 1_000).toISOString(),
  );
  const others = fc.dictionary(
    fc.string().map((name) => `x${name}`),
    fc.jsonValue(),
    { maxKeys: 4 },
  );
  const indent = fc.constantFrom(undefined, 2, "\t");
  fc.assert(
    fc.property(names, token, moment, unit, others, indent, (name, secret, seconds, written, beside, space) => {
      const inner = { ...beside, [name.token]: secret, [name.expires]: written(seconds) };
      const whole = name.outer === undefined ? inner : { ...beside, [name.outer]: inner };
      expect(short(`${JSON.stringify(whole, null, space)}\n`)).toEqual([secret.trim(), "oauth", seconds * 1_000]);
    }),
  );
});

test("every beginning of a form is seen to be one, and never taken for a key", () => {
  const whole = form({ claudeAiOauth: { accessToken: "sk-ant-oat01-x", expiresAt: AT_MS, scopes: ["user:inference"] } });
  for (let end = 0; end < whole.length; end++) expect(read(whole.slice(0, end))).toMatchObject({ kind: "unusable", isPartial: true });
});

/** All that is said of what is no credential. */
const REASONS = [
  "is empty; put the key there",
  "holds JSON that is cut off or damaged; write it anew",
  "holds no login of Claude Code (no access token); log in with claude",
  "holds more than one line; a key is one line and nothing else",
  "holds control characters; a key has none, put it there again",
  "holds characters that no key has, such as typographic quotes; put the key there again",
];

test("any text gives a credential for one header field, or a reason that has nothing of the text in it", () => {
  const anything = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    token,
    fc.jsonValue().map((value) => form({ accessToken: value })),
  );
  fc.assert(
    fc.property(anything, (text) => {
      const result = read(text);
      if (result.kind === "credential") {
        const { secret, fingerprint } = result.credential;
        expect(secret).toMatch(/^[!-~]([ -~]*[!-~])?$/);
        expect(fingerprint).toMatch(/^[0-9a-f]{12}$/);
      } else {
        expect(REASONS).toContain(result.detail.slice(PLACE.length + 1));
      }
    }),
  );
});

test("two secrets have two fingerprints, and neither shows its secret", () => {
  const [one, other] = ["sk-one", "sk-two"].map(read);
  if (one?.kind !== "credential" || other?.kind !== "credential") throw new Error("unread");
  expect(one.credential.fingerprint).not.toBe(other.credential.fingerprint);
  expect(one.credential.fingerprint).toBe(new Bun.CryptoHasher("sha256").update("sk-one").digest("hex").slice(0, 12));
});
