import { BodyCut, type Chunks, type DeliveryEnd } from "../../core/exchange.ts";

/** What is used of a stream's reader. */
type Reader = {
  readonly read: () => Promise<{ readonly value?: Uint8Array | undefined }>;
  readonly cancel: () => Promise<void>;
};

/** A body that this engine made itself of a stream that nobody has begun to read: `fetch` takes that stream as it is. */
type StreamChunks = Chunks & { readonly stream: ReadableStream<Uint8Array> };

export function chunksOfStream(stream: ReadableStream<Uint8Array>): StreamChunks {
  let reader: Chunks | undefined;
  return {
    stream,
    read() {
      reader ??= chunksOfReader(stream.getReader());
      return reader.read();
    },
    cancel() {
      if (reader === undefined) stream.cancel().catch(() => {});
      else reader.cancel();
    },
  };
}

/** A body that this engine reads of a stream. */
type ReaderChunks = Chunks & { readonly reader: Reader };

export function chunksOfReader(reader: Reader): ReaderChunks {
  return {
    reader,
    read: () => reader.read().then(chunkOf, cutOff),
    cancel() {
      reader.cancel().catch(() => {});
    },
  };
}

/** Up to 128 KiB go on with each turn. */
const WAKE_MS = 1;

/** A reset throws away what has not been read yet, so the bytes before it get this long to arrive. */
const RESET_DELAY_MS = 20;

function chunkOf(result: { readonly value?: Uint8Array | undefined }): Uint8Array | undefined {
  return result.value;
}

/** `fetch` does not tell a FIN from an RST; both mean that the rest is lost. */
function cutOff(): never {
  throw new BodyCut("reset");
}

/**
 * A stream for a Response. It reads on only when the client has taken what came before, so that a slow reader slows the
 * sender. A direct stream, and no promise that can be spared: this is the way of every chunk (docs/performance.md).
 */
export function streamOfChunks(
  chunks: Chunks,
  done: (how: DeliveryEnd) => void,
  ready: () => Promise<void> | undefined,
): ReadableStream<Uint8Array> {
  const { read } = readerOf(chunks);
  // A client can go while the last read is under way; the first end that is seen is the one that counts.
  let isOver = false;
  const end = (how: DeliveryEnd) => {
    if (!isOver) done(how);
    isOver = true;
  };
  return new ReadableStream<Uint8Array>({
    type: "direct",
    async pull(controller) {
      try {
        for (;;) {
          const { value } = await read();
          if (value === undefined) break;
          const written: number | Promise<number> = controller.write(value as Uint8Array<ArrayBuffer>);
          controller.flush();
          // Only where the client does not keep up.
          if (typeof written !== "number") await awake(written);
        }
      } catch {
        await Bun.sleep(RESET_DELAY_MS);
        end("cut");
        // Without a reason: Bun resets the connection either way, and prints a stack for every reason it gets.
        throw undefined;
      }
      // No promise where there is nothing to wait for.
      const waits = ready();
      if (waits !== undefined) await waits;
      controller.close();
      end("complete");
    },
    cancel() {
      chunks.cancel();
      end("client_gone");
    },
  });
}

/**
 * Bun's HTTP/2 goes on with output that the system did not take only when its loop wakes for another reason, which may
 * be a second later (docs/engines.md): a timer wakes it.
 */
async function awake(written: Promise<number>): Promise<void> {
  const timer = setInterval(() => {}, WAKE_MS);
  try {
    await written;
  } finally {
    clearInterval(timer);
  }
}

/** A body that comes from a stream is read at its source. */
function readerOf(chunks: Chunks): Pick<Reader, "read"> {
  if (!("reader" in chunks)) return { read: () => chunks.read().then((value) => ({ value })) };
  const { reader } = chunks as ReaderChunks;
  return { read: () => reader.read() };
}

/** A request body for `fetch`. */
export function streamForFetch(chunks: Chunks): ReadableStream<Uint8Array> {
  if (isStreamChunks(chunks)) return chunks.stream;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await chunks.read();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => chunks.cancel(),
    },
    { highWaterMark: 0 },
  );
}

/** The same bytes again: what was read already, then the rest. */
export function chunksAgain(read: readonly Uint8Array[], rest: Chunks | undefined): Chunks {
  let next = 0;
  return {
    read: () => (next < read.length || rest === undefined ? Promise.resolve(read[next++]) : rest.read()),
    cancel: () => rest?.cancel(),
  };
}

function isStreamChunks(chunks: Chunks): chunks is StreamChunks {
  return "stream" in chunks;
}
