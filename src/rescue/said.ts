/** Longer than any model's answer; a target that never ends must not use up the memory. */
export const ANSWER_CHARACTERS_MAX = 4_194_304;

/** The text of an answer so far. */
export type Said = {
  readonly add: (piece: string) => void;
  /** There is something in the answer that a model cannot be told as text. */
  readonly spoil: () => void;
  /** Undefined where the answer is more than text, or too long. */
  readonly text: () => string | undefined;
};

export function createSaid(): Said {
  let text: string | undefined = "";
  return {
    add(piece) {
      if (text !== undefined) text = text.length + piece.length > ANSWER_CHARACTERS_MAX ? undefined : text + piece;
    },
    spoil() {
      text = undefined;
    },
    text: () => text,
  };
}
