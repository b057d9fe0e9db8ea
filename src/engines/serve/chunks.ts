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

export function chunksOfReader(reader: Reader): Chunks {
  return {
    read: () => reader.read().then(chunkOf, cutOff),
    cancel() {
      reader.cancel().catch(() => {});
    },
  };
}

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
 * A stream for `fetch` or a Response. It reads only when asked, so that a slow reader slows the sender. Promises are
 * chained and not awaited here and above: this is the way of every chunk.
 */
export function streamOfChunks(chunks: Chunks, done?: (how: DeliveryEnd) => void): ReadableStream<Uint8Array> {
  // A client can go while the last read is under way; the first end that is seen is the one that counts.
  let isOver = false;
  const end = (how: DeliveryEnd) => {
    if (!isOver) done?.(how);
    isOver = true;
  };
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        return chunks.read().then(
          (chunk) => {
            if (chunk !== undefined) {
              controller.enqueue(chunk);
              return;
            }
            controller.close();
            end("complete");
          },
          async () => {
            await Bun.sleep(RESET_DELAY_MS);
            // Without a reason: Bun resets the connection either way, and prints a stack for every reason it gets.
            controller.error(undefined);
            end("cut");
          },
        );
      },
      cancel() {
        chunks.cancel();
        end("client_gone");
      },
    },
    { highWaterMark: 0 },
  );
}

/** A request body for `fetch`. */
export function streamForFetch(chunks: Chunks): ReadableStream<Uint8Array> {
  return isStreamChunks(chunks) ? chunks.stream : streamOfChunks(chunks);
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
