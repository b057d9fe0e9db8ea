/**
 * Our reader of HTTP/1.1 beside llhttp, the reader of Node.js, in the WebAssembly build that undici carries: time for the same facts, what
 * llhttp keeps of a message, and which messages of the corpus each refuses. `bun bench/http1.ts`, with `--names` every case by name.
 */
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { requestReader, responseReader } from "../src/engines/wire/http1/reader.ts";
import { MALFORMED_REQUESTS, ODD_REQUESTS } from "../test/engines/wire/http1/corpus/requests.ts";
import { MALFORMED_RESPONSES, ODD_RESPONSES } from "../test/engines/wire/http1/corpus/responses.ts";

const load = createRequire(import.meta.url);
const { ERROR, TYPE, METHODS } = load("undici/lib/llhttp/constants.js") as typeof import("undici/lib/llhttp/constants.js");
const WITH_SIMD = new WebAssembly.Module(load("undici/lib/llhttp/llhttp_simd-wasm.js") as Buffer<ArrayBuffer>);
const WITHOUT_SIMD = new WebAssembly.Module(load("undici/lib/llhttp/llhttp-wasm.js") as Buffer<ArrayBuffer>);
const METHOD_NAMES: readonly (string | undefined)[] = Object.entries(METHODS).reduce<string[]>((names, [name, code]) => {
  names[code] = name;
  return names;
}, []);

type Exports = {
  readonly memory: WebAssembly.Memory;
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
  readonly llhttp_alloc: (type: number) => number;
  readonly llhttp_free: (parser: number) => void;
  readonly llhttp_execute: (parser: number, address: number, bytes: number) => number;
  readonly llhttp_finish: (parser: number) => number;
  readonly llhttp_get_method: (parser: number) => number;
  readonly llhttp_get_http_minor: (parser: number) => number;
};

type Message = {
  readonly method: string | undefined;
  readonly target: string;
  readonly status: number;
  readonly reason: string;
  readonly minor: number;
  readonly headers: (readonly [name: string, value: string])[];
};

type Facts = { readonly heads: Message[]; readonly payload: Uint8Array[]; ends: number; fields: [name: string, value: string][] };

/** Driven as undici's client-h1.js drives it: one block of memory, the bytes copied in, slices of the caller's own bytes given out. */
function llhttp(module: WebAssembly.Module) {
  let facts: Facts = { heads: [], payload: [], ends: 0, fields: [] };
  let block: Buffer = Buffer.alloc(0);
  let address = 0;
  let addressBytes = 0;
  let target = "";
  let reason = "";
  let isInValue = true;
  const textAt = (at: number, length: number) => block.toString("latin1", at - address, at - address + length);
  const { exports } = new WebAssembly.Instance(module, {
    env: {
      wasm_on_message_begin: () => {
        target = "";
        reason = "";
        isInValue = true;
        facts.fields = [];
        return 0;
      },
      wasm_on_url: (_parser: number, at: number, length: number) => {
        target += textAt(at, length);
        return 0;
      },
      wasm_on_status: (_parser: number, at: number, length: number) => {
        reason += textAt(at, length);
        return 0;
      },
      wasm_on_header_field: (_parser: number, at: number, length: number) => {
        if (isInValue) facts.fields.push([textAt(at, length), ""]);
        else {
          const field = facts.fields.at(-1);
          if (field !== undefined) field[0] += textAt(at, length);
        }
        isInValue = false;
        return 0;
      },
      wasm_on_header_value: (_parser: number, at: number, length: number) => {
        const field = facts.fields.at(-1);
        if (field !== undefined) field[1] = field[1] === "" ? textAt(at, length) : field[1] + textAt(at, length);
        isInValue = true;
        return 0;
      },
      wasm_on_headers_complete: (parser: number, status: number) => {
        const method = status === 0 ? METHOD_NAMES[api.llhttp_get_method(parser)] : undefined;
        facts.heads.push({ method, target, status, reason, minor: api.llhttp_get_http_minor(parser), headers: facts.fields });
        facts.fields = [];
        return 0;
      },
      wasm_on_body: (_parser: number, at: number, length: number) => {
        facts.payload.push(block.subarray(at - address, at - address + length));
        return 0;
      },
      wasm_on_message_complete: () => {
        facts.ends++;
        return 0;
      },
    },
  });
  const api = exports as unknown as Exports;
  return {
    parser: (type: "REQUEST" | "RESPONSE") => {
      const parser = api.llhttp_alloc(TYPE[type] ?? 0);
      return {
        read(bytes: Buffer): { readonly code: number; readonly facts: Facts } {
          if (bytes.length > addressBytes) {
            if (address !== 0) api.free(address);
            addressBytes = Math.ceil(bytes.length / 4096) * 4096;
            address = api.malloc(addressBytes);
          }
          new Uint8Array(api.memory.buffer, address, addressBytes).set(bytes);
          block = bytes;
          facts = { heads: [], payload: [], ends: 0, fields: [] };
          return { code: api.llhttp_execute(parser, address, bytes.length), facts };
        },
        finish: () => api.llhttp_finish(parser),
        free: () => api.llhttp_free(parser),
      };
    },
  };
}

const simd = llhttp(WITH_SIMD);
const plainWasm = llhttp(WITHOUT_SIMD);

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

const body = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "x".repeat(960) }] });
const VARIETY = 64;

/** Requests of one client: in `changing` of the nine fields each has other values. */
const requests = (changing: number) =>
  Array.from({ length: VARIETY }, (_, i) => {
    const id = (field: number) => (field < changing ? i : 0);
    // The last field has the same place and length always, so that all inputs are of one size.
    return Buffer.from(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${8800 + id(8)}\r\nauthorization: Bearer sk-${"0".repeat(46)}${10 + id(7)}\r\nuser-agent: OpenAI/JS 7.${10 + id(6)}.0\r\naccept: application/json${10 + id(5)}\r\ncontent-type: application/json${10 + id(4)}\r\nx-stainless-lang: js${10 + id(3)}\r\nx-stainless-runtime: node${10 + id(2)}\r\nx-request-id: ${10 + id(0)}\r\ncontent-length: ${" ".repeat(id(1) % 2)}${body.length}\r\n\r\n${body}`,
    );
  });

/** Responses of one target: date, ids, timings and what is left of a limit are new each time, or nothing is. */
const responses = (isNew: boolean) =>
  Array.from({ length: VARIETY }, (_, i) => {
    const id = 10 + (isNew ? i : 0);
    return Buffer.from(
      `HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 12:00:${id} GMT\r\ncontent-type: application/json\r\nx-request-id: req_${"0".repeat(30)}${id}\r\nopenai-processing-ms: 3${id}\r\nx-ratelimit-remaining-requests: 99${id}\r\nserver: cloudflare\r\ncf-ray: ${"0".repeat(14)}${id}-FRA\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
const CHUNKED_HEAD = Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
const inChunks = (count: number, bytes: number) => [Buffer.from(`${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`.repeat(count))];

type Read = (bytes: Buffer) => number;
type Case = { readonly name: string; readonly inputs: readonly Buffer[]; readonly before?: Buffer; readonly type: "REQUEST" | "RESPONSE" };
const CASES: readonly Case[] = [
  { name: "1 KB request, 9 fields, the same each time", inputs: requests(0), type: "REQUEST" },
  { name: "1 KB request, 2 of 9 fields new each time", inputs: requests(2), type: "REQUEST" },
  { name: "1 KB request, all 9 fields new each time", inputs: requests(9), type: "REQUEST" },
  { name: "1 KB response, 8 fields, the same each time", inputs: responses(false), type: "RESPONSE" },
  { name: "1 KB response, 5 of 8 fields new each time", inputs: responses(true), type: "RESPONSE" },
  { name: "one chunk of 160 bytes", inputs: inChunks(1, 160), before: CHUNKED_HEAD, type: "RESPONSE" },
  { name: "64 KB in 16 chunks", inputs: inChunks(16, 4096), before: CHUNKED_HEAD, type: "RESPONSE" },
];

/** Gives the number of facts, so that nothing is optimised away and both can be compared. */
function ownRead({ type, before }: Case): Read {
  const reader = type === "REQUEST" ? requestReader() : responseReader(() => "POST");
  if (before !== undefined) reader.read(before);
  return (bytes) => {
    let facts = 0;
    for (const event of reader.read(bytes)) {
      if (event.kind === "head") facts += event.head.headers.length;
      else if (event.kind === "data") for (const part of event.payload) facts += part.length;
    }
    return facts;
  };
}

function llhttpRead({ type, before }: Case, instance: ReturnType<typeof llhttp>): Read {
  const parser = instance.parser(type);
  if (before !== undefined) parser.read(before);
  return (bytes) => {
    const { code, facts: found } = parser.read(bytes);
    if (code !== ERROR.OK) throw new Error(`llhttp: ${code}`);
    let facts = 0;
    for (const head of found.heads) facts += head.headers.length;
    for (const part of found.payload) facts += part.length;
    return facts;
  };
}

const ROUNDS = 15;
const ROUND_MS = 40;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function nsPerRead(read: Read, inputs: readonly Buffer[], count: number): number {
  const start = performance.now();
  for (let i = 0; i < count; i++) read(inputs[i % inputs.length] as Buffer);
  return ((performance.now() - start) * 1e6) / count;
}

function times(): void {
  print(
    `${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, Bun ${Bun.version}; medians of ${ROUNDS} interleaved rounds of about ${ROUND_MS} ms`,
  );
  print();
  print("| | own | llhttp, SIMD | llhttp | llhttp, SIMD / own |");
  print("|---|---:|---:|---:|---:|");
  for (const one of CASES) {
    const readers = [ownRead(one), llhttpRead(one, simd), llhttpRead(one, plainWasm)];
    const facts = readers.map((read) => one.inputs.reduce((sum, input) => sum + read(input), 0));
    if (new Set(facts).size !== 1) throw new Error(`${one.name}: not the same facts: ${facts}`);
    const counts = readers.map((read) => {
      nsPerRead(read, one.inputs, 2_000);
      return Math.max(50, Math.round((ROUND_MS * 1e6) / nsPerRead(read, one.inputs, 500)));
    });
    const rounds: number[][] = readers.map(() => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (let turn = 0; turn < readers.length; turn++) {
        const index = (turn + round) % readers.length;
        const read = readers[index];
        if (read !== undefined) rounds[index]?.push(nsPerRead(read, one.inputs, counts[index] ?? 0));
      }
    }
    const [own = 0, fast = 0, slow = 0] = rounds.map(median);
    const us = (ns: number) => `${(ns / 1000).toFixed(2)} µs`;
    print(`| ${one.name} | ${us(own)} | ${us(fast)} | ${us(slow)} | ${(fast / own).toFixed(2)} |`);
  }
}

/** What llhttp says of these bytes on a new connection: the error, `waits` for more, or `accepts`. */
function verdict(type: "REQUEST" | "RESPONSE", bytes: string, isEnded: boolean): string {
  const parser = simd.parser(type);
  const { code, facts } = parser.read(Buffer.from(bytes, "latin1"));
  const ended = isEnded && code === ERROR.OK ? parser.finish() : code;
  parser.free();
  if (ended !== ERROR.OK && ended !== ERROR.PAUSED_UPGRADE) return "refuses";
  return facts.ends > 0 || ended === ERROR.PAUSED_UPGRADE || isEnded ? "accepts" : "waits";
}

function table(title: string, cases: readonly { readonly name: string; readonly verdict: string }[], areGood: boolean): void {
  const groups = new Map<string, { all: number; refused: number; others: string[] }>();
  for (const one of cases) {
    const [group = "", ...name] = one.name.split(": ");
    const found = groups.get(group) ?? { all: 0, refused: 0, others: [] };
    groups.set(group, found);
    found.all++;
    if (one.verdict === "refuses") found.refused++;
    if ((one.verdict === "refuses") === areGood) found.others.push(`${name.join(": ") || group} (${one.verdict})`);
  }
  print();
  const refused = cases.filter((one) => one.verdict === "refuses").length;
  print(`${title}: llhttp refuses ${refused} of ${cases.length}`);
  for (const [group, { all, refused: some, others }] of groups) {
    if (others.length === 0) continue;
    if (!areGood) print(`  ${group}: ${all - some} of ${all} not refused`);
    if (process.argv.includes("--names") || areGood) for (const name of others) print(`    ${name}`);
  }
}

function corpus(): void {
  const requests = MALFORMED_REQUESTS.map(({ name, bytes }) => ({ name, verdict: verdict("REQUEST", bytes, false) }));
  const responses = MALFORMED_RESPONSES.map(({ name, bytes }) => ({ name, verdict: verdict("RESPONSE", bytes, true) }));
  table("malformed requests", requests, false);
  table("malformed responses", responses, false);
  table(
    "odd requests",
    ODD_REQUESTS.map(({ name, bytes }) => ({ name, verdict: verdict("REQUEST", bytes, true) })),
    true,
  );
  table(
    "odd responses",
    ODD_RESPONSES.map(({ name, bytes }) => ({ name, verdict: verdict("RESPONSE", bytes, true) })),
    true,
  );
}

/** What is left of what was sent, as the callbacks of this build give it. */
function losses(): void {
  const head = "POST /v1 HTTP/1.1\r\nHost: a\r\nX-A:  b \t\r\nX-B:\r\nTransfer-Encoding: chunked\r\n\r\n";
  const parser = simd.parser("REQUEST");
  const { code, facts } = parser.read(Buffer.from(`${head}005;a="b;c"\r\nhello\r\nA\r\n0123456789\r\n0;d\r\nX-T:  e \r\n\r\n`));
  print();
  print(`what llhttp gives of a chunked request (${code === ERROR.OK ? "no error" : `error ${code}`}):`);
  print(`  fields    ${JSON.stringify(facts.heads[0]?.headers)}`);
  print(`  payload   ${JSON.stringify(facts.payload.map((part) => Buffer.from(part).toString()))}`);
  print(`  trailers  ${JSON.stringify(facts.fields)}`);
  const imports = WebAssembly.Module.imports(WITH_SIMD).map(({ name }) => name.replace("wasm_on_", ""));
  print(`  callbacks ${imports.join(", ")}`);
  parser.free();
}

if (import.meta.main) {
  times();
  corpus();
  losses();
}
