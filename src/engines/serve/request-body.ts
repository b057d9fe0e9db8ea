import { BodyCut, type Chunks, type RequestBody } from "../../core/exchange.ts";
import { REQUEST_BUFFER_BYTES_MAX } from "../../core/limits.ts";
import { chunksAgain, chunksOfStream } from "./chunks.ts";

const EMPTY: RequestBody = { lengthBytes: 0, whole: async () => new Uint8Array(), forward: async () => null };

/** The body of a Bun request. Small ones with a length are taken in one piece; the others are streamed unless looked at. */
export function requestBody(request: Request, contentLength: string | undefined): RequestBody {
  if (request.body === null) return contentLength === undefined ? EMPTY : { ...EMPTY, forward: async () => new Uint8Array() };
  const lengthBytes = contentLength === undefined ? undefined : Number(contentLength);
  let bytes: Promise<Uint8Array> | undefined;
  const inOnePiece = () => {
    bytes ??= request.bytes().catch(() => {
      throw new BodyCut("reset");
    });
    return bytes;
  };
  if (lengthBytes !== undefined) {
    return {
      lengthBytes,
      whole: async (bytesMax) => (bytes !== undefined || lengthBytes <= bytesMax ? await inOnePiece() : undefined),
      forward: async () =>
        bytes !== undefined || lengthBytes <= REQUEST_BUFFER_BYTES_MAX
          ? await inOnePiece()
          : chunksOfStream(request.body as ReadableStream<Uint8Array>),
    };
  }
  const source = chunksOfStream(request.body);
  const read: Uint8Array[] = [];
  let readBytes = 0;
  let ended = false;
  return {
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
