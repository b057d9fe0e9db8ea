/** Watches arguments go by, without keeping them. */
export type ArgumentsWatch = {
  readonly push: (text: string) => void;
  /** A JSON object has begun and ended: nothing but blanks can follow. */
  readonly isComplete: () => boolean;
};

export function watchArguments(): ArgumentsWatch {
  let depth = 0;
  let hasBegun = false;
  let isInString = false;
  let isEscaped = false;
  return {
    push(text) {
      for (const character of text) {
        if (isEscaped) isEscaped = false;
        else if (isInString) {
          isEscaped = character === "\\";
          isInString = character !== '"';
        } else if (character === '"') isInString = true;
        else if (character === "{" || character === "[") {
          depth++;
          hasBegun = true;
        } else if (character === "}" || character === "]") depth--;
      }
    },
    isComplete: () => hasBegun && depth <= 0 && !isInString,
  };
}
