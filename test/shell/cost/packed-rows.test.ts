import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createPacker, createUnpacker, memoryOf } from "../../../src/shell/cost/packed-rows.ts";
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
        const memory = memoryOf(11);
        const packer = createPacker(memory);
        const unpacked = createUnpacker(memory);
        for (const batch of batches) {
          for (const each of batch) expect(packer.add(each)).toBe(true);
          expect(packer.waiting()).toBe(batch.length);
          expect(unpacked(structuredClone(packer.take()))).toEqual(batch);
          expect(packer.waiting()).toBe(0);
          packer.free(batch.length);
        }
      }),
    );
  });

  test("have so much room, and no more until some of them are read", () => {
    const memory = memoryOf(5);
    const packer = createPacker(memory);
    const unpacked = createUnpacker(memory);
    const rows = Array.from({ length: 8 }, (_, index) => row(index, { timeMs: NOW + index }));
    expect(rows.map((each) => packer.add(each))).toEqual([true, true, true, true, true, false, false, false]);
    const taken = packer.take();
    expect(packer.add(row(9))).toBe(false);
    expect(unpacked(taken)).toEqual(rows.slice(0, 5));
    packer.free(2);
    expect(rows.map((each) => packer.add(each)).indexOf(false)).toBe(2);
    expect(unpacked(packer.take())).toEqual(rows.slice(0, 2));
  });

  test("new texts without end do not fill the memory of both sides", () => {
    const memory = memoryOf(500);
    const packer = createPacker(memory);
    const unpacked = createUnpacker(memory);
    let lists = 0;
    for (let batch = 0; batch < 60; batch++) {
      const rows = Array.from({ length: 500 }, (_, index) => row(index, { model: `model-${batch}-${index}` }));
      for (const each of rows) packer.add(each);
      const packed = packer.take();
      if (packed.isNewList) lists++;
      expect(unpacked(packed)).toEqual(rows);
      packer.free(rows.length);
    }
    expect(lists).toBe(3);
  });

  test("nor do few long ones", () => {
    const memory = memoryOf(500);
    const packer = createPacker(memory);
    let lists = 0;
    for (let batch = 0; batch < 20; batch++) {
      for (let index = 0; index < 100; index++) packer.add(row(index, { failed: [{ target: `${batch}-${index}`.padEnd(2_000, "x") }] }));
      const packed = packer.take();
      if (packed.isNewList) lists++;
      packer.free(packed.rows);
    }
    expect(lists).toBe(4);
  });
});
