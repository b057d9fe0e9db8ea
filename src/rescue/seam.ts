/** The end of a text that a model is not told, and the beginning of what it says behind it. */

/**
 * What a model is told of a text that it is to go on with: without white space at its end, which Anthropic refuses and which lets any
 * model guess wrong, and without half a character, which is no text. As long as what it stands for in the text.
 */
export function toldOf(text: string): string {
  return withoutHalfCharacter(text).trimEnd().toWellFormed();
}

function withoutHalfCharacter(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}

/** Takes the pieces of a continuation, one after the other; the results do not depend on where the pieces were cut. */
export type Seam = (piece: string) => string;

/**
 * Leaves out what repeats the end that the model was not told: as much of it as the continuation begins with, character by character. A
 * continuation with other white space, or none, loses nothing, and the client keeps what it has: it cannot be taken back.
 */
export function createSeam(text: string): Seam {
  let expected = text.slice(toldOf(text).length);
  return (piece) => {
    let repeated = 0;
    while (repeated < expected.length && repeated < piece.length && piece[repeated] === expected[repeated]) repeated++;
    expected = repeated === piece.length ? expected.slice(repeated) : "";
    return repeated === 0 ? piece : piece.slice(repeated);
  };
}
