import { FieldWriter } from '../field-writer.ts';
import { type Family, HistogramCell, type Series } from './registry.ts';

const types = { counter: 0, gauge: 1, histogram: 4 } as const;

/**
 * The families as io.prometheus.client.MetricFamily, each behind its length:
 *
 *     MetricFamily { 1: name, 2: help, 3: type, 4: Metric }
 *     Metric       { 1: LabelPair { 1: name, 2: value }, 2: Gauge { 1: value } | 3: Counter { 1: value } | 7: Histogram }
 *     Histogram    { 1: count, 2: sum, 3: Bucket { 1: cumulative count, 2: upper bound } }
 *
 * The bucket without bound is left out, as in Go's client: it is the count.
 */
export function encodeFamilies(families: readonly Family[]): Uint8Array {
  const writer = new FieldWriter();
  for (const family of families) writer.delimited(() => writeFamily(writer, family));
  return writer.finish();
}

function writeFamily(writer: FieldWriter, { name, help, type, series }: Family): void {
  writer.text(1, name);
  writer.text(2, help);
  writer.varint(3, types[type]);
  for (const one of series) writer.message(4, () => writeSeries(writer, one, type));
}

function writeSeries(writer: FieldWriter, { labels, cell }: Series, type: Family['type']): void {
  for (const [name, value] of labels) {
    writer.message(1, () => {
      writer.text(1, name);
      writer.text(2, value);
    });
  }
  if (cell instanceof HistogramCell) writer.message(7, () => writeHistogram(writer, cell));
  else writer.message(type === 'gauge' ? 2 : 3, () => writer.double(1, cell.value));
}

function writeHistogram(writer: FieldWriter, { bounds, counts, sum }: HistogramCell): void {
  const total = counts.reduce((all, count) => all + count, 0);
  writer.varint(1, total);
  writer.double(2, sum);
  let cumulative = 0;
  bounds.forEach((bound, index) => {
    cumulative += counts[index] as number;
    writer.message(3, () => {
      writer.varint(1, cumulative);
      writer.double(2, bound);
    });
  });
}
