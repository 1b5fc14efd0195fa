/** What a page of metrics says, without the values. */
export interface Exposition {
  /** By name: `gauge`, `counter`, … */
  readonly types: ReadonlyMap<string, string>;
  /** By name: the series with their labels, as `op="Put",success="true"`. */
  readonly series: ReadonlyMap<string, ReadonlySet<string>>;
  /** By name: bounds of a histogram, in their order. */
  readonly bounds: ReadonlyMap<string, string>;
}

const ownValue = /="(?:[0-9a-f]{10,16}|http:[^"]*)"/g;

/** Reads Prometheus' text format. Ids in labels are a server's own. */
export function readExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const series = new Map<string, Set<string>>();
  const bounds = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, typed, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (typed !== undefined && type !== undefined) types.set(typed, type);
    const [, name, labels = ''] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? \S+$/i.exec(line) ?? [];
    if (name === undefined) continue;
    const family = familyOf(name, types);
    const [rest, bound] = splitBound(labels);
    if (bound !== undefined) bounds.set(family, [...(bounds.get(family) ?? []), bound]);
    const seen = series.get(family) ?? new Set();
    series.set(family, seen.add(rest.replace(ownValue, '="<id>"')));
  }
  return { types, series, bounds: new Map([...bounds].map(([name, all]) => [name, [...new Set(all)].join(' ')])) };
}

function familyOf(name: string, types: ReadonlyMap<string, string>): string {
  const stem = name.replace(/_(?:bucket|sum|count)$/, '');
  return types.has(name) ? name : stem;
}

/** The labels without `le`, and its value, written in one way whatever its size. */
function splitBound(labels: string): [rest: string, bound: string | undefined] {
  const bound = /(?:^|,)le="([^"]*)"/.exec(labels)?.[1];
  const plain = bound === undefined || bound === '+Inf' ? bound : String(Number(bound));
  return [labels.replace(/(?:^|,)le="[^"]*"/, ''), plain];
}
