import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { waitUntil } from '../support/text.ts';
import { MEBIBYTE, residentBytes, settledBytes } from './memory.ts';
import { SlowReaders } from './slow-readers.ts';
import { call, put, type Story, withCluster } from './story.ts';

const TIMEOUT_MS = 60_000;

async function fill(member: ClusterMember, { values, valueBytes }: Overload): Promise<void> {
  const value = 'x'.repeat(valueBytes);
  for (let i = 0; i < values; i++) await put(member, `k${i}`, value);
}

/** That others are served as if nothing were. */
async function tellService(member: ClusterMember): Promise<string[]> {
  return [`put ${await put(member, 'a', '1')}`, `range ${await call(member, 'KV.Range', { key: Buffer.from('a') })}`];
}

interface Overload {
  readonly name: string;
  readonly values: number;
  readonly valueBytes: number;
  readonly streams: number;
  readonly streamsPerConnection: number;
  readonly open: (readers: SlowReaders, count: number) => void;
  /** By how much a server may grow that is to be bounded. */
  readonly growthMibMax: number;
  /** Whether all are answered to the end once they are read. */
  readonly ends: boolean;
}

const overloads: readonly Overload[] = [
  {
    name: 'readers that take nothing',
    values: 64,
    valueBytes: 512 * 1024,
    streams: 40,
    streamsPerConnection: 25,
    open: (readers, count) => {
      readers.openSnapshots(count / 2);
      readers.openWatches(count / 2);
    },
    growthMibMax: 128,
    ends: false,
  },
  {
    // 60 answers of 32 MiB. A member may hold 32 MiB and one of them, and has read and encoded the last one.
    name: 'ranges of one connection that nobody reads',
    values: 64,
    valueBytes: 512 * 1024,
    streams: 60,
    streamsPerConnection: 60,
    open: (readers, count) => readers.openRanges(count),
    growthMibMax: 192,
    ends: true,
  },
  {
    name: 'transactions of one connection that nobody reads',
    values: 64,
    valueBytes: 512 * 1024,
    streams: 60,
    streamsPerConnection: 60,
    open: (readers, count) => readers.openTransactions(count),
    growthMibMax: 192,
    ends: true,
  },
  // Of 4 MiB: etcd holds all of it for each watch.
  ...[8, 512].map((values) => ({
    name: `watches of different ranges that stall, ${values} values`,
    values,
    valueBytes: (4 * MEBIBYTE) / values,
    streams: 500,
    streamsPerConnection: 25,
    open: (readers: SlowReaders, count: number) => readers.openDifferentWatches(count),
    growthMibMax: 160,
    ends: false,
  })),
];

/** Asks for much and reads nothing: each answer could make the server hold all that there is. */
async function tellOverload(overload: Overload, cluster: Cluster, isBounded: boolean, note: (text: string) => void) {
  const { streams, growthMibMax } = overload;
  const [member] = cluster.members as [ClusterMember];
  await fill(member, overload);
  const before = residentBytes(member);
  const readers = new SlowReaders(member.endpoint, overload.streamsPerConnection);
  try {
    overload.open(readers, streams);
    const awaited = overload.ends ? 1 : streams;
    await waitUntil('readers to be answered', TIMEOUT_MS, () => readers.answered >= awaited);
    const grown = Math.round(((await settledBytes(member, TIMEOUT_MS)) - before) / MEBIBYTE);
    note(`${streams} streams: ${Math.round(before / MEBIBYTE)} MiB and ${grown} MiB more`);
    const lines = [`memory is bounded: ${!isBounded || grown < growthMibMax}`, ...(await tellService(member))];
    if (!overload.ends) return lines;
    readers.read();
    await waitUntil('all to be read', TIMEOUT_MS, () => readers.succeeded === streams);
    return [...lines, ...(await tellService(member))];
  } finally {
    readers.close();
  }
}

const served = ['put ok', 'range ok'];

/** Only ours is to be bounded; etcd reads all that it is asked for. */
export const overloadStories: readonly Story[] = overloads.map((overload) => ({
  name: overload.name,
  expected: ['memory is bounded: true', ...served, ...(overload.ends ? served : [])],
  tell: async (kind, directory, note) => {
    let lines: string[] = [];
    await withCluster([kind], directory, [], async (cluster) => {
      lines = await tellOverload(overload, cluster, !kind.startsWith('etcd'), note);
    });
    return lines;
  },
}));
