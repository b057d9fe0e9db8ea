import { expect, test } from "bun:test";
import fc from "fast-check";
import { createLinkedList, type Place } from "../../../src/shell/state/linked-list.ts";

test("a list keeps its order, whatever is put in and taken out", () => {
  const anyStep = fc.oneof(
    fc.record({ kind: fc.constantFrom("append" as const, "sorted" as const), value: fc.nat(50) }),
    fc.record({ kind: fc.constant("remove" as const), value: fc.nat(50) }),
  );
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 100, size: "max" }), (steps) => {
      const list = createLinkedList<number>();
      const places: Place<number>[] = [];
      for (const { kind, value } of steps) {
        if (kind === "remove") {
          const [place] = places.splice(value % Math.max(1, places.length), 1);
          if (place !== undefined) list.remove(place);
        } else if (kind === "append") {
          places.push(list.add(value));
        } else {
          const later = places.findLastIndex((place) => place.value <= value);
          places.splice(
            later + 1,
            0,
            list.add(value, (other) => other > value),
          );
        }
        expect(list.size()).toBe(places.length);
        expect(list.first()).toBe(places[0]?.value);
      }
      const seen: number[] = [];
      for (let place = places[0]; place !== undefined; place = place.after) seen.push(place.value);
      expect(seen).toEqual(places.map(({ value }) => value));
    }),
  );
});
