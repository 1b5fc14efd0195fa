import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { call, put, type Story, withCluster } from './story.ts';

const ALL_TAKES_TOO_LONG = ['--warning-apply-duration=1ns', '--warning-unary-request-duration=1ns'];

type Line = Readonly<Record<string, unknown>>;

/** What the member has logged under a message. */
function linesOf(member: ClusterMember, message: string): Line[] {
  const log = member.server?.logTail(10_000).split('\n') ?? [];
  return log
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ msg, level }) => msg === message && level === 'warn');
}

async function tellWarnings(cluster: Cluster): Promise<string[]> {
  const [member] = cluster.members as [ClusterMember];
  const key = Buffer.from('told');
  await put(member, 'told', 'never shown');
  await call(member, 'KV.Range', { key });
  await call(member, 'KV.DeleteRange', { key });
  const slow = linesOf(member, 'apply request took too long');
  const stats = linesOf(member, 'request stats');
  const applied = slow.filter(({ prefix }) => prefix === '').map(({ request }) => String(request));
  const calls = ['KV/Put', 'KV/Range', 'KV/DeleteRange'].map((method) => {
    const line = stats.find((each) => each['response type'] === `/etcdserverpb.${method}`);
    // etcd fills in fields of a range before it counts them.
    const size = method === 'KV/Range' ? '' : ` ${line?.['request size']} bytes,`;
    return `${method}${size} ${typeof line?.['time spent']}, ${typeof line?.remote}`;
  });
  return [
    `put ${applied.some((request) => request.includes('put:<key:"told" value_size:11 >'))}`,
    `delete ${applied.some((request) => request.includes('delete_range:') && request.includes('key:"told"'))}`,
    `range ${slow.some((line) => line.prefix === 'read-only range ')}`,
    `expected ${slow[0]?.['expected-duration']}, took ${typeof slow[0]?.took}`,
    ...calls,
    `values shown ${JSON.stringify([...slow, ...stats]).includes('never shown')}`,
  ];
}

export const warningStories: readonly Story[] = [
  {
    name: 'what takes too long',
    expected: [
      'put true',
      'delete true',
      'range true',
      'expected 1ns, took string',
      'KV/Put 19 bytes, string, string',
      'KV/Range string, string',
      'KV/DeleteRange 6 bytes, string, string',
      'values shown false',
    ],
    tell: async (kind, directory) => {
      let lines: string[] = [];
      await withCluster([kind], directory, ALL_TAKES_TOO_LONG, async (cluster) => {
        lines = await tellWarnings(cluster);
      });
      return lines;
    },
  },
];
