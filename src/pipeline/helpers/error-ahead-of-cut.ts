/** HTTP clients throw away what they have not read when the connection breaks off; by then the error should have been. */
export const ERROR_AHEAD_OF_CUT_MS = 100;
