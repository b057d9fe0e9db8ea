import type { CallPiece } from "./pieces.ts";

/** Far more than any answer has; keeps a hostile stream from filling the memory. */
export const CALLS_MAX = 1_024;

/**
 * Finds which call a piece belongs to, counted from nought in the order in which calls begin. A piece should say its index, but Ollama says 0 for each of several calls (ollama/ollama#15457) and
 * Gemini none, so an id that is new begins a call where a name comes with it; and some backends repeat id and name in
 * every piece.
 */
export function createCallFinder(): (piece: CallPiece) => number {
  const byIndex = new Map<number, number>();
  const byId = new Map<string, number>();
  const ids: (string | undefined)[] = [];

  const begin = ({ index, id }: CallPiece): number => {
    const call = ids.push(id) - 1;
    if (index !== undefined) byIndex.set(index, call);
    if (id !== undefined && !byId.has(id)) byId.set(id, call);
    return call;
  };

  return (piece) => {
    const { index, id, name } = piece;
    if (index === undefined) {
      const known = id === undefined ? undefined : byId.get(id);
      if (known !== undefined) return known;
      return id !== undefined || name !== undefined || ids.length === 0 ? begin(piece) : ids.length - 1;
    }
    const call = byIndex.get(index);
    if (call === undefined) return begin(piece);
    const isOther = id !== undefined && ids[call] !== undefined && id !== ids[call];
    if (!isOther) return call;
    return byId.get(id) ?? (name === undefined ? call : begin(piece));
  };
}
