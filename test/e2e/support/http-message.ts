/**
 * A plain reader of well-formed HTTP/1.1 for the tests' own ends, with nothing of the one under test. Everything is Latin-1 text: one
 * character is one byte.
 */

export type Framing = "none" | "length" | "chunked" | "close";

export type Message = {
  readonly startLine: string;
  /** As on the wire; values without the white space around them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Start line and fields with the empty line. */
  readonly head: string;
  readonly framing: Framing;
  /** Behind the head, with its chunk framing. */
  readonly body: string;
  readonly payload: string;
  readonly chunks: readonly string[];
  /** Field lines of the trailer section, without the empty line. */
  readonly trailers: string;
};

type Head = Pick<Message, "startLine" | "headers" | "head">;

export function parseHead(head: string): Head {
  const [startLine = "", ...lines] = head.slice(0, -4).split("\r\n");
  const headers = lines.map((line) => [line.slice(0, line.indexOf(":")), trimmed(line.slice(line.indexOf(":") + 1))] as const);
  return { startLine, headers, head };
}

function trimmed(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, "");
}

export function field(headers: Message["headers"], name: string): readonly string[] {
  return headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

/** Reads messages out of growing text. */
export type MessageScan = {
  /** Of the message that is coming, once its head is there. */
  readonly head: () => Head | undefined;
  /** What has come of its body, with its chunk framing. */
  readonly body: () => string;
  /** Takes more text; gives the messages that are complete with it, so many at most. */
  readonly push: (text: string, messagesMax?: number) => readonly Message[];
  /** The sender has ended: gives the message that ended so, if one did. */
  readonly end: () => Message | undefined;
  /** What has come and is no complete message. */
  readonly rest: () => string;
};

/** `framingOf` is asked once for each head. `headDone` and `bodyMore` tell of a message before it is complete. */
export function messageScan(framingOf: (head: Head) => Framing, headDone: (head: Head) => void = () => {}): MessageScan {
  let text = "";
  let head: Head | undefined;
  let framing: Framing = "none";
  let lengthBytes = 0;
  let chunks: string[] = [];
  /** Of chunked: up to where it has been read, and what must have come before there is more to read. */
  let at = 0;
  let needed = 0;

  const message = (bodyEnd: number, trailers: string): Message => {
    const { startLine = "", headers = [], head: bytes = "" } = head ?? {};
    const body = text.slice(0, bodyEnd);
    const payload = framing === "chunked" ? chunks.join("") : body;
    const done = { startLine, headers, head: bytes, framing, body, payload, chunks, trailers };
    text = text.slice(bodyEnd);
    head = undefined;
    chunks = [];
    at = 0;
    needed = 0;
    return done;
  };
  const chunkedEnd = (): Message | undefined => {
    while (text.length >= needed) {
      const lineEnd = text.indexOf("\r\n", at);
      if (lineEnd < 0) return undefined;
      const size = Number.parseInt(text.slice(at, lineEnd), 16);
      if (Number.isNaN(size)) throw new Error(`no chunk size: ${JSON.stringify(text.slice(at, at + 40))}`);
      if (size === 0) {
        if (text.startsWith("\r\n", lineEnd + 2)) return message(lineEnd + 4, "");
        const end = text.indexOf("\r\n\r\n", lineEnd + 2);
        return end < 0 ? undefined : message(end + 4, text.slice(lineEnd + 2, end + 2));
      }
      needed = lineEnd + 2 + size + 2;
      if (text.length < needed) return undefined;
      chunks.push(text.slice(lineEnd + 2, needed - 2));
      at = needed;
    }
    return undefined;
  };
  const step = (): Message | undefined => {
    if (head === undefined) {
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return undefined;
      const found = parseHead(text.slice(0, end + 4));
      text = text.slice(end + 4);
      head = found;
      framing = framingOf(found);
      lengthBytes = Number(field(found.headers, "content-length")[0] ?? 0);
      headDone(found);
    }
    switch (framing) {
      case "none":
        return message(0, "");
      case "length":
        return text.length < lengthBytes ? undefined : message(lengthBytes, "");
      case "chunked":
        return chunkedEnd();
      case "close":
        return undefined;
    }
  };
  return {
    head: () => head,
    body: () => (head === undefined ? "" : text),
    rest: () => text,
    push(more, messagesMax = Number.POSITIVE_INFINITY) {
      text += more;
      const found: Message[] = [];
      while (found.length < messagesMax) {
        const next = step();
        if (next === undefined) break;
        found.push(next);
      }
      return found;
    },
    end: () => (head !== undefined && framing === "close" ? message(text.length, "") : undefined),
  };
}

export function requestFraming({ headers }: Head): Framing {
  if (field(headers, "transfer-encoding").length > 0) return "chunked";
  return field(headers, "content-length").length > 0 ? "length" : "none";
}

/** `method` of the request that is answered. An interim response has no body. */
export function responseFraming({ startLine, headers }: Head, method: string): Framing {
  const status = statusOf(startLine);
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return "none";
  const framing = requestFraming({ startLine, headers, head: "" });
  return framing === "none" ? "close" : framing;
}

export function statusOf(startLine: string): number {
  return Number(startLine.slice(9, 12));
}
