import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";

/** By content coding (RFC 9110 section 8.4.1, RFC 8878). */
const DECODERS = new Map<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array>([
  ["gzip", gunzipSync],
  ["x-gzip", gunzipSync],
  ["deflate", inflateSync],
  ["br", brotliDecompressSync],
  ["zstd", zstdDecompressSync],
]);

/** Undoes content codings, the last one first; undefined where it cannot, or where more than `bytesMax` come out. */
export function withoutContentCoding(bytes: Uint8Array, contentEncoding: string, bytesMax: number): Uint8Array | undefined {
  const codings = contentEncoding.toLowerCase().split(",").reverse();
  let plain = bytes;
  for (const coding of codings.map((name) => name.trim()).filter((name) => name !== "identity")) {
    const decode = DECODERS.get(coding);
    if (decode === undefined) return undefined;
    try {
      plain = decode(plain, { maxOutputLength: bytesMax });
    } catch {
      return undefined;
    }
  }
  return plain;
}
