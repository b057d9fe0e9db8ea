import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createPacker, createUnpacker } from "../../../src/shell/cost/packed-rows.ts";
import { COLUMNS, type LedgerRow } from "../../../src/shell/cost/row.ts";
import { NOW, row } from "./support/rows.ts";

/** What may stand in each column. */
const anyRow: fc.Arbitrary<LedgerRow> = fc
  .tuple(
    ...COLUMNS.map(({ type }) => {
      const value: fc.Arbitrary<string | number> = type.startsWith("TEXT")
        ? fc.oneof(fc.string(), fc.constantFrom("", "a", "gpt-4o"))
        : fc.oneof(fc.integer(), fc.double({ noNaN: true }));
      return type.endsWith("NOT NULL") ? value : fc.option(value);
    }),
  )
  .map((values) => values as unknown as LedgerRow);

describe("packed rows", () => {
  test("come out as they went in, whatever they are gathered into", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyRow, { maxLength: 8 }), { maxLength: 8 }), (batches) => {
        const packer = createPacker();
        const unpacked = createUnpacker();
        for (const batch of batches) {
          for (const each of batch) packer.add(each);
          expect(packer.rows()).toBe(batch.length);
          expect(unpacked(structuredClone(packer.take()))).toEqual(batch);
          expect(packer.rows()).toBe(0);
        }
      }),
    );
  });

  test("are as many as one likes", () => {
    const packer = createPacker();
    const rows = Array.from({ length: 5_000 }, (_, index) => row(index, { timeMs: NOW + index }));
    for (const each of rows) packer.add(each);
    expect(createUnpacker()(packer.take())).toEqual(rows);
  });

  test("new texts without end do not fill the memory of both sides", () => {
    const packer = createPacker();
    const unpacked = createUnpacker();
    let lists = 0;
    for (let batch = 0; batch < 60; batch++) {
      const rows = Array.from({ length: 500 }, (_, index) => row(index, { model: `model-${batch}-${index}` }));
      for (const each of rows) packer.add(each);
      const packed = packer.take();
      if (packed.isNewList) lists++;
      expect(unpacked(packed)).toEqual(rows);
    }
    expect(lists).toBe(3);
  });
});
