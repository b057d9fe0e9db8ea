/** A place in a list, to take the value out of it again. */
export type Place<Value> = {
  readonly value: Value;
  before: Place<Value> | undefined;
  after: Place<Value> | undefined;
};

export type LinkedList<Value> = {
  readonly first: () => Value | undefined;
  /** At the end, or before those that come later than it. */
  readonly add: (value: Value, isLater?: (other: Value) => boolean) => Place<Value>;
  /** The place must be one of this list's. */
  readonly remove: (place: Place<Value>) => void;
  readonly size: () => number;
};

/** An ordered list whose steps all take the same time. A `Map` would do, but for those taken from its front, which it steps over each time. */
export function createLinkedList<Value>(): LinkedList<Value> {
  let first: Place<Value> | undefined;
  let last: Place<Value> | undefined;
  let size = 0;
  return {
    first: () => first?.value,
    add(value, isLater) {
      let before = last;
      if (isLater !== undefined) while (before !== undefined && isLater(before.value)) before = before.before;
      const after = before === undefined ? first : before.after;
      const place: Place<Value> = { value, before, after };
      if (before === undefined) first = place;
      else before.after = place;
      if (after === undefined) last = place;
      else after.before = place;
      size++;
      return place;
    },
    remove(place) {
      if (place.before === undefined) first = place.after;
      else place.before.after = place.after;
      if (place.after === undefined) last = place.before;
      else place.after.before = place.before;
      size--;
    },
    size: () => size,
  };
}
