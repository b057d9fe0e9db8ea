/** Maxima of one message, unit last, with their reasons. */

/** Start line and fields, unless a setting says otherwise. Twice what common servers take: whatever a target would take goes through. */
export const HEAD_BYTES_MAX = 64 * 1024;

/** Fields of one head, or of one trailer section. */
export const FIELDS_MAX = 256;

/** Empty lines before a request line (RFC 9112 section 2.2); more are no client's habit. */
export const EMPTY_LINES_MAX = 4;

/** A chunk's size and extensions. Extensions that grow without limit are a known way to keep a reader busy. */
export const CHUNK_LINE_BYTES_MAX = 4 * 1024;

/** Digits of a Content-Length; leading zeros count. What is longer overflows in one reader or another. */
export const LENGTH_DIGITS_MAX = 16;

/** Digits of a chunk's size; leading zeros count. */
export const CHUNK_SIZE_DIGITS_MAX = 16;

/** Nobody sends chunks of 2 GiB, and where a reader counts in 32 bits, `100000005` is 5. */
export const CHUNK_BYTES_MAX = 2 ** 31 - 1;
