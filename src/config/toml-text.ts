/** A value as TOML has it; tables inline. */
export function tomlText(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(tomlText).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([key, member]) => `${tomlKey(key)} = ${tomlText(member)}`);
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  return String(value);
}

export function tomlKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
}

/** The longest unit that tells it whole. */
export function durationText(ms: number): string {
  if (ms === 0) return "0";
  const [unit, size] = (
    [
      ["h", 3_600_000],
      ["m", 60_000],
      ["s", 1_000],
    ] as const
  ).find(([, each]) => ms % each === 0) ?? ["ms", 1];
  return tomlText(`${ms / size}${unit}`);
}
