/** Prometheus' text format 0.0.4, a family at a time. */
export type Counter = Map<string, number>;

/** Labels as they stand between the braces. */
export function labelText(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`)
    .join(",");
}

export function add(counter: Counter, key: string, amount = 1): void {
  counter.set(key, (counter.get(key) ?? 0) + amount);
}

export function head(name: string, help: string, type: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

export function line(name: string, key: string, value: number): string {
  return key === "" ? `${name} ${value}` : `${name}{${key}} ${value}`;
}

export function counter(name: string, help: string, values: Counter): readonly string[] {
  return [...head(name, help, "counter"), ...[...values].map(([key, value]) => line(name, key, value))];
}

export function gauge(name: string, help: string, values: readonly (readonly [key: string, value: number])[]): readonly string[] {
  return [...head(name, help, "gauge"), ...values.map(([key, value]) => line(name, key, value))];
}
