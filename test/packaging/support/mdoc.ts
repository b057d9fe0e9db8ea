/** Reads the lists of manual pages in mdoc(7), without a word of what writes them. */

export type PageItem = {
  /** As a reader sees it: `-p, --port PORT`. */
  readonly head: string;
  /** The first paragraph. */
  readonly text: string;
  /** No macro stands in it. */
  readonly isPlain: boolean;
  /** What follows it. */
  readonly more: string;
};

/** The lines behind one that stands alone, such as `.Sh KEYS` or `The options are:`. */
export function linesAfter(page: string, line: string): readonly string[] {
  const lines = page.split("\n");
  const index = lines.indexOf(line);
  if (index < 0 || lines.indexOf(line, index + 1) >= 0) throw new Error(`"${line}" should stand there once`);
  return lines.slice(index + 1);
}

/** The next list behind a line. */
export function itemsAfter(page: string, line: string): readonly PageItem[] {
  return itemsOf(linesAfter(page, line));
}

/** Every list of items with heads. */
export function listsOf(page: string): readonly (readonly PageItem[])[] {
  const lines = page.split("\n");
  return lines.flatMap((line, index) => (line.startsWith(".Bl -tag") ? [itemsOf(lines.slice(index))] : []));
}

function itemsOf(lines: readonly string[]): readonly PageItem[] {
  const begin = lines.findIndex((each) => each.startsWith(".Bl "));
  const items: { head: string; lines: string[] }[] = [];
  for (const each of lines.slice(begin + 1, lines.indexOf(".El", begin))) {
    if (each.startsWith(".It")) items.push({ head: seen(`.No ${each.slice(4)}`), lines: [] });
    else items.at(-1)?.lines.push(each);
  }
  return items.map(({ head, lines: all }) => {
    const end = all.indexOf(".Pp");
    const first = end < 0 ? all : all.slice(0, end);
    const isPlain = first.every((each) => !each.startsWith("."));
    return { head, text: paragraph(first), isPlain, more: end < 0 ? "" : paragraph(all.slice(end + 1)) };
  });
}

/** The next literal display behind a line. */
export function displayAfter(page: string, line: string): string {
  const lines = linesAfter(page, line);
  const begin = lines.findIndex((each) => each.startsWith(".Bd -literal"));
  return lines
    .slice(begin + 1, lines.indexOf(".Ed", begin))
    .map(unescaped)
    .join("\n");
}

/** The lines between one and the next section or subsection. */
export function sectionOf(page: string, title: string): string {
  const lines = linesAfter(page, title);
  const end = lines.findIndex((each) => /^\.S[hs] /.test(each));
  return [title, ...(end < 0 ? lines : lines.slice(0, end))].join("\n");
}

export function paragraph(lines: readonly string[]): string {
  return lines
    .filter((line) => line !== ".Pp")
    .map(seen)
    .join(" ");
}

/** One line as a reader sees it. */
export function seen(line: string): string {
  if (!line.startsWith(".") || line.startsWith(".\\")) return unescaped(line);
  let text = "";
  let prefix = "";
  let isJoined = true;
  let closing = "";
  let flag = false;
  for (const word of wordsOf(line.slice(1))) {
    if (word === "Ns") isJoined = true;
    else if (word === "Pq" || word === "Oo" || word === "Op") {
      prefix = word === "Pq" ? "(" : "[";
      if (word !== "Oo") closing = word === "Pq" ? ")" : "]";
    } else if (word === "Oc") text += "]";
    else if (/^(?:Ar|Cm|Dl|Ev|Ic|Li|Nm|No|Pa|Sx|Xr)$/.test(word)) flag = false;
    else if (word === "Fl") flag = true;
    else if (word === "," || word === ".") text += word;
    else {
      const space = isJoined || text.endsWith("[") || text.endsWith("(") ? "" : " ";
      text += `${space}${prefix}${flag ? "-" : ""}${unescaped(word)}`;
      prefix = "";
      flag = false;
      isJoined = false;
    }
  }
  return text + closing;
}

/** The arguments of a macro; those in quotes are one. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\e": "\\",
  "\\-": "-",
  "\\&": "",
  "\\%": "",
  "\\(aq": "'",
  "\\(dq": '"',
  "\\(ga": "`",
  "\\(ha": "^",
  "\\(ti": "~",
};

export function unescaped(text: string): string {
  return text.replace(/\\(?:\[u([\dA-F]+)\]|\(\w\w|.)/g, (sequence, code?: string) =>
    code === undefined ? (ESCAPES[sequence] ?? sequence) : String.fromCodePoint(Number.parseInt(code, 16)),
  );
}
