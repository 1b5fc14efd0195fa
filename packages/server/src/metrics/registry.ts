import type { Counter, Gauge, Histogram, Metrics } from '@quorate/base';

type Labels = Readonly<Record<string, string>>;
type LabelList = readonly (readonly [name: string, value: string])[];

/** Goes up only. Read at scrape time. */
export class CounterCell implements Counter {
  value = 0;
  add(amount: number): void {
    this.value += amount;
  }
}

export class GaugeCell implements Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
}

export class HistogramCell implements Histogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
  }
}

type Cell = CounterCell | GaugeCell | HistogramCell;

/** A value, or a histogram, and what tells it from others of its name. */
export interface Series {
  readonly labels: LabelList;
  /** The labels in the text format. */
  readonly labelText: string;
  readonly cell: Cell;
}

/** All series of one name. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly series: Iterable<Series>;
}

interface OwnFamily extends Omit<Family, 'series'> {
  /** By their labels as text. */
  readonly cells: Map<string, Series>;
}

/** Go's shortest form of a float, which etcd's exposition uses. */
export function formatGoFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e21)) return goExponent(value);
  return magnitude >= 1e6 ? goExponent(value) : String(value);
}

function goExponent(value: number): string {
  const [mantissa, exponent = '0'] = value.toExponential().split('e') as [string, string];
  const sign = exponent.startsWith('-') ? '-' : '+';
  return `${mantissa}e${sign}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
}

const escapeLabel = (text: string): string => text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));

/** In the order of their names, as Go's client prints them. */
function labelList(labels: Labels = {}): LabelList {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

function textOf(labels: LabelList): string {
  return labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(',');
}

/** All metrics of one process. */
export class MetricsRegistry implements Metrics {
  private readonly families = new Map<string, OwnFamily>();
  private readonly refreshers: (() => void)[] = [];

  counter(name: string, help: string, labels?: Labels): Counter {
    return this.cell(name, help, 'counter', labels, () => new CounterCell()) as CounterCell;
  }

  gauge(name: string, help: string, labels?: Labels): Gauge {
    return this.cell(name, help, 'gauge', labels, () => new GaugeCell()) as GaugeCell;
  }

  histogram(name: string, help: string, bucketBounds: readonly number[], labels?: Labels): Histogram {
    return this.cell(name, help, 'histogram', labels, () => new HistogramCell(bucketBounds)) as HistogramCell;
  }

  /** Runs before each exposition: for values that are cheaper to read than to keep up to date. */
  onScrape(refresh: () => void): void {
    this.refreshers.push(refresh);
  }

  private cell(name: string, help: string, type: Family['type'], labels: Labels | undefined, make: () => Cell): Cell {
    let family = this.families.get(name);
    if (!family) {
      family = { name, help, type, cells: new Map() };
      this.families.set(name, family);
    }
    const list = labelList(labels);
    const key = textOf(list);
    let series = family.cells.get(key);
    if (!series) {
      series = { labels: list, labelText: key, cell: make() };
      family.cells.set(key, series);
    }
    return series.cell;
  }

  /** What there is now, by name. */
  gather(): Family[] {
    for (const refresh of this.refreshers) refresh();
    const names = [...this.families.keys()].sort();
    return names.map((name) => {
      const { cells, ...family } = this.families.get(name) as OwnFamily;
      return { ...family, series: cells.values() };
    });
  }

  /** The same in Prometheus' text format 0.0.4. */
  expose(): string {
    const lines: string[] = [];
    for (const { name, help, type, series } of this.gather()) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const { labelText, cell } of series) exposeCell(lines, name, labelText, cell);
    }
    return `${lines.join('\n')}\n`;
  }
}

function exposeCell(lines: string[], name: string, labels: string, cell: Cell): void {
  if (!(cell instanceof HistogramCell)) {
    lines.push(`${name}${labels === '' ? '' : `{${labels}}`} ${formatGoFloat(cell.value)}`);
    return;
  }
  const prefix = labels === '' ? '' : `${labels},`;
  let cumulative = 0;
  for (let i = 0; i <= cell.bounds.length; i++) {
    cumulative += cell.counts[i] as number;
    const bound = i < cell.bounds.length ? formatGoFloat(cell.bounds[i] as number) : '+Inf';
    lines.push(`${name}_bucket{${prefix}le="${bound}"} ${formatGoFloat(cumulative)}`);
  }
  const suffix = labels === '' ? '' : `{${labels}}`;
  lines.push(`${name}_sum${suffix} ${formatGoFloat(cell.sum)}`, `${name}_count${suffix} ${formatGoFloat(cumulative)}`);
}

/** `count` bounds from `start`, each `factor` times the one before; etcd's histograms use 0.001 × 2^n. */
export function exponentialBounds(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start * factor ** i);
}
