/**
 * Ids of calls for the target, which refuses signs that other services put into theirs (`^[a-zA-Z0-9_-]+$`; Kimi has
 * `functions.get_weather:0`) and ids that stand twice in a conversation, as services have them that count anew each turn.
 */
export function createCallIds(): (id: string) => string {
  const used = new Set<string>();
  const counts = new Map<string, number>();
  return (id) => {
    const known = id.replace(/[^a-zA-Z0-9_-]/g, "_");
    let result = known;
    let count = counts.get(known) ?? 1;
    while (used.has(result)) result = `${known}_${++count}`;
    counts.set(known, count);
    used.add(result);
    return result;
  };
}
