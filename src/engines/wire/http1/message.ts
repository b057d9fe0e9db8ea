import type { HeaderList } from "../../../core/headers.ts";

/** Why bytes are no message that every reader would read the same way. */
export type MessageErrorCode =
  | "bare_line_feed"
  | "bad_start_line"
  | "bad_version"
  | "bad_target"
  | "bad_field_name"
  | "bad_field_value"
  | "folded_field"
  | "head_too_large"
  | "too_many_fields"
  | "bad_host"
  | "bad_content_length"
  | "bad_transfer_encoding"
  | "unknown_transfer_coding"
  | "length_and_transfer_encoding"
  | "bad_chunk"
  | "bad_trailer"
  | "incomplete_head"
  | "incomplete_body";

export type MessageError = {
  readonly code: MessageErrorCode;
  /** Of the answer to a request with this error. */
  readonly status: 400 | 431 | 501 | 505;
  /** What is wrong, for people; quotes nothing of the message. */
  readonly message: string;
};

export function messageError(code: MessageErrorCode, message: string, status: MessageError["status"] = 400): MessageError {
  return { code, status, message };
}

export function isMessageError(value: object): value is MessageError {
  return "code" in value;
}

/** How long a body is (RFC 9112 section 6.3). `close`: until the connection ends. */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

export const NO_BODY: BodyFraming = { kind: "none" };

export type RequestLine = {
  readonly method: string;
  /** As received: origin-form, absolute-form, authority-form or `*` (RFC 9112 section 3.2). */
  readonly target: string;
  /** HTTP/1.x */
  readonly minor: 0 | 1;
};

export type StatusLine = {
  readonly minor: 0 | 1;
  readonly status: number;
  /** As received; may be empty. */
  readonly reason: string;
};

export type MessageHead<StartLine> = StartLine & {
  /** In order, with duplicates; values without the white space around them. */
  readonly headers: HeaderList;
  readonly framing: BodyFraming;
};

/** Some bytes of a body: `raw` as on the wire, `payload` without chunk framing. */
export type Data = { readonly kind: "data"; readonly raw: Uint8Array; readonly payload: readonly Uint8Array[] };

/** Data in chunks. What goes on as it came needs no view of what is inside, so that is only made when it is asked for. */
export class ChunkedData implements Data {
  readonly kind = "data";
  readonly raw: Uint8Array;
  readonly #block: Buffer;
  /** Where payload begins and ends in the block, by turns. */
  readonly #borders: readonly number[];

  constructor(raw: Uint8Array, block: Buffer, borders: readonly number[]) {
    this.raw = raw;
    this.#block = block;
    this.#borders = borders;
  }

  get payload(): readonly Uint8Array[] {
    const payload: Uint8Array[] = [];
    for (let index = 0; index + 1 < this.#borders.length; index += 2)
      payload.push(this.#block.subarray(this.#borders[index], this.#borders[index + 1]));
    return payload;
  }
}

/** A body that came whole, with its head: where it stands in the block that was read. The views are made when they are asked for. */
export class WholeData implements Data {
  readonly kind = "data";
  readonly block: Buffer;
  readonly from: number;
  readonly to: number;

  constructor(block: Buffer, from: number, to: number) {
    this.block = block;
    this.from = from;
    this.to = to;
  }

  get raw(): Uint8Array {
    return this.block.subarray(this.from, this.to);
  }

  get payload(): readonly Uint8Array[] {
    return [this.raw];
  }
}

/** The bytes of all events but `error`, heads aside, are the bytes of the body as they came, chunk framing and all. */
export type MessageEvent<StartLine> =
  | { readonly kind: "head"; readonly head: MessageHead<StartLine> }
  | Data
  /** `raw`: the last chunk and the trailer section of a chunked body. `rest`: what came behind the message, unread. */
  | { readonly kind: "end"; readonly raw: Uint8Array; readonly trailers: HeaderList; readonly rest: Uint8Array }
  /** The last event of a reader. */
  | { readonly kind: "error"; readonly error: MessageError };
