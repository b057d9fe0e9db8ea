/** The only place that writes to standard output and standard error. */

type Stream = NodeJS.WriteStream;

/** Streams whose reader has gone, as with `| head`. Nobody is left to tell. */
const gone = new WeakSet<Stream>();
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", () => {
    gone.add(stream);
  });
}

export function printOut(text: string): void {
  write(process.stdout, text);
}

export function printError(text: string, written?: () => void): void {
  write(process.stderr, text, written);
}

function write(stream: Stream, text: string, written?: () => void): void {
  if (gone.has(stream)) written?.();
  else stream.write(text, written);
}

/** Resolves when all that was printed has left the process, or can no longer. */
export async function printed(): Promise<void> {
  const all = [process.stdout, process.stderr].map(
    (stream) =>
      new Promise<void>((resolve) => {
        stream.once("error", () => resolve());
        write(stream, "", () => resolve());
      }),
  );
  await Promise.all(all);
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
