/** Room for connections, of all listeners together. */
export type Places = {
  readonly max: number;
  /** False: there is none left. */
  readonly take: () => boolean;
  readonly free: () => void;
};

export function createPlaces(max: number): Places {
  let left = max;
  return {
    max,
    take() {
      if (left === 0) return false;
      left--;
      return true;
    },
    free() {
      left++;
    },
  };
}
