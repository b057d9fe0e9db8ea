/** Different texts that results are kept for; clients ask for few paths, and those who ask for many must not fill the memory. */
const ENTRIES_MAX = 512;
const CHARACTERS_MAX = 512;

/** A pure function of a text that keeps its results: what is asked for with every request is worked out once. */
export function remembered<Result>(compute: (text: string) => Result): (text: string) => Result {
  const results = new Map<string, Result>();
  return (text) => {
    const known = results.get(text);
    if (known !== undefined) return known;
    const result = compute(text);
    if (text.length > CHARACTERS_MAX) return result;
    if (results.size >= ENTRIES_MAX) results.clear();
    results.set(text, result);
    return result;
  };
}
