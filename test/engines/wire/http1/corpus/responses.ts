import type { MessageErrorCode } from "../../../../../src/engines/wire/http1/message.ts";

export type ResponseCase = {
  readonly name: string;
  /** Latin-1: one character is one byte. What a target writes in answer to a POST before it closes. */
  readonly bytes: string;
  readonly expect: { readonly code: MessageErrorCode };
};

type Row = readonly [name: string, bytes: string, code?: MessageErrorCode];

/** What an attacker wants to be taken for the answer to somebody else. */
const SMUGGLED = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";

function refused(group: string, usual: MessageErrorCode, rows: readonly Row[]): readonly ResponseCase[] {
  return rows.map(([name, bytes, code = usual]) => ({ name: `${group}: ${name}`, bytes, expect: { code } }));
}

const line = (statusLine: string) => `${statusLine}\r\nContent-Length: 5\r\n\r\nhello`;
const answer = (fields: string, body = "") => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const length = (value: string) => answer(`Content-Length: ${value}\r\n`, "hello");
const coding = (value: string) => answer(`Transfer-Encoding: ${value}\r\n`, "5\r\nhello\r\n0\r\n\r\n");
const chunked = (body: string) => answer("Transfer-Encoding: chunked\r\n", body);
const trailers = (section: string) => chunked(`5\r\nhello\r\n0\r\n${section}\r\n`);

const NOT_HTTP = refused("not HTTP", "bad_start_line", [
  ["HTTP/0.9 answer", "<html><body>hello</body></html>"],
  ["HTTP/0.9 answer that begins as a status line does", "Hello\r\n"],
  ["JSON without a head", '{"id":"chatcmpl-1"}'],
  ["events without a head", "data: {}\n\ndata: [DONE]\n\n"],
  ["TLS alert", "\x15\x03\x01\x00\x02\x02\x0a"],
  ["HTTP/2 SETTINGS", "\x00\x00\x12\x04\x00\x00\x00\x00\x00"],
  ["SSH banner", "SSH-2.0-OpenSSH_9.6\r\n"],
  ["SMTP greeting", "220 localhost ESMTP\r\n"],
  ["gzip without a head", "\x1f\x8b\x08\x00\x00\x00\x00\x00"],
  ["SHOUTcast", line("ICY 200 OK")],
  ["a request as a response", "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["byte order mark before the status line", `\xef\xbb\xbf${line("HTTP/1.1 200 OK")}`],
  ["empty line before the status line", `\r\n${line("HTTP/1.1 200 OK")}`],
  ["bare line feed before the status line", `\n${line("HTTP/1.1 200 OK")}`],
  ["space before the status line", ` ${line("HTTP/1.1 200 OK")}`],
  ["NUL before the status line", `\x00${line("HTTP/1.1 200 OK")}`],
  ["something else behind a 100 (Continue)", "HTTP/1.1 100 Continue\r\n\r\nhello"],
  ["fields without a status line", "Content-Length: 5\r\n\r\nhello"],
]);

const STATUS_LINES = refused("status line", "bad_start_line", [
  ["no status", line("HTTP/1.1")],
  ["no status but its space", line("HTTP/1.1 ")],
  ["status of two digits", line("HTTP/1.1 20 OK")],
  ["status of four digits", line("HTTP/1.1 2000 OK")],
  ["status 000", line("HTTP/1.1 000 OK")],
  ["status 099", line("HTTP/1.1 099 OK")],
  ["status with a letter", line("HTTP/1.1 2x0 OK")],
  ["hexadecimal status", line("HTTP/1.1 0xc OK")],
  ["status with a plus sign", line("HTTP/1.1 +20 OK")],
  ["status with a minus sign", line("HTTP/1.1 -20 OK")],
  ["status with a fraction", line("HTTP/1.1 200.1 OK")],
  ["status above ASCII", line("HTTP/1.1 \xb200 OK")],
  ["no space before the reason", line("HTTP/1.1 200OK")],
  ["no space before the status", line("HTTP/1.1200 OK")],
  ["two spaces before the status", line("HTTP/1.1  200 OK")],
  ["tab before the status", line("HTTP/1.1\t200 OK")],
  ["tab behind the status", line("HTTP/1.1 200\tOK")],
  ["reason instead of the status", line("HTTP/1.1 OK 200")],
  ["NUL in the reason", line("HTTP/1.1 200 O\x00K")],
  ["escape character in the reason", line("HTTP/1.1 200 \x1b[31mOK")],
  ["DEL in the reason", line("HTTP/1.1 200 OK\x7f")],
  ["bare carriage return in the reason", line("HTTP/1.1 200 OK\rX-A: b")],
  ["bare carriage return behind the reason", line("HTTP/1.1 200 OK\r")],
  ["bare line feed behind the reason", "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", "bare_line_feed"],
  ["HTTP/1.2", line("HTTP/1.2 200 OK"), "bad_version"],
  ["HTTP/2.0", line("HTTP/2.0 200 OK"), "bad_version"],
  ["HTTP/0.9 by name", line("HTTP/0.9 200 OK"), "bad_version"],
  ["HTTP/2 without a minor version", line("HTTP/2 200 OK")],
  ["HTTP/1.10", line("HTTP/1.10 200 OK")],
  ["HTTP/1,1", line("HTTP/1,1 200 OK")],
  ["lower-case http/1.1", line("http/1.1 200 OK")],
  ["Http/1.1", line("Http/1.1 200 OK")],
  ["HTTPS/1.1", line("HTTPS/1.1 200 OK")],
]);

const FIELDS = refused("field", "bad_field_name", [
  ["space before the colon", answer("Content-Length : 5\r\n", "hello")],
  ["tab before the colon", answer("Content-Length\t: 5\r\n", "hello")],
  ["no colon", answer("nonsense\r\nContent-Length: 5\r\n", "hello")],
  ["empty name", answer(": b\r\nContent-Length: 5\r\n", "hello")],
  ["space in a name", answer("X A: b\r\nContent-Length: 5\r\n", "hello")],
  ["NUL in a name", answer("X-\x00A: b\r\nContent-Length: 5\r\n", "hello")],
  ["letter above ASCII in a name", answer("X-\xc4: b\r\nContent-Length: 5\r\n", "hello")],
  ["second response instead of a field", `HTTP/1.1 200 OK\r\n${SMUGGLED}`],
  ["head ended by CR CR LF", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\r\nhello"],
  ["bare carriage return before a name", answer("\rX-A: b\r\nContent-Length: 5\r\n", "hello")],
  ["NUL in a value (CVE-2026-34520, aiohttp)", answer("X-A: b\x00\r\nContent-Length: 5\r\n", "hello"), "bad_field_value"],
  ["escape character in a value", answer("X-A: \x1b[31m\r\nContent-Length: 5\r\n", "hello"), "bad_field_value"],
  ["bare carriage return in a value", answer("X-A: b\rc\r\nContent-Length: 5\r\n", "hello"), "bad_field_value"],
  ["bare line feed behind a field", answer("X-A: b\nContent-Length: 5\r\n", "hello"), "bare_line_feed"],
  ["line feeds only", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "bare_line_feed"],
  ["bare line feed as the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello", "bare_line_feed"],
  ["fold", answer("X-A: b\r\n c\r\nContent-Length: 5\r\n", "hello"), "folded_field"],
  ["fold with a tab", answer("X-A: b\r\n\tc\r\nContent-Length: 5\r\n", "hello"), "folded_field"],
  ["first field behind a space", answer(" Content-Length: 5\r\n", "hello"), "folded_field"],
  ["long value", answer(`X-A: ${"b".repeat(70_000)}\r\nContent-Length: 5\r\n`, "hello"), "head_too_large"],
  ["long reason", line(`HTTP/1.1 200 ${"O".repeat(70_000)}K`), "head_too_large"],
  ["too many fields", answer(`${"X-A: b\r\n".repeat(300)}Content-Length: 5\r\n`, "hello"), "too_many_fields"],
]);

const LENGTHS = refused("Content-Length", "bad_content_length", [
  ["two lengths", answer("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")],
  ["two equal lengths", answer("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")],
  ["list of equal lengths", length("5, 5")],
  ["list of lengths", length("5, 6")],
  ["plus sign", length("+5")],
  ["minus sign", length("-5")],
  ["hexadecimal", length("0x5")],
  ["empty length", length("")],
  ["fraction", length("5.0")],
  ["space between digits", length("0 5")],
  ["digit and letters", length("5 bytes")],
  ["no-break space behind the length", length("5\xa0")],
  ["2^53", length("9007199254740992")],
  ["2^64 + 5, which overflows to 5", length("18446744073709551621")],
  ["bad length of a 204", "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n"],
  ["two lengths of a 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
  ["bad length of an interim response", "HTTP/1.1 103 Early Hints\r\nContent-Length: -1\r\n\r\n"],
  ["chunked before a length", answer("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), "length_and_transfer_encoding"],
  ["length before chunked", answer("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "length_and_transfer_encoding"],
  ["length and identity", answer("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"), "length_and_transfer_encoding"],
]);

const CODINGS = refused("Transfer-Encoding", "bad_transfer_encoding", [
  ["chunked twice in two fields", answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["chunked, chunked", coding("chunked, chunked")],
  ["chunked, identity", coding("chunked, identity")],
  ["chunked, gzip", coding("chunked, gzip")],
  ["gzip, chunked", coding("gzip, chunked"), "unknown_transfer_coding"],
  ["identity", coding("identity")],
  ["gzip alone", coding("gzip")],
  ["xchunked", coding("xchunked")],
  ["quotation marks", coding('"chunked"')],
  ["parameter", coding("chunked;q=1")],
  ["list with an empty member", coding("chunked,")],
  ["empty coding", coding("")],
  ["vertical tab before chunked", coding("\x0bchunked"), "bad_field_value"],
  ["no-break space before chunked", coding("\xa0chunked")],
  ["chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
]);

const CHUNKS = refused("chunk", "bad_chunk", [
  ["no size", chunked("\r\nhello\r\n0\r\n\r\n")],
  ["data instead of a size", chunked("data: {}\r\n\r\n")],
  ["JSON instead of a size", chunked('{"id":1}\r\n')],
  ["0x before the size", chunked("0x5\r\nhello\r\n0\r\n\r\n")],
  ["minus sign before the size", chunked("-5\r\nhello\r\n0\r\n\r\n")],
  ["space behind the size", chunked("5 \r\nhello\r\n0\r\n\r\n")],
  ["2^32 + 5, which overflows to 5", chunked("100000005\r\nhello\r\n0\r\n\r\n")],
  ["2^64 + 5, which overflows to 5", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")],
  ["data longer than the size", chunked("5\r\nhello!\r\n0\r\n\r\n")],
  ["data shorter than the size", chunked("6\r\nhello\r\n0\r\n\r\n")],
  ["data followed by a line feed", chunked("5\r\nhello\n0\r\n\r\n")],
  ["data followed by nothing", chunked("5\r\nhello0\r\n\r\n")],
  ["data followed by any two bytes", chunked("5\r\nhelloXX0\r\n\r\n")],
  ["space behind the semicolon of an extension", chunked("5; a\r\nhello\r\n0\r\n\r\n")],
  ["quotation mark without its end", chunked('5;a="b\r\nhello\r\n0\r\n\r\n')],
  ["NUL in an extension", chunked("5;a\x00\r\nhello\r\n0\r\n\r\n")],
  ["long extension", chunked(`5;a=${"b".repeat(8_000)}\r\nhello\r\n0\r\n\r\n`)],
  ["size ended by a line feed", chunked("5\nhello\r\n0\r\n\r\n"), "bare_line_feed"],
  ["line feed in an extension", chunked("5;a\nhello\r\n0\r\n\r\n"), "bare_line_feed"],
  ["last size ended by a line feed", chunked("5\r\nhello\r\n0\n\n"), "bare_line_feed"],
  ["second response as a trailer", chunked(`5\r\nhello\r\n0\r\n${SMUGGLED}`), "bad_field_name"],
  ["Content-Length as a trailer", trailers("Content-Length: 5\r\n"), "bad_trailer"],
  ["Transfer-Encoding as a trailer", trailers("Transfer-Encoding: chunked\r\n"), "bad_trailer"],
  ["Set-Cookie as a trailer", trailers("Set-Cookie: a=b\r\n"), "bad_trailer"],
  ["folded trailer", trailers("X-A: b\r\n c\r\n"), "folded_field"],
  ["space before the colon of a trailer", trailers("X-A : b\r\n"), "bad_field_name"],
  ["NUL in a trailer", trailers("X-A: \x00\r\n"), "bad_field_value"],
  ["long trailer", trailers(`X-A: ${"b".repeat(70_000)}\r\n`), "head_too_large"],
]);

const CUTS = refused("cut", "incomplete_body", [
  ["cut in the status line", "HTTP/1.1 20", "incomplete_head"],
  ["cut behind the status line", "HTTP/1.1 200 OK\r\n", "incomplete_head"],
  ["cut in a field", "HTTP/1.1 200 OK\r\nContent-Le", "incomplete_head"],
  ["cut before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "incomplete_head"],
  ["cut in the head behind a 100 (Continue)", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "incomplete_head"],
  ["body shorter than its length", answer("Content-Length: 6\r\n", "hello")],
  ["no body but a length", answer("Content-Length: 6\r\n")],
  ["no body but chunked", chunked("")],
  ["cut in a chunk", chunked("5\r\nhel")],
  ["no last chunk", chunked("5\r\nhello\r\n")],
  ["no empty line behind the last chunk", chunked("5\r\nhello\r\n0\r\n")],
  ["cut in a trailer", chunked("5\r\nhello\r\n0\r\nX-A: b")],
]);

/** Every one is refused when the target has closed the connection, most of them at their bytes alone. */
export const MALFORMED_RESPONSES: readonly ResponseCase[] = [
  ...NOT_HTTP,
  ...STATUS_LINES,
  ...FIELDS,
  ...LENGTHS,
  ...CODINGS,
  ...CHUNKS,
  ...CUTS,
];

/** Well-formed responses with bytes behind them that must not be read as anybody's answer: the connection is of no more use. */
export const RESPONSES_WITH_MORE: readonly { readonly name: string; readonly bytes: string; readonly rest: string }[] = [
  ["body behind a 204", "HTTP/1.1 204 No Content\r\n\r\n", "hello"],
  ["body behind a 204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "hello"],
  ["chunks behind a 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n"],
  ["body behind a 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "hello"],
  ["data behind a length", answer("Content-Length: 5\r\n", "hello"), "!"],
  ["data behind length 0", answer("Content-Length: 0\r\n"), "hello"],
  ["empty line behind a length", answer("Content-Length: 5\r\n", "hello"), "\r\n"],
  ["data behind the last chunk", chunked("5\r\nhello\r\n0\r\n\r\n"), "hello"],
  ["second response behind a length", answer("Content-Length: 5\r\n", "hello"), SMUGGLED],
  ["second response behind the last chunk", chunked("5\r\nhello\r\n0\r\n\r\n"), SMUGGLED],
].map(([name = "", message = "", rest = ""]) => ({ name, bytes: message + rest, rest }));

/** Odd, and well formed: every reader reads the same. */
export const ODD_RESPONSES: readonly { readonly name: string; readonly bytes: string; readonly status: number; readonly body: string }[] = (
  [
    ["no reason", line("HTTP/1.1 200 "), 200, "hello"],
    ["no reason and no space before it", line("HTTP/1.1 200"), 200, "hello"],
    ["bytes above ASCII in the reason", line("HTTP/1.1 200 \xdcbel\x80\xff"), 200, "hello"],
    ["tab in the reason", line("HTTP/1.1 200 all\tright"), 200, "hello"],
    ["status 299", line("HTTP/1.1 299 Odd"), 299, "hello"],
    ["status 529", line("HTTP/1.1 529 Site is overloaded"), 529, "hello"],
    ["status 999", line("HTTP/1.1 999 Request denied"), 999, "hello"],
    ["HTTP/1.0 until the connection ends", "HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello"],
    ["HTTP/1.1 until the connection ends", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", 200, "hello"],
    ["chunk extensions and trailers", chunked('5;a="b"\r\nhello\r\n0;c\r\nX-A: b\r\n\r\n'), 200, "hello"],
    ["100 (Continue) before it", `HTTP/1.1 100 Continue\r\n\r\n${line("HTTP/1.1 200 OK")}`, 200, "hello"],
    ["two interim responses before it", `HTTP/1.1 102 \r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n${line("HTTP/1.1 200 OK")}`, 200, "hello"],
    ["white space round a length", length(" \t5\t "), 200, "hello"],
    ["bytes above ASCII in a value", answer("X-A: \x80\xff\r\nContent-Length: 5\r\n", "hello"), 200, "hello"],
    ["204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, ""],
    ["304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""],
  ] as const
).map(([name, bytes, status, body]) => ({ name, bytes, status, body }));
