// Section 7 of the paper (chapter 5 of the thesis): log compaction, and figure 13, the rules of InstallSnapshot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, type MessageInit, MessageType } from '../../message.ts';
import { createConfState, type Snapshot } from '../../state.ts';
import { bytesOf } from '../local-cluster.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { acknowledge, append, ELECTION_TICK, heartbeat, heartbeatAnswer, Peer, requestVote } from './peer.ts';

const voters = [1n, 2n, 3n];

/** The state machine "a, b, c…" after so many entries. */
function snapshotAt(index: number, term: number, confState = createConfState({ voters })): Snapshot {
  const applied = Array.from({ length: index }, (_, i) => String.fromCharCode(97 + i));
  return { data: bytesOf(applied.join()), metadata: { index, term, confState } };
}

function install(from: bigint, term: number, snapshot: Snapshot): MessageInit {
  return { type: MessageType.MsgSnap, from, term, snapshot };
}

/** Server 3 missed two entries, and the others have dropped them. */
function behind(): PaperCluster {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.isolate(3n);
  cluster.propose(1n, 'x');
  cluster.propose(1n, 'y');
  for (const id of [1n, 2n]) cluster.node(id).compact();
  cluster.heal();
  return cluster;
}

test('Section 7: each server makes its snapshot by itself, of what it has applied', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  cluster.tick();
  cluster.node(2n).compact();
  assert.deepEqual(
    cluster.all.map(({ log }) => log.length),
    [2, 0, 2],
  );
  cluster.propose(1n, 'y');
  cluster.tick();
  for (const server of cluster.all) assert.deepEqual(server.applied, ['x', 'y']);
});

test('Section 7: a snapshot holds the index and term of the last entry it replaces, and the configuration there', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.change(1n, 'l4');
  cluster.node(1n).compact();
  const { metadata } = cluster.node(1n).storage.snapshot();
  assert.deepEqual(metadata, { index: 2, term: 1, confState: createConfState({ voters, learners: [4n] }) });
});

test('Section 7: with a compacted log the place before the first entry still matches, as its term is in the snapshot', () => {
  const server = new Peer(2n, { log: [1, 1, 2], commit: 2 });
  server.work();
  server.compact();
  assert.deepEqual(server.log, [2]);
  const [match] = server.receive(append(1n, 3, { previous: { index: 2, term: 1 }, terms: [2, 3] }));
  assert.deepEqual([match?.reject, match?.index], [false, 4]);
});

test('Section 7: votes are given by the last entry, even when only the snapshot knows it any more', () => {
  const server = new Peer(2n, { log: [1, 2], commit: 2 });
  server.work();
  server.compact();
  assert.deepEqual(server.log, []);
  assert.equal(server.receive(requestVote(1n, 3, { index: 9, term: 1 }))[0]?.reject, true);
  assert.equal(server.receive(requestVote(1n, 3, { index: 2, term: 2 }))[0]?.reject, false);
});

test('Section 7: a restarted server begins with its snapshot, and applies what follows', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  cluster.tick();
  cluster.node(2n).compact();
  cluster.propose(1n, 'y');
  cluster.tick();
  cluster.crash(2n);
  const server = cluster.restart(2n);
  assert.deepEqual(server.applied, ['x']);
  server.work();
  assert.deepEqual(server.applied, ['x', 'y']);
});

test('Section 7: a leader sends its snapshot when it has dropped the next entry a follower needs', () => {
  const cluster = behind();
  const sent: number[] = [];
  cluster.filter = ({ type, to }) => {
    if (to === 3n) sent.push(type);
    return false;
  };
  cluster.tick(1, [1n]);
  assert.ok(sent.includes(MessageType.MsgSnap));
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y']);
});

test('Section 7: after the snapshot entries follow as usual', () => {
  const cluster = behind();
  cluster.tick(1, [1n]);
  cluster.propose(1n, 'z');
  cluster.tick(1, [1n]);
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y', 'z']);
  assert.deepEqual(cluster.node(3n).log, [1]);
});

test('Section 7: a follower that is behind, but not behind the log, gets entries and no snapshot', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.isolate(3n);
  for (const text of ['x', 'y']) cluster.propose(1n, text);
  cluster.node(1n).compact(2);
  cluster.heal();
  let snapshots = 0;
  cluster.filter = ({ type }) => {
    if (type === MessageType.MsgSnap) snapshots++;
    return false;
  };
  cluster.tick(1, [1n]);
  assert.equal(snapshots, 0);
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y']);
});

test('Section 7, as etcd does: no snapshot for a server that has not been heard of lately', () => {
  const leader = new Peer(1n, { options: { checkQuorum: true } }).lead();
  leader.receive(acknowledge(2n, 1, 1), acknowledge(3n, 1, 1));
  for (let i = 0; i < ELECTION_TICK; i++) {
    leader.tick();
    leader.receive(heartbeatAnswer(2n, 1));
  }
  leader.propose('x');
  leader.receive(acknowledge(2n, 1, 2));
  leader.compact();
  leader.raw.reportUnreachable(3n);
  leader.propose('y');
  const isSnapshot = ({ type }: Message) => type === MessageType.MsgSnap;
  assert.equal(leader.work().some(isSnapshot), false);
  assert.equal(leader.receive(heartbeatAnswer(3n, 1)).some(isSnapshot), true, 'it is there again');
});

test('Section 7: a late request for entries that the snapshot covers is answered with what is committed', () => {
  const server = new Peer(2n, { log: [1, 1, 1], commit: 3 });
  server.work();
  server.compact();
  const [answer] = server.receive(append(1n, 1, { previous: { index: 1, term: 1 }, terms: [1] }));
  assert.deepEqual([answer?.reject, answer?.index], [false, 3]);
});

test('Figure 13, InstallSnapshot 1: one of an older term is ignored', () => {
  const server = new Peer(2n, { term: 5 });
  assert.deepEqual(server.receive(install(1n, 4, snapshotAt(3, 4))), []);
  assert.deepEqual([server.term, server.commit, server.applied], [5, 0, []]);
});

test('Figure 13, InstallSnapshot 2 to 4, as etcd does: the snapshot comes whole in one message, as chunks are for the transport', () => {
  const server = new Peer(2n);
  const [answer] = server.receive(install(1n, 2, snapshotAt(3, 2)));
  assert.deepEqual([answer?.type, answer?.index], [MessageType.MsgAppResp, 3]);
  assert.deepEqual(server.applied, ['a', 'b', 'c']);
});

test('Figure 13, InstallSnapshot 5: one that is not newer than what is committed is ignored, and the answer says so', () => {
  const server = new Peer(2n, { log: [1, 1, 1], commit: 3 });
  server.work();
  const [answer] = server.receive(install(1n, 1, snapshotAt(2, 1)));
  assert.deepEqual([answer?.type, answer?.reject, answer?.index], [MessageType.MsgAppResp, false, 3]);
  assert.deepEqual(server.log, [1, 1, 1]);
  // Nor if it cannot tell any more what stood there.
  server.compact();
  server.receive(install(1n, 1, snapshotAt(2, 1)));
  assert.equal(server.commit, 3);
  assert.deepEqual(server.applied, ['1/1', '1/2', '1/3']);
});

test('Figure 13, InstallSnapshot 6: a log that has the last entry of the snapshot keeps what follows it', () => {
  const server = new Peer(2n, { log: [1, 1, 2, 2] });
  const [answer] = server.receive(install(1n, 2, snapshotAt(3, 2)));
  assert.deepEqual(server.log.at(-1), 2);
  assert.equal(server.storage.lastIndex(), 4);
  assert.deepEqual([answer?.index, server.commit], [3, 3]);
});

test('Figure 13, InstallSnapshot 6, as etcd does: such a log is not cut, its entries are applied in place of the snapshot', () => {
  const server = new Peer(2n, { log: [1, 1, 2, 2] });
  server.receive(install(1n, 2, snapshotAt(3, 2)));
  assert.deepEqual(server.log, [1, 1, 2, 2]);
  assert.deepEqual(server.applied, ['1/1', '1/2', '2/3']);
});

test('Figure 13, InstallSnapshot 7: a log without that entry goes altogether', () => {
  for (const log of [[1, 1], [1, 1, 1, 1, 1], []]) {
    const server = new Peer(2n, { log, term: 2 });
    server.receive(install(1n, 2, snapshotAt(3, 2)));
    assert.deepEqual(server.log, []);
    assert.deepEqual([server.storage.firstIndex(), server.storage.lastIndex(), server.commit], [4, 3, 3]);
  }
});

test('Figure 13, InstallSnapshot 8: state machine and configuration are those of the snapshot', () => {
  const server = new Peer(2n, { log: [1, 1], commit: 1 });
  server.work();
  assert.deepEqual(server.applied, ['1/1']);
  const confState = createConfState({ voters: [1n, 2n], learners: [5n] });
  server.receive(install(1n, 2, snapshotAt(3, 2, confState)));
  assert.deepEqual(server.applied, ['a', 'b', 'c']);
  const { incoming, learners } = server.raw.status().config;
  assert.deepEqual([[...incoming], [...learners]], [[1n, 2n], [5n]]);
});

test('Figure 13: a snapshot is word of the leader', () => {
  const server = new Peer(2n);
  server.tick(9);
  server.receive(install(1n, 2, snapshotAt(3, 2)));
  server.tick(9);
  assert.deepEqual([server.state, server.term, server.leader], ['StateFollower', 2, 1n]);
});

test('Section 7: the snapshot is to be on disk before it is acknowledged', () => {
  const server = new Peer(2n, { options: { asyncStorageWrites: true } });
  server.raw.step(install(1n, 2, snapshotAt(3, 2)));
  const { messages } = server.raw.ready();
  const work = messages.find(({ type }) => type === MessageType.MsgStorageAppend);
  assert.equal(work?.snapshot?.metadata.index, 3);
  assert.deepEqual(
    work?.responses.map(({ type }) => type),
    [MessageType.MsgAppResp, MessageType.MsgStorageAppendResp],
  );
  assert.equal(messages.length, 1, 'nothing else goes out');
});

test('Section 7: a server in the middle of a snapshot calls no election', () => {
  const server = new Peer(2n);
  server.raw.step(install(1n, 2, snapshotAt(3, 2)));
  server.raw.campaign();
  assert.equal(server.state, 'StateFollower');
  server.work();
  server.campaign();
  assert.equal(server.state, 'StateCandidate');
});

test('Section 7, as etcd does: a server that is not in the configuration of a snapshot refuses it', () => {
  const server = new Peer(2n);
  const [answer] = server.receive(install(1n, 2, snapshotAt(3, 2, createConfState({ voters: [1n, 3n] }))));
  assert.deepEqual([answer?.index, server.commit, server.applied], [0, 0, []]);
});

test('Section 7: a snapshot that comes twice is applied once', () => {
  const server = new Peer(2n);
  server.receive(install(1n, 2, snapshotAt(3, 2)));
  server.receive(append(1n, 2, { previous: { index: 3, term: 2 }, terms: [2] }), heartbeat(1n, 2, 4));
  const [answer] = server.receive(install(1n, 2, snapshotAt(3, 2)));
  assert.equal(answer?.index, 4);
  assert.deepEqual(server.applied, ['a', 'b', 'c', '2/4']);
  assert.deepEqual(server.log, [2]);
});

test('Section 7: a snapshot whose message is lost does not stop replication for ever', () => {
  const cluster = behind();
  cluster.filter = ({ type }) => type === MessageType.MsgSnap;
  cluster.tick(1, [1n]);
  assert.equal(cluster.held.length, 1);
  cluster.filter = () => false;
  cluster.tick(5, [1n]);
  assert.deepEqual(cluster.node(3n).applied, [], 'nothing more is sent until somebody says how it went');
  cluster.node(1n).raw.reportSnapshot(3n, 'failed');
  cluster.tick(1, [1n]);
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y']);
});

test('Section 7: an acknowledgement is enough to go on with, also when nobody reports how the snapshot went', () => {
  const cluster = behind();
  cluster.filter = ({ type }) => type === MessageType.MsgSnap;
  cluster.tick(1, [1n]);
  const [snapshot] = cluster.held as [Message];
  cluster.filter = () => false;
  for (const answer of cluster.node(3n).receive(snapshot)) cluster.deliver(answer);
  cluster.settle();
  cluster.propose(1n, 'z');
  cluster.tick(1, [1n]);
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y', 'z']);
});
