/**
 * Splits a command into words at white space. Quotes (single or double, also inside a word: message="a b") keep white
 * space; a backslash inside double quotes keeps the next character. Undefined where a quote is not closed.
 */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else if (character === "\\" && quote === '"' && i + 1 < text.length) word += text.charAt(++i);
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== undefined) return undefined;
  return word === undefined ? words : [...words, word];
}

/** The inverse: words as the shell gave them, as one command text. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/[\s"'\\]/.test(word) || word === "" ? `"${word.replace(/["\\]/g, "\\$&")}"` : word)).join(" ");
}
