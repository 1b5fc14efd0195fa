import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RaftConfig } from './core/config.ts';
import {
  emptySnapshot,
  MemoryStorage,
  type Message,
  MessageType,
  RawNode,
  snapshotTemporarilyUnavailable,
} from './index.ts';
import { bytesOf } from './testing/bytes-of.ts';
import { LocalCluster } from './testing/local-cluster.ts';

// What no scenario file can say: sizes of messages, reports about snapshots, storage that is not ready, restarts.

const base = { electionTick: 10, heartbeatTick: 1, maxInflightMsgs: 8, random: () => 0 };
const progressOf = (cluster: LocalCluster, id: bigint) => cluster.node(1n).raw.status().progress.get(id)?.toString();
const isAppend = ({ type }: Message) => type === MessageType.MsgApp;

test('a message holds as many entries as fit, but at least one', () => {
  // A term and an index are 4 bytes, a payload of 10 is 12 more.
  for (const [maxSizePerMsg, counts] of [
    [0, [1, 1, 1]],
    [31, [1, 1, 1]],
    [32, [2, 1]],
    [48, [3]],
  ] as const) {
    const cluster = new LocalCluster(2, { maxSizePerMsg });
    const { raw } = cluster.elect(1n);
    const sent: number[] = [];
    // Sees every message, and holds none.
    cluster.filter = (message) => {
      if (isAppend(message) && message.entries.length > 0) sent.push(message.entries.length);
      return false;
    };
    raw.proposeBatch([new Uint8Array(10), new Uint8Array(10), new Uint8Array(10)]);
    cluster.settle();
    assert.deepEqual(sent, counts, `at most ${maxSizePerMsg} bytes`);
  }
});

test('bytes in flight are limited: the message that crosses the limit is the last one until some are answered', () => {
  const cluster = new LocalCluster(2, { maxInflightBytes: 25, maxSizePerMsg: 20 });
  const { raw } = cluster.elect(1n);
  cluster.filter = ({ to }) => to === 2n;
  for (let i = 0; i < 4; i++) raw.propose(new Uint8Array(10));
  cluster.settle();
  assert.equal(progressOf(cluster, 2n), 'StateReplicate match=2 next=6 paused inflight=3[full]');
  assert.equal(cluster.held.filter(isAppend).length, 3);
  cluster.filter = () => false;
  for (const message of cluster.held.splice(0)) cluster.deliver(message);
  cluster.settle();
  assert.equal(progressOf(cluster, 2n), 'StateReplicate match=6 next=7');
});

/** A leader that has to send 2 a snapshot up to index 3 since it has cut its log; nothing gets to 2. */
function withSnapshotUnderWay(options: Partial<RaftConfig> = {}): LocalCluster {
  const cluster = new LocalCluster(3, options);
  const { raw, storage } = cluster.elect(1n);
  cluster.filter = ({ to }) => to === 2n;
  raw.propose(bytesOf('x'));
  cluster.settle();
  storage.createSnapshot(3, undefined, bytesOf('state'));
  storage.compact(3);
  raw.reportUnreachable(2n);
  raw.propose(bytesOf('y'));
  cluster.settle();
  return cluster;
}

test('a snapshot that is through lets probing go on behind it, after the acknowledgement or a heartbeat', () => {
  const lines: string[] = [];
  const cluster = withSnapshotUnderWay({ logger: { debug: (text) => lines.push(text) } });
  assert.equal(progressOf(cluster, 2n), 'StateSnapshot match=2 next=4 paused pendingSnap=3');
  const { raw } = cluster.node(1n);
  raw.reportSnapshot(2n, 'finished');
  assert.equal(progressOf(cluster, 2n), 'StateProbe match=2 next=4 paused');
  assert.equal(
    lines.at(-1),
    '1 snapshot succeeded, resumed sending replication messages to 2 [StateProbe match=2 next=4]',
  );
  // Reports that come again, or about nobody, change nothing.
  raw.reportSnapshot(2n, 'failed');
  raw.reportSnapshot(9n, 'failed');
  assert.equal(progressOf(cluster, 2n), 'StateProbe match=2 next=4 paused');
  assert.equal(lines.at(-1), '1 no progress available for 9');
});

test('a snapshot that failed is sent again after a heartbeat', () => {
  const lines: string[] = [];
  const cluster = withSnapshotUnderWay({ logger: { debug: (text) => lines.push(text) } });
  const { raw } = cluster.node(1n);
  raw.reportSnapshot(2n, 'failed');
  assert.equal(progressOf(cluster, 2n), 'StateProbe match=2 next=3 paused');
  assert.equal(
    lines.at(-1),
    '1 snapshot failed, resumed sending replication messages to 2 [StateProbe match=2 next=3]',
  );
  cluster.held.length = 0;
  cluster.filter = () => false;
  raw.tick();
  cluster.settle();
  assert.equal(progressOf(cluster, 2n), 'StateReplicate match=4 next=5');
});

test('a snapshot that is not ready is asked for again later', () => {
  const lines: string[] = [];
  const cluster = new LocalCluster(3, { logger: { debug: (text) => lines.push(text) } });
  const { raw, storage } = cluster.elect(1n);
  cluster.filter = ({ to }) => to === 2n;
  raw.propose(bytesOf('x'));
  cluster.settle();
  cluster.held.length = 0;
  storage.createSnapshot(3, undefined, bytesOf('state'));
  storage.compact(3);
  const snapshot = storage.snapshot.bind(storage);
  storage.snapshot = () => {
    throw snapshotTemporarilyUnavailable();
  };
  raw.reportUnreachable(2n);
  raw.propose(bytesOf('y'));
  assert.equal(lines.at(-1), '1 failed to send snapshot to 2 because snapshot is temporarily unavailable');
  assert.equal(progressOf(cluster, 2n), 'StateProbe match=2 next=3');
  storage.snapshot = snapshot;
  cluster.filter = () => false;
  raw.tick();
  cluster.settle();
  assert.equal(progressOf(cluster, 2n), 'StateReplicate match=4 next=5');
});

test('a commit index that the stored log does not reach stops a node that begins', () => {
  const { storage } = new LocalCluster(1).elect(1n);
  storage.setHardState({ term: 2, vote: 1n, commit: 9 });
  const start = () => new RawNode({ ...base, id: 1n, storage });
  assert.throws(start, /1 state\.commit 9 is out of range \[1, 2\]/);
});

test('a node with nothing but a configuration campaigns from an empty log', () => {
  const storage = new MemoryStorage();
  const confState = { ...emptySnapshot.metadata.confState, voters: [1n, 2n] };
  storage.applySnapshot({ ...emptySnapshot, metadata: { ...emptySnapshot.metadata, confState } });
  const raw = new RawNode({ ...base, id: 1n, storage });
  raw.campaign();
  const [request] = raw.ready().messages;
  assert.deepEqual([request?.to, request?.term, request?.index, request?.logTerm], [2n, 1, 0, 0]);
});
