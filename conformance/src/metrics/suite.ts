import { ask } from '../gateway/http-client.ts';
import { runPart, type ServerPair, type SideName } from '../grpc/pair.ts';
import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { explained, explainedSeries } from './explained.ts';
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
function linesOf({ types, series, bounds }: Exposition): string[] {
  const lines: string[] = [];
  for (const [name, type] of types) {
    if (explained.some(([pattern]) => pattern.test(name))) continue;
    lines.push(`${name}: ${type}`);
    const range = bounds.get(name);
    if (range !== undefined) lines.push(`${name}: bounds ${range}`);
    for (const labels of series.get(name) ?? []) {
      const line = `${name}{${labels}}`;
      if (!explainedSeries.some(([pattern]) => pattern.test(line))) lines.push(line);
    }
  }
  return lines.sort();
}

async function compare(pair: ServerPair): Promise<void> {
  await put(pair);
  const pages = await pair.both(async (_, side) => readExposition((await get(pair, side, '/metrics')).body));
  const reference = linesOf(pages.reference);
  pair.require('there is something to compare', reference.length > 500, `only ${reference.length} lines`);
  const names = (lines: readonly string[]) => lines.filter((line) => !line.includes('{')).join('\n');
  const series = (lines: readonly string[]) => lines.filter((line) => line.includes('{')).join('\n');
  const underTest = linesOf(pages.underTest);
  pair.check('names, types and bounds', names(reference), names(underTest));
  pair.check('labels', series(reference), series(underTest));
  await compareProtobuf(pair, names(reference), names(underTest));
}

const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';

/** The protobuf form says the same as the text, on either side. */
async function compareProtobuf(pair: ServerPair, reference: string, underTest: string): Promise<void> {
  const pages = await pair.both(async (_, side) => {
    const response = await fetch(`${pair.server(side).clientUrl}/metrics`, { headers: { Accept: protobuf } });
    return readExposition(textOfPage(Buffer.from(await response.arrayBuffer())));
  });
  const names = (page: Exposition) => {
    const lines = linesOf(page).filter((line) => !line.includes('{'));
    return lines.join('\n');
  };
  pair.check('protobuf: names, types and bounds', reference, names(pages.reference));
  pair.check('protobuf: names, types and bounds of the server under test', underTest, names(pages.underTest));
  const labels = (page: Exposition) =>
    linesOf(page)
      .filter((line) => line.includes('{'))
      .join('\n');
  pair.check('protobuf: labels', labels(pages.reference), labels(pages.underTest));
}

/** What `/metrics` has, beside the real etcd's: names, types, labels and bounds; no values. */
export async function runMetricsSuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('metrics');
  for (const mode of ['basic', 'extensive']) {
    await runPart(`metrics: ${mode}`, options, report, directory, [`--metrics=${mode}`], compare);
  }
}
