import { remembered } from "./remembered.ts";

/**
 * The same text, as it was when it came for the first time: one that is cut out of another keeps all of that in memory, and one that is new
 * is hashed and compared again by everybody who asks for it.
 */
export const interned = remembered((text) => Buffer.from(text).toString());
