import { BodyTooLarge } from "../../core/body-too-large.ts";
import { BodyCut, type Chunks, type RequestBody } from "../../core/exchange.ts";
import { REQUEST_BUFFER_BYTES_MAX } from "../../core/limits.ts";
import { chunksAgain, chunksOfStream } from "./chunks.ts";

/** Reads what nobody has read and throws it away; nothing may read beside it. */
export type ServeBody = RequestBody & { readonly rest: () => Promise<void> };

const EMPTY: ServeBody = { lengthBytes: 0, whole: async () => new Uint8Array(), forward: async () => null, rest: async () => {} };

/**
 * The body of a Bun request. Small ones with a length are taken in one piece; the others are streamed unless looked at,
 * and with `keepsReading` by a reader of our own, for `rest`.
 */
export function requestBody(request: Request, contentLength: string | undefined, keepsReading: boolean, bytesMax: () => number): ServeBody {
  if (request.body === null) return contentLength === undefined ? EMPTY : { ...EMPTY, forward: async () => new Uint8Array() };
  const lengthBytes = contentLength === undefined ? undefined : Number(contentLength);
  let bytes: Promise<Uint8Array> | undefined;
  const inOnePiece = () => {
    bytes ??= request.bytes().catch(() => {
      throw new BodyCut("reset");
    });
    return bytes;
  };
  let streamed: Chunks | undefined;
  const stream = () => {
    const source = chunksOfStream(request.body as ReadableStream<Uint8Array>);
    streamed = source;
    return keepsReading ? { read: () => source.read(), cancel() {} } : source;
  };
  const rest = async () => {
    try {
      if (bytes !== undefined) await bytes;
      else while ((await (streamed ?? stream()).read()) !== undefined);
    } catch {
      // The client has gone.
    }
  };
  if (lengthBytes !== undefined) {
    return {
      rest,
      lengthBytes,
      whole: async (bytesMax) => (bytes !== undefined || lengthBytes <= bytesMax ? await inOnePiece() : undefined),
      forward: async () => (bytes !== undefined || lengthBytes <= REQUEST_BUFFER_BYTES_MAX ? await inOnePiece() : stream()),
    };
  }
  const source = upTo(stream(), bytesMax());
  const read: Uint8Array[] = [];
  let readBytes = 0;
  let ended = false;
  return {
    rest,
    lengthBytes,
    async whole(bytesMax) {
      while (!ended && readBytes <= bytesMax) {
        const chunk = await source.read();
        if (chunk === undefined) ended = true;
        else readBytes += read.push(chunk) > 0 ? chunk.length : 0;
      }
      return ended ? new Uint8Array(await new Blob(read as Uint8Array<ArrayBuffer>[]).arrayBuffer()) : undefined;
    },
    forward: async (): Promise<Chunks> => (read.length === 0 && !ended ? source : chunksAgain(read, ended ? undefined : source)),
  };
}

/** Of a body whose length nobody has told, no more than it may have. */
function upTo(source: Chunks, bytesMax: number): Chunks {
  let bytes = 0;
  return {
    async read() {
      const chunk = await source.read();
      bytes += chunk?.length ?? 0;
      if (bytes <= bytesMax) return chunk;
      source.cancel();
      throw new BodyTooLarge(bytesMax);
    },
    cancel: () => source.cancel(),
  };
}
