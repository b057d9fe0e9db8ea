import { connect, type Socket } from "node:net";

export type RawEnd = "fin" | "rst" | "open";

export type RawAnswer = {
  /** All bytes as latin1 text. */
  readonly text: string;
  readonly end: RawEnd;
  readonly status: number;
  /** As spelled and ordered on the wire. */
  readonly headers: readonly (readonly [string, string])[];
  /** After the head, chunk framing and all. */
  readonly body: string;
};

/** Opens a connection, writes the bytes as they are, and reads until `until` says enough, the peer ends, or time is up. */
export async function raw(
  port: number,
  bytes: string | Uint8Array,
  options: { readonly until?: (text: string) => boolean; readonly timeoutMs?: number } = {},
): Promise<RawAnswer> {
  const { socket, ended, text } = rawConnection(port, bytes, options.until);
  const timer = setTimeout(() => ended.resolve("open"), options.timeoutMs ?? 5_000);
  const end = await ended.promise;
  clearTimeout(timer);
  socket.destroy();
  return parse(text(), end);
}

/** The same, in the caller's hands. */
export function rawConnection(port: number, bytes: string | Uint8Array, until?: (text: string) => boolean) {
  let text = "";
  const ended = Promise.withResolvers<RawEnd>();
  const socket: Socket = connect({ host: "127.0.0.1", port }, () => socket.write(bytes));
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    if (until?.(text)) ended.resolve("open");
  });
  socket.on("end", () => ended.resolve("fin"));
  socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" ? ended.resolve("rst") : ended.reject(error)));
  return { socket, ended, text: () => text };
}

/** A whole answer with a Content-Length, or a complete chunked one, has come. */
export function complete(text: string): boolean {
  const { body, headers } = parse(text, "open");
  const length = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  if (!text.includes("\r\n\r\n")) return false;
  return length === undefined ? body.endsWith("0\r\n\r\n") : body.length >= Number(length);
}

function parse(text: string, end: RawEnd): RawAnswer {
  const border = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = (border < 0 ? text : text.slice(0, border)).split("\r\n");
  return {
    text,
    end,
    status: Number(statusLine.split(" ")[1] ?? Number.NaN),
    headers: lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as const),
    body: border < 0 ? "" : text.slice(border + 4),
  };
}

export type ChunkedBody = {
  /** The chunks that came whole, and the beginning of one that did not, as latin1 text. */
  readonly chunks: readonly string[];
  /** The chunks joined: the body as its reader gets it. */
  readonly text: string;
  /** The last chunk, of no length, has come: a proper end. */
  readonly ended: boolean;
};

/** Takes the chunk framing off a body; a body without one (it has a length) is a single chunk. */
export function chunked({ headers, body }: RawAnswer): ChunkedBody {
  const isChunked = headers.some(([name, value]) => name.toLowerCase() === "transfer-encoding" && value.toLowerCase() === "chunked");
  if (!isChunked) return { chunks: [body], text: body, ended: true };
  const chunks: string[] = [];
  let rest = body;
  for (;;) {
    const head = /^([0-9a-f]+)\r\n/i.exec(rest);
    if (head === null) break;
    const length = Number.parseInt(head[1] ?? "", 16);
    const start = head[0].length;
    if (length === 0) return { chunks, text: chunks.join(""), ended: rest.slice(start) === "\r\n" };
    chunks.push(rest.slice(start, start + length));
    rest = rest.slice(start + length + 2);
  }
  return { chunks, text: chunks.join(""), ended: false };
}

/** A request with the head that clients send. */
export function request(method: string, target: string, headers: Readonly<Record<string, string>> = {}, body = ""): string {
  const all: Record<string, string> = { host: "localhost", "user-agent": "raw", accept: "*/*", ...headers };
  if (body !== "" || method === "POST") all["content-length"] ??= String(Buffer.byteLength(body));
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

export type Conversation = {
  readonly socket: Socket;
  readonly text: () => string;
  readonly send: (bytes: string) => void;
  /** Waits until the text is as asked, or the peer has ended; fails after five seconds. */
  readonly until: (isThere: (text: string) => boolean) => Promise<void>;
  /** How the peer ended; `open` where it does not within so many milliseconds. */
  readonly end: (withinMs?: number) => Promise<RawEnd>;
  /** So many bytes in all had come after so many milliseconds. */
  readonly arrivals: readonly { readonly bytes: number; readonly ms: number }[];
  /** What went wrong with the connection after the peer's end. */
  readonly errors: readonly string[];
};

/** A connection in the caller's hands, which keeps its own direction open when the peer ends. */
export function converse(port: number, bytes: string): Conversation {
  let text = "";
  const ended = Promise.withResolvers<RawEnd>();
  const arrivals: { bytes: number; ms: number }[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of waiting) check();
  };
  const start = performance.now();
  const socket: Socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true }, () => socket.write(bytes));
  let hasEnded = false;
  const end = (how: RawEnd) => {
    hasEnded = true;
    ended.resolve(how);
    look();
  };
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    arrivals.push({ bytes: text.length, ms: performance.now() - start });
    look();
  });
  socket.on("end", () => end("fin"));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    errors.push(error.code ?? error.message);
    end("rst");
  });
  return {
    socket,
    text: () => text,
    send: (more) => void socket.write(Buffer.from(more, "latin1")),
    until: (isThere) =>
      new Promise((resolve, reject) => {
        const late = () => reject(new Error(`it did not come within 5 s; what came: ${JSON.stringify(text.slice(-400))}`));
        const timer = setTimeout(late, 5_000);
        const check = () => {
          if (!hasEnded && !isThere(text)) return;
          waiting.delete(check);
          clearTimeout(timer);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    end: (withinMs = 5_000) => Promise.race([ended.promise, Bun.sleep(withinMs).then((): RawEnd => "open")]),
    arrivals,
    errors,
  };
}
