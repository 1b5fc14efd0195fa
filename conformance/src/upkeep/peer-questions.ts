import { request } from 'node:http';
import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { call, put, type Story, withCluster } from './story.ts';

/** A question to the peer port, with a body although it is a GET, as members ask it. */
function ask(
  member: ClusterMember,
  path: string,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = { 'Content-Length': String(Buffer.byteLength(body)) };
    const asking = request(
      `${member.peerUrl}${path}`,
      { method: 'GET', headers: { ...headers, ...length } },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk: Buffer) => chunks.push(chunk));
        reply.on('end', () => resolve(`${reply.statusCode} ${JSON.stringify(Buffer.concat(chunks).toString())}`));
      },
    );
    asking.on('error', reject);
    asking.end(body);
  });
}

async function tellHashes(cluster: Cluster): Promise<string[]> {
  const [member] = cluster.members as [ClusterMember];
  const hash = (body: string, headers = {}): Promise<string> => ask(member, '/members/hashkv', body, headers);
  await put(member, 'foo', 'bar');
  const lines = [`now ${await hash('{}')}`, `at 2 ${await hash('{"revision":2}')}`];
  lines.push(`ahead ${await hash('{"revision":3}')}`, `nonsense ${await hash('nonsense')}`);
  lines.push(`of another cluster ${await hash('{}', { 'X-Etcd-Cluster-ID': 'abc' })}`);
  await put(member, 'foo', 'baz');
  await call(member, 'KV.Compact', { revision: 3, physical: true });
  lines.push(`compacted ${await hash('{"revision":2}')}`, `at the compaction ${await hash('{"revision":3}')}`);
  lines.push(`downgrade ${await ask(member, '/downgrade/enabled')}`);
  return lines;
}

export const peerQuestionStories: readonly Story[] = [
  {
    name: 'hashes at the peer port',
    expected: [
      String.raw`now 200 "{\"header\":{\"revision\":2},\"hash\":3305255506,\"compact_revision\":-1,\"hash_revision\":2}"`,
      String.raw`at 2 200 "{\"header\":{\"revision\":2},\"hash\":3305255506,\"compact_revision\":-1,\"hash_revision\":2}"`,
      String.raw`ahead 400 "mvcc: required revision is a future revision\n"`,
      String.raw`nonsense 400 "error unmarshalling request\n"`,
      String.raw`of another cluster 412 "cluster ID mismatch\n"`,
      String.raw`compacted 400 "mvcc: required revision has been compacted\n"`,
      String.raw`at the compaction 200 "{\"header\":{\"revision\":3},\"hash\":2020292994,\"compact_revision\":-1,\"hash_revision\":3}"`,
      'downgrade 200 "false"',
    ],
    tell: async (kind, directory) => {
      let lines: string[] = [];
      await withCluster([kind], directory, [], async (cluster) => {
        lines = await tellHashes(cluster);
      });
      return lines;
    },
  },
];
