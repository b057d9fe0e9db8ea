import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

const FIXTURES = join(import.meta.dir, "../../fixtures");

/** The bytes of a recorded answer: `responses/text.sse`. */
export function recorded(name: string): Buffer {
  return readFileSync(join(FIXTURES, name));
}

export type BackendRequest = {
  readonly method: string;
  readonly target: string;
  /** The value of a field, in any case. */
  readonly header: (name: string) => string | undefined;
  /** As it came, without chunk framing. */
  readonly body: Buffer;
  readonly json: Readonly<Record<string, unknown>>;
  readonly socket: Socket;
  /** 1 for the first connection of all. */
  readonly connection: number;
  /** Resolves when the peer has ended the connection. */
  readonly gone: Promise<void>;
};

/** Writes an answer, or a part of one. */
export type Reply = (request: BackendRequest) => void | Promise<void>;

export type RecordedBackend = {
  /** The root of its API, as in a client's base URL. */
  readonly endpoint: string;
  /** All whole requests so far. */
  readonly requests: BackendRequest[];
  readonly connections: () => number;
  /** From the next request on. */
  readonly reply: (reply: Reply) => void;
  readonly last: () => BackendRequest;
  readonly stop: () => void;
};

/** A target of the test's own, on raw sockets: it keeps its requests and plays answers byte by byte as told. */
export async function startBackend(first: Reply = () => {}): Promise<RecordedBackend> {
  let reply = first;
  let connections = 0;
  const requests: BackendRequest[] = [];
  const server = createServer((socket) => {
    const connection = ++connections;
    const gone = Promise.withResolvers<void>();
    let unread = Buffer.alloc(0);
    let pieces: Buffer[] = [];
    let length = 0;
    /** Bytes until which nothing needs to be looked at. */
    let wanted = 0;
    socket.setNoDelay(true);
    socket.on("error", () => gone.resolve());
    socket.on("end", () => gone.resolve());
    socket.on("close", () => gone.resolve());
    socket.on("data", (data) => {
      const chunk = Buffer.from(data);
      pieces.push(chunk);
      length += chunk.length;
      if (length < wanted) return;
      unread = Buffer.concat(pieces);
      for (;;) {
        const border = unread.indexOf("\r\n\r\n");
        if (border < 0) break;
        const head = unread.toString("latin1", 0, border);
        const end = border + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        wanted = end;
        if (unread.length < end) break;
        const request = read(head, unread.subarray(border + 4, end), socket, connection, gone.promise);
        unread = unread.subarray(end);
        wanted = 0;
        requests.push(request);
        void Promise.resolve(reply(request)).catch((error: unknown) => socket.destroy(error as Error));
      }
      pieces = [unread];
      length = unread.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}/v1`,
    requests,
    connections: () => connections,
    reply: (next) => {
      reply = next;
    },
    last() {
      const request = requests.at(-1);
      if (request === undefined) throw new Error("no request has come");
      return request;
    },
    stop: () => void server.close(),
  };
}

function read(head: string, body: Buffer, socket: Socket, connection: number, gone: Promise<void>): BackendRequest {
  const [line = "", ...fields] = head.split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const headers = new Map(
    fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]),
  );
  return {
    method,
    target,
    header: (name) => headers.get(name.toLowerCase()),
    body,
    get json() {
      return JSON.parse(body.toString()) as Readonly<Record<string, unknown>>;
    },
    socket,
    connection,
    gone,
  };
}

export type Fields = Readonly<Record<string, string>>;

const fieldsText = (fields: Fields) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");

/** A whole answer with a length. */
export function whole(status: number, body: string | Uint8Array, fields: Fields = { "content-type": "application/json" }): Reply {
  return ({ socket }) => {
    const bytes = Buffer.from(body);
    socket.write(`HTTP/1.1 ${status} Recorded\r\n${fieldsText(fields)}content-length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes);
  };
}

export type Play = {
  /** The stream comes in chunks of so many bytes; by default all at once. */
  readonly chunkBytes?: number;
  readonly fields?: Fields;
  /** How it ends: with the last chunk; by FIN or RST without it; not at all. */
  readonly end?: "proper" | "fin" | "rst" | "open";
  /** What is waited for before the end. */
  readonly until?: Promise<unknown>;
};

export const SSE_FIELDS: Fields = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };

/** The head of a chunked answer, the bytes in chunks, the end. */
export function played(bytes: Uint8Array, { chunkBytes = bytes.length, fields = SSE_FIELDS, end = "proper", until }: Play = {}): Reply {
  return async ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\n${fieldsText(fields)}transfer-encoding: chunked\r\n\r\n`);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      writeChunk(socket, bytes.subarray(at, at + chunkBytes));
      // Each chunk is a packet of its own.
      if (chunkBytes < bytes.length) await turn();
    }
    await until;
    if (end === "proper") socket.write("0\r\n\r\n");
    else if (end === "fin") socket.end();
    else if (end === "rst") socket.resetAndDestroy();
  };
}

export function writeChunk(socket: Socket, bytes: string | Uint8Array): void {
  const chunk = Buffer.from(bytes);
  socket.write(`${chunk.length.toString(16)}\r\n`);
  socket.write(chunk);
  socket.write("\r\n");
}
