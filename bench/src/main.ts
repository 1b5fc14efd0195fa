import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Case, cases, type Figure } from './cases.ts';
import { findProgram, type ServerKind, startCluster, startServer } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});

interface Row {
  readonly name: string;
  readonly unit: Figure['unit'];
  readonly etcd: number | undefined;
  readonly quorate: number | undefined;
  /** How many times better Quorate is: more a second, or less time or memory. */
  readonly ratio: number | undefined;
}

const median = (values: readonly number[]): number | undefined =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const clusterSize = 3;

async function runOnce(testCase: Case, kind: ServerKind): Promise<readonly Figure[]> {
  if ('run' in testCase) {
    const server = await startServer(kind);
    return testCase.run(server).finally(() => server.stop());
  }
  const cluster = await startCluster(kind, clusterSize);
  return testCase.runCluster(cluster).finally(() => cluster.stop());
}

async function runCase(testCase: Case, kinds: readonly ServerKind[], rounds: number): Promise<Row[]> {
  const samples = new Map<string, { unit: Figure['unit']; byKind: Map<ServerKind, number[]> }>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of testCase.ownOnly ? kinds.filter((one) => one === 'quorate') : kinds) {
      for (const figure of await runOnce(testCase, kind)) {
        const sample = samples.get(figure.name) ?? { unit: figure.unit, byKind: new Map() };
        samples.set(figure.name, sample);
        sample.byKind.set(kind, [...(sample.byKind.get(kind) ?? []), figure.value]);
      }
    }
  }
  return [...samples].map(([name, { unit, byKind }]) => {
    const etcd = median(byKind.get('etcd') ?? []);
    const quorate = median(byKind.get('quorate') ?? []);
    const ratio =
      etcd !== undefined && quorate !== undefined
        ? unit === 'per second'
          ? quorate / etcd
          : etcd / quorate
        : undefined;
    return { name, unit, etcd, quorate, ratio };
  });
}

function show(value: number | undefined): string {
  if (value === undefined) return '-';
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function printRow(row: Row): void {
  const ratio = row.ratio === undefined ? '-' : `${row.ratio.toFixed(2)}x`;
  console.log(
    `${row.name.padEnd(34)} ${row.unit.padEnd(11)} ${show(row.etcd).padStart(12)} ${show(row.quorate).padStart(12)} ${ratio.padStart(8)}`,
  );
}

async function main(): Promise<void> {
  const etcd = findProgram('etcd');
  if (etcd === undefined)
    console.log('bench: no etcd on PATH; only our own figures are shown (Debian: apt-get install etcd-server)');
  if (findProgram('h2load') === undefined) {
    console.error('bench: h2load is needed as neutral load (Debian: apt-get install nghttp2-client)');
    process.exitCode = 1;
    return;
  }
  const both: ServerKind[] = etcd === undefined ? ['quorate'] : ['etcd', 'quorate'];
  const kinds = options.only === undefined ? both : both.filter((kind) => kind === options.only);
  const chosen = options.case === undefined ? cases : cases.filter((one) => options.case?.includes(one.name));
  if (chosen.length === 0) throw new Error(`no such case; there are: ${cases.map((one) => one.name).join(', ')}`);
  const rounds = Number(options.rounds);
  console.log(
    `${etcd ?? 'no etcd'} · node ${process.version} · ${cpus().length} cores · medians of ${rounds} alternating rounds`,
  );
  console.log(
    `${'figure'.padEnd(34)} ${'unit'.padEnd(11)} ${'etcd'.padStart(12)} ${'quorate'.padStart(12)} ${'ratio'.padStart(8)}`,
  );
  const rows: Row[] = [];
  for (const testCase of chosen) {
    for (const row of await runCase(testCase, kinds, rounds)) {
      rows.push(row);
      printRow(row);
    }
  }
  const report = { date: new Date().toISOString(), etcd, node: process.version, cores: cpus().length, rounds, rows };
  const target = options.json ?? 'bench/results/latest.json';
  if (options.json === undefined) mkdirSync('bench/results', { recursive: true });
  writeFileSync(target, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`written to ${target}`);
}

await main();
