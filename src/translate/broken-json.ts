/**
 * Is this payload, which could not be read, an object of JSON that is not whole? Then a part of the answer is lost. Words that
 * are no JSON at all, with which some gateways keep a connection alive, lose nothing.
 */
export function isBrokenJson(data: string): boolean {
  return /^\s*\{/.test(data);
}

export const BROKEN_JSON = "The backend's stream has an event in it whose JSON is broken.";
