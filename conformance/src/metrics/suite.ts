import { ask } from '../gateway/http-client.ts';
import { runPart, type ServerPair, type SideName } from '../grpc/pair.ts';
import { type Options, referencesOf } from '../options.ts';
import type { ServerKind } from '../support/programs.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { explained, explainedSeries, explainedSeriesSince34, explainedSince34 } from './explained.ts';
import { type Exposition, readExposition } from './exposition.ts';
import { textOfPage } from './protobuf-page.ts';

const key = (text: string): Buffer => Buffer.from(text);

/** A little of everything, the same on both. */
const load: readonly (readonly [method: string, request: Record<string, unknown>])[] = [
  ['KV.Put', { key: key('a'), value: key('1') }],
  ['KV.Put', { key: key(''), value: key('1') }],
  ['KV.Put', { key: key('a'), lease: '99' }],
  ['KV.Range', { key: key('a') }],
  ['KV.Range', { key: key('a'), range_end: key('z'), serializable: true }],
  ['KV.Range', { key: key('a'), revision: '77' }],
  ['KV.Txn', { success: [{ request_put: { key: key('b') } }, { request_range: { key: key('b') } }] }],
  ['KV.DeleteRange', { key: key('b') }],
  ['KV.Compact', { revision: '2' }],
  ['Lease.LeaseGrant', { TTL: '100', ID: '5' }],
  ['Lease.LeaseRevoke', { ID: '5' }],
  ['Lease.LeaseRevoke', { ID: '5' }],
  ['Maintenance.Alarm', { action: 'ACTIVATE', memberID: '0', alarm: 'NOSPACE' }],
  ['Maintenance.Alarm', { action: 'DEACTIVATE', memberID: '0', alarm: 'NOSPACE' }],
  ['Maintenance.Status', {}],
  ['Maintenance.Hash', {}],
  ['Maintenance.HashKV', {}],
  ['Maintenance.Defragment', {}],
  ['Cluster.MemberList', { linearizable: true }],
];

async function put(pair: ServerPair): Promise<void> {
  for (const [method, request] of load) {
    await pair.both((connection) => connection.unary(method, request, { metadata: { 'client-api-version': '3.7' } }));
    // What is raised and lowered again is seen only by who looks in between.
    await pair.both((_, side) => get(pair, side, '/metrics'));
  }
  await pair.both((_, side) => get(pair, side, '/readyz'));
  await pair.both((_, side) => get(pair, side, '/health'));
}

function get(pair: ServerPair, side: SideName, path: string): Promise<{ readonly body: string }> {
  return ask(pair.server(side).endpoint, { method: 'GET', path });
}

/** Lines to compare: a name and its type, a series, the bounds of a histogram. */
function linesOf({ types, series, bounds }: Exposition, reference: ServerKind): string[] {
  const is34 = reference === 'etcd34';
  const names = is34 ? [...explained, ...explainedSince34] : explained;
  const labelled = is34 ? [...explainedSeries, ...explainedSeriesSince34] : explainedSeries;
  const lines: string[] = [];
  for (const [name, type] of types) {
    if (names.some(([pattern]) => pattern.test(name))) continue;
    lines.push(`${name}: ${type}`);
    const range = bounds.get(name);
    if (range !== undefined) lines.push(`${name}: bounds ${range}`);
    for (const labels of series.get(name) ?? []) {
      const line = `${name}{${labels}}`;
      if (!labelled.some(([pattern]) => pattern.test(line))) lines.push(line);
    }
  }
  return lines.sort();
}

const namesOf = (lines: readonly string[]) => lines.filter((line) => !line.includes('{')).join('\n');
const labelsOf = (lines: readonly string[]) => lines.filter((line) => line.includes('{')).join('\n');

async function compare(pair: ServerPair): Promise<void> {
  await put(pair);
  const { kind } = pair.server('reference');
  const pages = await pair.both(async (_, side) => {
    const page = readExposition((await get(pair, side, '/metrics')).body);
    return linesOf(page, kind);
  });
  const { reference, underTest } = pages;
  pair.require('there is something to compare', reference.length > 500, `only ${reference.length} lines`);
  pair.check('names, types and bounds', namesOf(reference), namesOf(underTest));
  pair.check('labels', labelsOf(reference), labelsOf(underTest));
  await compareProtobuf(pair, pages);
}

const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';

/** The protobuf form says the same as the text, on either side. */
async function compareProtobuf(pair: ServerPair, texts: Record<SideName, string[]>): Promise<void> {
  const { kind } = pair.server('reference');
  const pages = await pair.both(async (_, side) => {
    const response = await fetch(`${pair.server(side).clientUrl}/metrics`, { headers: { Accept: protobuf } });
    return linesOf(readExposition(textOfPage(Buffer.from(await response.arrayBuffer()))), kind);
  });
  for (const side of ['reference', 'underTest'] as const) {
    pair.check(`protobuf: as text: ${side}`, namesOf(texts[side]), namesOf(pages[side]));
  }
  pair.check('protobuf: labels', labelsOf(pages.reference), labelsOf(pages.underTest));
}

/** What `/metrics` has, beside the real etcd's: names, types, labels and bounds; no values. */
export async function runMetricsSuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('metrics');
  for (const reference of referencesOf(options)) {
    for (const mode of ['basic', 'extensive']) {
      const part = `metrics: ${reference}: ${mode}`;
      await runPart(part, { ...options, reference }, report, directory, [`--metrics=${mode}`], compare);
    }
  }
}
