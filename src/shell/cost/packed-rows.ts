import { COLUMNS, type LedgerRow } from "./row.ts";

/**
 * Rows on their way to another thread: numbers as they are, texts by their place in a list that both sides keep. It costs a fraction of what
 * it costs to send them as they are, for few of their texts are different.
 */
export type PackedRows = {
  /** The columns of one row after another; not a number: null. */
  readonly numbers: Float64Array;
  /** Texts that come for the first time. */
  readonly texts: readonly string[];
  /** The list begins anew with them. */
  readonly isNewList: boolean;
};

const WIDTH = COLUMNS.length;
const IS_TEXT: readonly boolean[] = COLUMNS.map(({ type }) => type.startsWith("TEXT"));

/** Rows that there is room for at first. */
const ROWS = 256;

/** Models and hashes of keys are as many as clients like; beyond so many the list begins anew. */
const TEXTS_MAX = 10_000;

export type Packer = {
  readonly add: (row: LedgerRow) => void;
  readonly rows: () => number;
  /** What has been added since the last time. */
  readonly take: () => PackedRows;
};

export function createPacker(): Packer {
  let numbers = new Float64Array(ROWS * WIDTH);
  let length = 0;
  const places = new Map<string, number>();
  let texts: string[] = [];
  let isNewList = true;

  const placeOf = (text: string) => {
    const known = places.get(text);
    if (known !== undefined) return known;
    const place = places.size;
    places.set(text, place);
    texts.push(text);
    return place;
  };

  return {
    add(row) {
      if (length === numbers.length) {
        const larger = new Float64Array(2 * length);
        larger.set(numbers);
        numbers = larger;
      }
      for (let column = 0; column < WIDTH; column++) {
        const value = row[column];
        numbers[length++] = typeof value === "string" ? placeOf(value) : typeof value === "number" ? value : Number.NaN;
      }
    },
    rows: () => length / WIDTH,
    take() {
      const packed = { numbers: numbers.slice(0, length), texts, isNewList };
      length = 0;
      texts = [];
      isNewList = places.size > TEXTS_MAX;
      if (isNewList) places.clear();
      return packed;
    },
  };
}

/** The other side. What is packed must come in the order in which it was. */
export function createUnpacker(): (packed: PackedRows) => readonly LedgerRow[] {
  let known: string[] = [];
  return ({ numbers, texts, isNewList }) => {
    known = isNewList ? [...texts] : [...known, ...texts];
    const rows: LedgerRow[] = [];
    for (let from = 0; from < numbers.length; from += WIDTH) {
      const row: (string | number | null)[] = [];
      for (let column = 0; column < WIDTH; column++) {
        const number = numbers[from + column] ?? Number.NaN;
        row.push(Number.isNaN(number) ? null : IS_TEXT[column] === true ? (known[number] ?? null) : number);
      }
      rows.push(row as unknown as LedgerRow);
    }
    return rows;
  };
}
