import { join } from 'node:path';
import { ask } from '../gateway/http-client.ts';
import type { Sayings } from '../gateway/sayings.ts';
import { showAnswer } from '../gateway/show-answer.ts';
import { Connection } from '../grpc/connection.ts';
import { loadMethods } from '../grpc/services.ts';
import { freePorts } from '../support/ports.ts';
import type { ServerKind } from '../support/programs.ts';
import { spawnServer } from '../support/server.ts';
import { waitUntil } from '../support/text.ts';

const WAIT_MS = 30_000;
const DEADLINE_MS = 500;

/** Whether something has come to an end; asked at once. */
function watchEnd(work: Promise<unknown>): () => boolean {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  work.then(end, end);
  return () => isOver;
}

/** What the first of three members answers on its ports while it is alone, and what becomes of clients that wait when the second comes. */
export async function earlyAnswers(kind: ServerKind, directory: string): Promise<Sayings> {
  const [clientA, clientB, peerA, peerB, peerC, metrics] = (await freePorts(6)) as [
    ...[number, number, number, number, number, number],
  ];
  const peers = { a: peerA, b: peerB, c: peerC };
  const initialCluster = Object.entries(peers)
    .map(([name, port]) => `${name}=http://127.0.0.1:${port}`)
    .join(',');
  const start = (name: 'a' | 'b', clientPort: number, extraArgs: readonly string[]) =>
    spawnServer({
      kind,
      dataDir: join(directory, name),
      clientPort,
      peerPort: peers[name],
      membership: {
        name,
        peerUrl: `http://127.0.0.1:${peers[name]}`,
        initialCluster,
        initialClusterState: 'new',
        token: 'early',
      },
      extraArgs,
    });
  const said = new Map<string, string>();
  const first = start('a', clientA, [`--listen-metrics-urls=http://127.0.0.1:${metrics}`]);
  const servers = [first];
  const connection = new Connection(first.endpoint, loadMethods());
  try {
    const log = () => `${first.child.stdout}${first.child.stderr}`;
    await waitUntil('its ports to be there', WAIT_MS, () => log().includes('"serving metrics"'));
    const version = ask(first.endpoint, { method: 'GET', path: '/version' });
    const isAnswered = watchEnd(version);
    for (const [path, showBody] of metricsPaths) {
      const answer = await ask(`127.0.0.1:${metrics}`, { method: 'GET', path });
      said.set(`metrics port ${path}`, showAnswer(answer, showBody === undefined ? {} : { showBody }));
    }
    const read = { key: Buffer.from('a'), serializable: true };
    for (const method of ['KV.Range', 'Maintenance.Status', 'Cluster.MemberList']) {
      const answer = await connection.unary(method, method === 'KV.Range' ? read : {}, { timeoutMs: DEADLINE_MS });
      said.set(`client port ${method}`, answer.ok ? 'answered' : answer.code);
    }
    said.set('client port /version, alone', isAnswered() ? 'answered' : 'waits');
    servers.push(start('b', clientB, []));
    said.set('client port /version, then', String((await version).status));
    const linearizable = await connection.unary('KV.Range', { key: Buffer.from('a') });
    said.set('client port KV.Range, then', linearizable.ok ? 'answered' : linearizable.code);
    return said;
  } finally {
    connection.close();
    for (const server of servers) await server.kill();
  }
}

const sorted = (body: string): string => body.split('\n').sort().join('\n');
const nothing = (): string => '';

/** With what is made of a body before it is compared. */
const metricsPaths: readonly (readonly [path: string, showBody?: (body: string) => string])[] = [
  ['/health'],
  ['/health?serializable=true'],
  ['/livez?verbose', sorted],
  ['/readyz?exclude=linearizable_read'],
  ['/version'],
  ['/metrics', nothing],
];
