// Section 6.4.1 of the thesis: reads that rely on a lease. While a majority has promised to elect nobody else, a leader may
// answer without asking. How far the library keeps to that is a decision of its own (docs/decisions/0009). Time is counted in
// ticks, which are as long for all here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadOnlyOption } from '../../core/config.ts';
import { type Message, MessageType } from '../../message.ts';
import { bytesOf } from '../local-cluster.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { acknowledge, ELECTION_TICK, heartbeat, Peer, requestVote } from './peer.ts';

const options = { checkQuorum: true, readOnlyOption: ReadOnlyOption.LeaseBased };

/** Server 1 leads and has committed "x" as entry 2. Server 3 waits longer than 2 before it calls an election. */
function start(): PaperCluster {
  const optionsOf = (id: bigint) => ({ random: () => (id === 3n ? 2 ** 31 : 0) });
  const cluster = new PaperCluster({ logs: emptyLogs(3), options, optionsOf });
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  cluster.tick();
  return cluster;
}

/** Index of the answer to a read, if there is one without a word from others. */
function readAlone(cluster: PaperCluster, id: bigint): number | undefined {
  const { raw, reads } = cluster.node(id);
  const before = reads.length;
  cluster.filter = () => true;
  raw.readIndex(bytesOf('read'));
  cluster.settle();
  cluster.filter = () => false;
  return reads.slice(before)[0]?.index;
}

test('Thesis 6.4.1: while it has the lease, a leader answers reads without asking', () => {
  const cluster = start();
  for (let i = 0; i < 3 * ELECTION_TICK; i++) {
    cluster.tick();
    assert.equal(readAlone(cluster, 1n), 2);
  }
});

test('Thesis 6.4.1: with a lease, too, a read waits until an entry of the term is committed', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 1], 2: [1, 1], 3: [1] }, options });
  cluster.filter = ({ type }) => type === MessageType.MsgApp;
  cluster.elect(1n);
  const { raw, reads } = cluster.node(1n);
  raw.readIndex(bytesOf('read'));
  cluster.settle();
  assert.equal(reads.length, 0);
  cluster.release();
  assert.deepEqual(
    reads.map(({ index }) => index),
    [3],
  );
});

test('Thesis 6.4.1: a follower gets its read index from the leader, which asks nobody else', () => {
  const cluster = start();
  cluster.filter = ({ type }) => type === MessageType.MsgHeartbeat;
  cluster.node(3n).raw.readIndex(bytesOf('read'));
  cluster.settle();
  assert.equal(cluster.held.length, 0);
  assert.equal(cluster.node(3n).reads[0]?.index, 2);
});

test('Thesis 6.4.1: who hears the leader gives no vote, so that the lease holds against a server that does not hear it', () => {
  const cluster = start();
  // Server 3 hears everybody but the leader.
  cluster.filter = ({ from, to }) => from === 1n && to === 3n;
  cluster.tick(3 * ELECTION_TICK);
  assert.ok(cluster.node(3n).term > 1, 'it called elections');
  cluster.filter = () => false;
  assert.deepEqual(cluster.leaders, [1n]);
  assert.equal(readAlone(cluster, 1n), 2);
});

test('Thesis 6.4.1: a leader that finds no quorum has no lease, as it leads no more', () => {
  const cluster = start();
  cluster.isolate(1n);
  cluster.tick(2 * ELECTION_TICK, [1n]);
  assert.deepEqual(cluster.leaders, []);
  assert.equal(readAlone(cluster, 1n), undefined);
});

test('Thesis 6.4.1: nobody forgets the leader who has promised to elect no other', () => {
  const cluster = start();
  const server = cluster.node(2n);
  server.raw.forgetLeader();
  assert.equal(server.leader, 1n);
  assert.deepEqual(server.receive(requestVote(3n, 7, { index: 9, term: 7 })), []);
});

test('Thesis 6.4.1: with leadership transfer the lease ends, as its target is elected in spite of all promises', () => {
  const cluster = start();
  cluster.filter = ({ type }) => type === MessageType.MsgTimeoutNow;
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  const [timeoutNow] = cluster.held.splice(0) as [Message];
  assert.equal(readAlone(cluster, 1n), undefined);
  // The message is late. The leader has given the transfer up, and its followers have answered heartbeats since.
  cluster.tick(2 * ELECTION_TICK);
  assert.equal(cluster.node(1n).raw.basicStatus().leadTransferee, 0n);
  cluster.isolate(1n);
  cluster.node(3n).raw.step(timeoutNow);
  cluster.settle();
  cluster.propose(3n, 'y');
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y']);
  assert.deepEqual(cluster.leaders, [1n, 3n]);
  assert.equal(readAlone(cluster, 1n), undefined, 'it would not know of "y"');
});

test('Thesis 6.4.1: while a transfer only waits for its target to catch up, the lease holds', () => {
  const cluster = start();
  cluster.isolate(3n);
  cluster.propose(1n, 'y');
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  assert.equal(readAlone(cluster, 1n), 3);
});

// What etcd's library does not promise, and neither does this one.

test('Thesis 6.4.1, as etcd does: the lease lasts until the leader looks for its quorum, which may be after another is elected', () => {
  const cluster = start();
  // It has looked just before, so that it will not look again for as long as can be.
  while (cluster.node(1n).raft.electionElapsed !== 1) cluster.tick();
  cluster.isolate(1n);
  cluster.tick(ELECTION_TICK);
  assert.deepEqual(cluster.leaders, [1n, 2n]);
  cluster.propose(2n, 'y');
  assert.ok(cluster.node(2n).commit > 2);
  assert.equal(readAlone(cluster, 1n), 2, 'the read does not see "y"');
  cluster.tick(ELECTION_TICK, [1n]);
  assert.equal(readAlone(cluster, 1n), undefined);
});

test('Thesis 6.4.1, as etcd does: a server that restarted does not know what it promised', () => {
  const cluster = start();
  cluster.isolate(3n);
  cluster.tick(ELECTION_TICK);
  cluster.crash(2n);
  cluster.restart(2n);
  cluster.partition([2n, 3n]);
  cluster.elect(3n);
  assert.deepEqual(cluster.leaders.sort(), [1n, 3n]);
  assert.equal(readAlone(cluster, 1n), 2);
});

test('Thesis 6.4.1, as etcd does: a promise ends with the term in which it was given', () => {
  const server = new Peer(2n, { options });
  server.receive(heartbeat(1n, 1));
  // A late answer to something this server sent when it led.
  server.receive(acknowledge(3n, 9, 0));
  assert.equal(server.receive(requestVote(3n, 10))[0]?.reject, false);
});
