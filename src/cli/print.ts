/** The only place that writes to standard output and standard error. */

type Stream = NodeJS.WriteStream;

/** Standard error holds log lines that perhaps nobody reads; the end of the program does not wait longer for it. */
const LAST_LINES_MS_MAX = 1_000;

type Output = { readonly stream: Stream; isGone: boolean; unwritten: number; onEmpty: () => void; onGone: () => void };

const output = outputOf(process.stdout);
const errors = outputOf(process.stderr);

function outputOf(stream: Stream): Output {
  const made: Output = { stream, isGone: false, unwritten: 0, onEmpty: () => {}, onGone: () => {} };
  // The reader has gone, as with `| head`. Nobody is left to tell.
  stream.on("error", () => {
    made.isGone = true;
    made.onEmpty();
    made.onGone();
  });
  return made;
}

/** A line on the terminal that stays below everything else, such as a prompt. */
export type LineBelow = { readonly hide: () => void; readonly show: () => void };
let lineBelow: LineBelow | undefined;

export function keepBelow(line: LineBelow | undefined): void {
  lineBelow = line;
}

export function printOut(text: string): void {
  write(output, text);
}

/** Calls back when nobody reads standard output any more, as with `| head`. */
export function whenOutputIsGone(then: () => void): void {
  if (output.isGone) then();
  else output.onGone = then;
}

export function printError(text: string, written?: () => void): void {
  write(errors, text, written);
}

function write(to: Output, text: string, written?: () => void): void {
  if (to.isGone || text === "") {
    written?.();
    return;
  }
  to.unwritten++;
  const below = to.stream.isTTY ? lineBelow : undefined;
  below?.hide();
  to.stream.write(text, () => {
    to.unwritten--;
    written?.();
    if (to.unwritten === 0) to.onEmpty();
  });
  below?.show();
}

/** Resolves when all that was printed has left the process, or can no longer. */
export async function printed(): Promise<void> {
  const emptied = (of: Output) =>
    new Promise<void>((resolve) => {
      if (of.isGone || of.unwritten === 0) resolve();
      else of.onEmpty = resolve;
    });
  await Promise.all([emptied(output), Promise.race([emptied(errors), Bun.sleep(LAST_LINES_MS_MAX)])]);
}

/** FORCE_COLOR before NO_COLOR (https://no-color.org) before what the stream is. */
export function hasColor(stream: Stream, environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const forced = environment.FORCE_COLOR;
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  if ((environment.NO_COLOR ?? "") !== "" || environment.TERM === "dumb") return false;
  return stream.isTTY === true;
}

export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
};

export function styleFor(stream: Stream): Style {
  const paint = (open: number, close: number) =>
    hasColor(stream) ? (text: string) => `\x1b[${open}m${text}\x1b[${close}m` : (text: string) => text;
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), yellow: paint(33, 39) };
}

/** Characters that a terminal would act on, made visible: text from the wire must not move the cursor. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}
