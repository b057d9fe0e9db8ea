/**
 * A piece of a stream with a meaning of its own: an SSE event, an element of a JSON array, a whole body. The bytes of
 * all frames, joined, are the bytes of the stream.
 */
export type Frame = {
  readonly bytes: Uint8Array;
  /** SSE `event`, where there is one. */
  readonly event: string | undefined;
  /** The payload as text; undefined for comments, blank lines, brackets and an unfinished rest. */
  readonly data: string | undefined;
};

/** Bytes in, complete frames out. */
export type FrameSplitter = {
  readonly push: (chunk: Uint8Array) => readonly Frame[];
  /** What is left when the bytes end, as one last frame without data. */
  readonly end: () => readonly Frame[];
};

export type Framing = {
  readonly name: "sse" | "json-array" | "whole";
  /** The content type of a stream framed so. */
  readonly contentType: string;
  readonly splitter: () => FrameSplitter;
  /** The bytes of a frame that stands at this index (0 = first). */
  readonly render: (event: string | undefined, data: string, index: number) => Uint8Array;
  /** The bytes after the last frame. */
  readonly trailer: string;
};
