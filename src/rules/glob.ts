/** `*` any characters, `?` one; the whole text must match; case does not count. Time is at most glob × text. */
export function globMatches(glob: string, text: string): boolean {
  const pattern = glob.toLowerCase();
  const subject = text.toLowerCase();
  let p = 0;
  let s = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (s < subject.length) {
    const wanted = pattern[p];
    if (wanted === "*") {
      starAt = p++;
      resumeAt = s;
    } else if (wanted === "?" || (wanted !== undefined && wanted === subject[s])) {
      p++;
      s++;
    } else if (starAt >= 0) {
      // The last star takes one character more; earlier stars never need to.
      p = starAt + 1;
      s = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
