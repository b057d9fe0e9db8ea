import { BodyCut, type Chunks, type DeliveryEnd } from "../../core/exchange.ts";

/** The stream behind a body that this engine made itself: `fetch` takes it as it is, without a detour per chunk. */
const nativeStreams = new WeakMap<Chunks, ReadableStream<Uint8Array>>();

export function chunksOfStream(stream: ReadableStream<Uint8Array>): Chunks {
  const open = () => stream.getReader();
  let reader: ReturnType<typeof open> | undefined;
  const chunks: Chunks = {
    read() {
      reader ??= open();
      return reader.read().then(chunkOf, cutOff);
    },
    cancel() {
      const cancelled = reader === undefined ? stream.cancel() : reader.cancel();
      cancelled.catch(() => {});
    },
  };
  nativeStreams.set(chunks, stream);
  return chunks;
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
            done?.("complete");
          },
          async () => {
            await Bun.sleep(RESET_DELAY_MS);
            // Without a reason: Bun resets the connection either way, and prints a stack for every reason it gets.
            controller.error(undefined);
            done?.("cut");
          },
        );
      },
      cancel() {
        chunks.cancel();
        done?.("client_gone");
      },
    },
    { highWaterMark: 0 },
  );
}

/** A request body for `fetch`. */
export function streamForFetch(chunks: Chunks): ReadableStream<Uint8Array> {
  return nativeStreams.get(chunks) ?? streamOfChunks(chunks);
}

/** The same bytes again: what was read already, then the rest. */
export function chunksAgain(read: readonly Uint8Array[], rest: Chunks | undefined): Chunks {
  let next = 0;
  return {
    read: () => (next < read.length || rest === undefined ? Promise.resolve(read[next++]) : rest.read()),
    cancel: () => rest?.cancel(),
  };
}
