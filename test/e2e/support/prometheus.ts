/** One line of a family. */
export type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };
export type Family = { readonly type: string; readonly help: string; readonly samples: readonly Sample[] };
export type Families = ReadonlyMap<string, Family>;

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"/;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]Inf|NaN)$/i;
const PARTS = { histogram: ["_bucket", "_sum", "_count"], counter: [""], gauge: [""] } as const;

/**
 * Reads Prometheus' text format 0.0.4 and throws at whatever a strict reader would not take: families whose lines are apart or told of
 * twice, series that come twice, escapes that there are not, histograms whose buckets do not add up.
 */
export function parsePrometheus(text: string): Families {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, { type: keyof typeof PARTS; help: string; samples: Sample[] }>();
  const series = new Set<string>();
  let help: readonly [name: string, text: string] | undefined;
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const wrong = (why: string) => new Error(`${why}: ${line}`);
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind = "", name = "", rest = ""] = comment;
      if (!NAME.test(name)) throw wrong("no name");
      if (families.has(name)) throw wrong("told of twice");
      if (kind === "HELP") {
        if (help !== undefined) throw wrong("a HELP without its TYPE before");
        if (/\\(?![\\n])/.test(rest)) throw wrong("an escape that there is not");
        help = [name, rest];
        continue;
      }
      if (help?.[0] !== name) throw wrong("a TYPE without its HELP");
      if (!(rest in PARTS)) throw wrong("no type");
      families.set(name, { type: rest as keyof typeof PARTS, help: help[1], samples: [] });
      help = undefined;
      current = name;
      continue;
    }
    const found = /^([^{\s]+)(\{.*\})? (\S+)$/.exec(line);
    const family = families.get(current);
    if (found === null || family === undefined || help !== undefined) throw wrong("no line of a family");
    const [, name = "", braces = "{}", value = ""] = found;
    if (!PARTS[family.type].some((part) => name === current + part)) throw wrong(`no line of ${current}`);
    if (!NUMBER.test(value)) throw wrong("no number");
    const labels = labelsOf(braces.slice(1, -1), wrong);
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (series.has(key)) throw wrong("a series that comes twice");
    series.add(key);
    family.samples.push({ name, labels, value: numberOf(value) });
  }
  for (const [name, { type, samples }] of families) {
    if (type === "histogram") checkHistogram(name, samples);
    else if (type === "counter" && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} counts below zero`);
  }
  return families;
}

function labelsOf(text: string, wrong: (why: string) => Error): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const [whole = "", name = "", value = ""] = LABEL.exec(rest) ?? [];
    if (whole === "") throw wrong("no label");
    if (name in labels) throw wrong("a label that comes twice");
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
    if (rest !== "" && !rest.startsWith(",")) throw wrong("no comma");
    rest = rest.replace(/^,/, "");
  }
  return labels;
}

function numberOf(text: string): number {
  return /inf$/i.test(text) ? (text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY) : Number(text);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const groups = Map.groupBy(samples, ({ labels: { le: _le, ...labels } }) => JSON.stringify(Object.entries(labels).sort()));
  for (const [labels, group] of groups) {
    const wrong = (why: string) => new Error(`${name}${labels}: ${why}`);
    const buckets = group
      .filter((sample) => sample.name === `${name}_bucket`)
      .map(({ labels: { le = "" }, value }) => ({ le: numberOf(le), value }));
    const [sum, count] = ["_sum", "_count"].map((part) => group.filter((sample) => sample.name === name + part));
    if (sum?.length !== 1 || count?.length !== 1) throw wrong("no one sum and one count");
    buckets.forEach(({ le, value }, index) => {
      const before = buckets[index - 1];
      if (Number.isNaN(le) || (before !== undefined && (le <= before.le || value < before.value))) throw wrong("buckets that do not grow");
    });
    const last = buckets.at(-1);
    if (last?.le !== Number.POSITIVE_INFINITY || last.value !== count[0]?.value) throw wrong("no bucket for all, or not with the count");
  }
}

/** The sum of those samples that have these labels. */
export function total(families: Families, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const samples = families.get(name.replace(/_(?:sum|count|bucket)$/, ""))?.samples ?? families.get(name)?.samples ?? [];
  return samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
