export type UrlData = { readonly mediaType: string; readonly base64: string };

/** Longer than the head of any data URL. */
const HEAD_CHARACTERS_MAX = 256;

/** What a data URL holds; undefined where it is none, or not in base64. */
export function dataOf(url: string): UrlData | undefined {
  const comma = url.slice(0, HEAD_CHARACTERS_MAX).indexOf(",");
  const mediaType = /^data:([^;,]+)(?:;[^;,]*)*;base64$/i.exec(url.slice(0, Math.max(comma, 0)))?.[1]?.toLowerCase();
  if (mediaType === undefined) return undefined;
  // A name that is none, but often written.
  return { mediaType: mediaType === "image/jpg" ? "image/jpeg" : mediaType, base64: url.slice(comma + 1) };
}
