/** Digits of the SHA-256 by which a client's key is told: enough to tell keys apart, and nothing to get in with. */
export const KEY_HASH_DIGITS = 12;

export const KEY_HASH = new RegExp(`^[0-9a-f]{${KEY_HASH_DIGITS}}$`);
