/**
 * Three targets of routes on loopback, each of another provider, that answer, fail and go wrong as drawn. Prints their ports in one line, and
 * ends with its input. Argument: the seed.
 */
import { createServer, type Socket } from "node:net";
import type { HeaderList } from "../src/core/headers.ts";
import type { ProviderName } from "../src/core/provider.ts";
import { drawsOf } from "../test/pipeline/support/draws.ts";
import { questionOf } from "../test/pipeline/support/soak-question.ts";
import { type Script, scriptOf } from "../test/pipeline/support/soak-script.ts";
import { MARK, storyOf } from "../test/pipeline/support/soak-story.ts";
import { ROUTES, TARGETS, TIME_SCALE, WARM_UP_ID } from "./soak-plan.ts";

/** Each is down for some seconds now and then. */
const SPELL_MS = 4_000;

const seed = Number(process.argv[2]);
/** How often each exchange has been asked. */
const asked = new Map<number, number>();

async function answer(socket: Socket, provider: ProviderName, target: string, text: string): Promise<void> {
  const id = Number(MARK.exec(text)?.[1]);
  const count = (asked.get(id) ?? 0) + 1;
  asked.set(id, count);
  const draws = drawsOf(seed, `ask/${id}/${count}`);
  const number = id * 100 + count;
  const { question } = questionOf({ story: storyOf(seed, id, ROUTES, 0), provider, target, text, number, wallMs: Date.now() }, draws);
  const isDown = drawsOf(seed, `spell/${provider}/${Math.floor(performance.now() / SPELL_MS)}`).chance(0.2);
  await perform(scriptOf(question, isDown, draws), id === WARM_UP_ID ? CLOSING : [], socket);
}

/** Connections of the beginning are not kept: they would count as having been there before. */
const CLOSING: HeaderList = [["connection", "close"]];

async function perform(script: Script, more: HeaderList, socket: Socket): Promise<void> {
  if (script.kind === "silence") return;
  await Bun.sleep(script.afterMs * TIME_SCALE);
  if (script.kind === "failure") {
    socket.resetAndDestroy();
    return;
  }
  const { status, headers, body } = script;
  const isPlain = status === 204 || body.isWhole;
  const bytes = Buffer.concat(body.pieces.map((piece) => piece.bytes));
  const framing = status === 204 ? [] : [isPlain ? ["content-length", bytes.length] : ["transfer-encoding", "chunked"]];
  const lines = [...headers, ...more, ...framing].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`HTTP/1.1 ${status} Some\r\n${lines}\r\n`);
  if (isPlain) {
    if (status !== 204) socket.write(bytes);
    return;
  }
  for (const piece of body.pieces) {
    const waitMs = piece.afterMs * TIME_SCALE;
    if (waitMs >= 1) await Bun.sleep(waitMs);
    if (socket.destroyed) return;
    socket.write(Buffer.concat([Buffer.from(`${piece.bytes.length.toString(16)}\r\n`), piece.bytes, Buffer.from("\r\n")]));
  }
  if (body.end === "end") socket.write("0\r\n\r\n");
  else if (body.end === "close") socket.end();
  else if (body.end === "reset") socket.resetAndDestroy();
}

function serve(provider: ProviderName): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    let had: Buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      had = Buffer.concat([had, Buffer.from(bytes)]);
      const end = had.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = had.toString("latin1", 0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (had.length < end + 4 + length) return;
      const text = had.toString("utf8", end + 4, end + 4 + length);
      had = had.subarray(end + 4 + length);
      void answer(socket, provider, head.split(" ")[1] ?? "", text);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

process.stdout.write(`${JSON.stringify(await Promise.all(TARGETS.map(serve)))}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
