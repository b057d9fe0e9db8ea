import { COLUMNS, type LedgerRow } from "./row.ts";

/**
 * Rows on their way to another thread, in memory that both share: numbers as they are, texts by their place in a list that both sides keep,
 * for few of their texts are different. What is taken says only how many rows stand there now.
 */
export type PackedRows = {
  readonly rows: number;
  /** Texts that come for the first time. */
  readonly texts: readonly string[];
  /** The list begins anew with them. */
  readonly isNewList: boolean;
};

const WIDTH = COLUMNS.length;
const IS_TEXT: readonly boolean[] = COLUMNS.map(({ type }) => type.startsWith("TEXT"));

/** Models and hashes of keys are as many as clients like, and what failed is told in ever new words; beyond so much the list begins anew. */
const TEXTS_MAX = 10_000;
const CHARACTERS_MAX = 1_000_000;

/** Room for so many rows, used round and round. */
export function memoryOf(rows: number): SharedArrayBuffer {
  return new SharedArrayBuffer(rows * WIDTH * Float64Array.BYTES_PER_ELEMENT);
}

export type Packer = {
  /** False: there is no room for it. */
  readonly add: (row: LedgerRow) => boolean;
  /** Rows that have been added and not taken yet. */
  readonly waiting: () => number;
  /** What has been added since the last time. */
  readonly take: () => PackedRows;
  /** The other side has read so many of the rows that were taken. */
  readonly free: (rows: number) => void;
};

export function createPacker(memory: SharedArrayBuffer): Packer {
  const numbers = new Float64Array(memory);
  let at = 0;
  let waiting = 0;
  let room = numbers.length / WIDTH;
  const places = new Map<string, number>();
  let texts: string[] = [];
  let characters = 0;
  let isNewList = true;
  /** Of each column: most rows have the text of the one before. */
  let last: (string | undefined)[] = [];
  const lastPlaces = new Float64Array(WIDTH);

  const placeOf = (text: string) => {
    const known = places.get(text);
    if (known !== undefined) return known;
    const place = places.size;
    places.set(text, place);
    texts.push(text);
    characters += text.length;
    return place;
  };

  return {
    add(row) {
      if (room === 0) return false;
      for (let column = 0; column < WIDTH; column++) {
        const value = row[column];
        if (typeof value === "string" && value !== last[column]) {
          last[column] = value;
          lastPlaces[column] = placeOf(value);
        }
        numbers[at++] = typeof value === "number" ? value : typeof value === "string" ? (lastPlaces[column] ?? Number.NaN) : Number.NaN;
      }
      if (at === numbers.length) at = 0;
      waiting++;
      room--;
      return true;
    },
    waiting: () => waiting,
    take() {
      const packed = { rows: waiting, texts, isNewList };
      waiting = 0;
      texts = [];
      isNewList = places.size > TEXTS_MAX || characters > CHARACTERS_MAX;
      if (isNewList) {
        places.clear();
        characters = 0;
        last = [];
      }
      return packed;
    },
    free(rows) {
      room += rows;
    },
  };
}

/** The other side. What was taken must come in the order in which it was. */
export function createUnpacker(memory: SharedArrayBuffer): (packed: PackedRows) => readonly LedgerRow[] {
  const numbers = new Float64Array(memory);
  let at = 0;
  let known: string[] = [];
  return ({ rows, texts, isNewList }) => {
    if (isNewList) known = [];
    for (const text of texts) known.push(text);
    return Array.from({ length: rows }, () => {
      const row: (string | number | null)[] = [];
      for (let column = 0; column < WIDTH; column++) {
        const number = numbers[at++] ?? Number.NaN;
        row.push(Number.isNaN(number) ? null : IS_TEXT[column] === true ? (known[number] ?? null) : number);
      }
      if (at === numbers.length) at = 0;
      return row as unknown as LedgerRow;
    });
  };
}
