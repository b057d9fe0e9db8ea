import { BodyCut, type Chunks, type DeliveryEnd } from "../../core/exchange.ts";

/** The stream behind a body that this engine made itself: `fetch` takes it as it is, without a detour per chunk. */
const nativeStreams = new WeakMap<Chunks, ReadableStream<Uint8Array>>();

export function chunksOfStream(stream: ReadableStream<Uint8Array>): Chunks {
  const open = () => stream.getReader();
  let reader: ReturnType<typeof open> | undefined;
  const chunks: Chunks = {
    async read() {
      reader ??= open();
      try {
        const { done, value } = await reader.read();
        return done ? undefined : value;
      } catch {
        // fetch does not tell a FIN from an RST; both mean that the rest is lost.
        throw new BodyCut("reset");
      }
    },
    cancel() {
      const cancelled = reader === undefined ? stream.cancel() : reader.cancel();
      cancelled.catch(() => {});
    },
  };
  nativeStreams.set(chunks, stream);
  return chunks;
}

/** A stream for `fetch` or a Response. It reads only when asked, so that a slow reader slows the sender. */
export function streamOfChunks(chunks: Chunks, done?: (how: DeliveryEnd) => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const chunk = await chunks.read();
          if (chunk !== undefined) {
            controller.enqueue(chunk);
            return;
          }
          controller.close();
          done?.("complete");
        } catch {
          // Without a reason: Bun resets the connection either way, and prints a stack for every reason it gets.
          controller.error(undefined);
          done?.("cut");
        }
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
    async read() {
      return next < read.length ? read[next++] : rest?.read();
    },
    cancel: () => rest?.cancel(),
  };
}
