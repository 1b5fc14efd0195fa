import { join } from 'node:path';
import { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { freePorts } from '../support/ports.ts';
import type { ServerKind } from '../support/programs.ts';
import { launch, type RunningServer } from '../support/server.ts';
import { waitUntil } from '../support/text.ts';
import { addLines, type LogBook } from './log-book.ts';

const WAIT_MS = 60_000;

export type Scene = 'begins' | 'is started again' | 'joins, is started again, is removed';

function take(book: LogBook, server: RunningServer | undefined): void {
  addLines(book, `${server?.child.stdout ?? ''}${server?.child.stderr ?? ''}`);
}

/** A member alone: its first life and its second. */
async function lifeAlone(kind: ServerKind, directory: string): Promise<[LogBook, LogBook]> {
  const [clientPort, peerPort, metricsPort] = (await freePorts(3)) as [number, number, number];
  const dataDir = join(directory, `alone-${kind}`);
  const extraArgs = [`--listen-metrics-urls=http://127.0.0.1:${metricsPort}`];
  const books: [LogBook, LogBook] = [new Map(), new Map()];
  for (const book of books) {
    const server = await launch({ kind, dataDir, clientPort, peerPort, extraArgs });
    // The last thing that a first start does by itself.
    const isDone = () => book !== books[0] || /"new-storage-version":"3\.7\.0"/.test(server.child.stderr);
    await waitUntil('the version of the storage', WAIT_MS, isDone);
    await server.stop();
    take(book, server);
  }
  return books;
}

/** Three members; a fourth joins; one is started again; the fourth is removed; all stop, the leader first. */
async function lifeOfCluster(kind: ServerKind, directory: string): Promise<LogBook> {
  const book: LogBook = new Map();
  const cluster = await Cluster.start({ kinds: [kind, kind, kind], directory });
  const servers = new Set<RunningServer>();
  const note = () => {
    for (const { server } of cluster.members) if (server !== undefined) servers.add(server);
  };
  try {
    const [first, second] = cluster.members as [ClusterMember, ClusterMember];
    const fourth = await cluster.makePlace(kind);
    await cluster.announce(fourth);
    await cluster.join(fourth);
    await cluster.waitHealthy();
    note();
    await second.stop();
    second.start();
    await cluster.waitHealthy();
    note();
    await waitUntil(`${fourth.name} to be removed`, WAIT_MS, async () => {
      const answer = await first.call('Cluster.MemberRemove', { ID: fourth.id });
      return answer.ok || answer.code === 'NOT_FOUND';
    });
    await fourth.server?.child.exited;
    cluster.members.splice(cluster.members.indexOf(fourth), 1);
    await (await cluster.waitLeader()).stop();
    await cluster.stop();
    for (const server of servers) take(book, server);
    return book;
  } finally {
    await cluster.close();
  }
}

/** What a kind of server logs in each scene. */
export async function playScenes(kind: ServerKind, directory: string): Promise<Readonly<Record<Scene, LogBook>>> {
  const [first, second] = await lifeAlone(kind, directory);
  const cluster = await lifeOfCluster(kind, directory);
  return { begins: first, 'is started again': second, 'joins, is started again, is removed': cluster };
}
