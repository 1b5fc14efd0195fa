import { join } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { conformanceDir } from '../support/programs.ts';

interface Value {
  readonly value: number;
}

interface Histogram {
  readonly sample_count: string;
  readonly sample_sum: number;
  readonly bucket: readonly { readonly cumulative_count: string; readonly upper_bound: number }[];
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metric: readonly {
    readonly label: readonly { readonly name: string; readonly value: string }[];
    readonly gauge: Value | null;
    readonly counter: Value | null;
    readonly histogram: Histogram | null;
  }[];
}

function loadDecoder(): (bytes: Buffer) => Family {
  const definitions = loadSync(join(conformanceDir, 'proto', 'metrics.proto'), {
    ...{ keepCase: true, longs: String, enums: String, defaults: true, arrays: true },
  });
  const page = definitions['io.prometheus.client.Page'] as ServiceDefinition;
  return (page.Read as MethodDefinition<Family, Family>).requestDeserialize;
}

/** A page of delimited families in the form of a page of text. */
export function textOfPage(page: Buffer): string {
  const decode = loadDecoder();
  const lines: string[] = [];
  for (let at = 0; at < page.length; ) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = page[at++] as number;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    lines.push(...linesOf(decode(page.subarray(at, at + length))));
    at += length;
  }
  return lines.join('\n');
}

function linesOf({ name, help, type, metric }: Family): string[] {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type.toLowerCase()}`];
  for (const { label, gauge, counter, histogram } of metric) {
    const labels = label.map((pair) => `${pair.name}="${pair.value}"`);
    const line = (suffix: string, value: number | string, ...more: readonly string[]) =>
      lines.push(`${name}${suffix}{${[...labels, ...more].join()}} ${value}`);
    if (histogram === null) {
      line('', gauge?.value ?? counter?.value ?? 'nothing');
      continue;
    }
    const { bucket, sample_count: count, sample_sum: sum } = histogram;
    for (const { cumulative_count, upper_bound } of bucket) line('_bucket', cumulative_count, `le="${upper_bound}"`);
    line('_bucket', count, 'le="+Inf"');
    line('_sum', sum);
    line('_count', count);
  }
  return lines;
}
