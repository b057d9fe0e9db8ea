/** Writes mdoc(7), the language of the manual pages. Plain text goes in; lines of mdoc come out. */
import { PROVIDER_NAMES } from "../../src/core/provider.ts";

/** What roff or the fonts of terminals would make something else of; these must be copied from a page as they are typed. */
const CHARACTERS: Readonly<Record<string, string>> = { "\\": "\\e", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti" };

/** Characters that mean something to roff, and those beyond ASCII. Three points stand for their sign, which groff leaves out on plain terminals. */
function escaped(text: string): string {
  return text
    .replaceAll("…", "...")
    .replace(/[\\`^~]/g, (character) => CHARACTERS[character] ?? character)
    .replace(/[^\n -~]/gu, (character) => `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** Text that is typed: hyphens and quotes stay what they are. */
export function typed(text: string): string {
  return escaped(text).replace(/-/g, "\\-").replace(/'/g, "\\(aq").replace(/"/g, "\\(dq");
}

/** A line that is no macro, whatever it begins with. */
function textLine(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** mandoc tells of longer lines. */
const COLUMNS_MAX = 78;

/** A paragraph: lines that fit, and a new one for every sentence, by which roff knows where to leave more room. */
export function prose(text: string): readonly string[] {
  const lines: string[] = [];
  for (const sentence of text.split(/(?<=[.!?]\)?) (?=[A-Z])/)) {
    let line = "";
    for (const word of sentence.split(" ").map(proseWord)) {
      if (line !== "" && line.length + 1 + word.length > COLUMNS_MAX) {
        lines.push(line);
        line = "";
      }
      line += line === "" ? word : ` ${word}`;
    }
    lines.push(line);
  }
  return lines.map(textLine);
}

/** What is copied from a page stays in one piece, and its dashes stay what they are. groff hyphenates text, but no argument of a macro. */
function proseWord(word: string): string {
  return isLiteral(word) ? `\\%${escaped(word).replaceAll("-", "\\-")}` : escaped(word);
}

/** Names, addresses, options and choices, by what no plain word has in it. */
function isLiteral(word: string): boolean {
  return /[/|_=\d"`]|--\w|\bx-|\w[:.]\w/.test(word) || PROVIDER_NAMES.some((name) => word.includes(name));
}

/** Paragraphs, with an empty line between two. */
export function paragraphs(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text, index) => [...(index === 0 ? [] : [".Pp"]), ...prose(text)]);
}

/** One argument of a macro: never a macro or a delimiter itself. */
export function argument(text: string): string {
  const isMacro = /^(?:[A-Z%][a-z0-9A-Z]|Brq|Bro|Brc)$/.test(text) || /^[.,:;()[\]?!|]$/.test(text);
  const safe = `${isMacro ? "\\&" : ""}${typed(text)}`;
  return / /.test(safe) ? `"${safe}"` : safe;
}

/** A line of text in a literal display. */
export function displayed(lines: readonly string[]): readonly string[] {
  return [".Bd -literal", ...lines.map((line) => textLine(typed(line))), ".Ed"];
}

/** One command line in a display of its own. */
export function commandLine(command: string): string {
  return `.Dl $ ${command.split(" ").map(argument).join(" ")}`;
}

export type Item = { readonly head: string; readonly text: readonly string[] };

/** A list of items, each with its head. `width` is that of a head beside which the text may stand. */
export function tagged(items: readonly Item[], width = "Ds"): readonly string[] {
  return [`.Bl -tag -width ${argument(width)}`, ...items.flatMap(({ head, text }) => [`.It ${head}`, ...text]), ".El"];
}

/** Several of the same, after one another: `Ic cut , stall`. */
export function enumerated(macro: string, words: readonly string[]): string {
  return `${macro} ${words.map(argument).join(" , ")}`;
}

/** The same over as many lines as it needs. `end` touches the last word. */
export function enumeratedLines(macro: string, words: readonly string[], end: string): readonly string[] {
  return words.map((word, index) => `.${macro} ${argument(word)} ${index === words.length - 1 ? end : ","}`.trimEnd());
}

/**
 * What is typed, as the help writes it: words in capitals are to be replaced, brackets hold what may be left out.
 * `rm ID, clear` is `Ic rm Ar ID , Ic clear`.
 */
export function usage(text: string): string {
  const parts = text.match(/[[\]|,…]|[^\s[\]|,…]+|\s+/g) ?? [];
  const line: string[] = [];
  let isApart = true;
  for (const part of parts) {
    if (/^\s/.test(part)) {
      isApart = true;
      continue;
    }
    if (part === "[") line.push(...(isApart ? [] : ["Ns"]), "Oo");
    else if (part === "]") line.push("Oc");
    else if (part === "," || part === "|") line.push(part);
    else line.push(...(isApart || line.at(-1) === "Oo" ? [] : ["Ns"]), ...typedWord(part));
    isApart = false;
  }
  return line.join(" ");
}

function typedWord(word: string): readonly string[] {
  if (word === "…") return [`No ${escaped(word)}`];
  const pair = /^([A-Z]+)=([A-Z]+)$/.exec(word);
  if (pair !== null) return [`Ar ${pair[1]} Ns = Ns Ar ${pair[2]}`];
  if (/^[A-Z]{2,}$/.test(word)) return [`Ar ${word}`];
  return word.startsWith("-") ? [`Fl ${typed(word.slice(1)) || "\\-"}`] : [`Ic ${argument(word)}`];
}
