// Section 6 of the paper, 4.3 of the thesis: changes of many servers at once go through a joint configuration.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfChangeTransition } from '../../conf-change.ts';
import { type Message, MessageType } from '../../message.ts';
import { emptyLogs, PaperCluster, type PaperClusterInit } from './paper-cluster.ts';
import type { Peer } from './peer.ts';

const { JointExplicit, JointImplicit } = ConfChangeTransition;

/** Servers 1 to 5, of which 1, 2 and 3 are voters; 1 leads. */
function start(options: PaperClusterInit['options'] = {}): PaperCluster {
  const cluster = new PaperCluster({ logs: emptyLogs(5), voters: [1n, 2n, 3n], options });
  cluster.elect(1n);
  return cluster;
}

/** Joint of 1, 2, 3 and 3, 4, 5, applied by all. */
function joint(options: PaperClusterInit['options'] = {}): PaperCluster {
  const cluster = start(options);
  cluster.change(1n, 'r1 r2 v4 v5', JointExplicit);
  cluster.tick();
  for (const server of cluster.all) {
    assert.deepEqual(halves(server), [
      [3n, 4n, 5n],
      [1n, 2n, 3n],
    ]);
  }
  return cluster;
}

function halves(server: Peer): bigint[][] {
  const { incoming, outgoing } = server.raw.status().config;
  return [[...incoming].sort(), [...outgoing].sort()];
}

function leave(cluster: PaperCluster, id: bigint): void {
  cluster.change(id, '');
  cluster.tick();
}

/** Holds acknowledgements of all but these servers back. */
function onlyAcknowledge(cluster: PaperCluster, ids: readonly bigint[]): void {
  cluster.filter = ({ type, from }) => type === MessageType.MsgAppResp && !ids.includes(from);
}

test('Section 6, figure 10: to change several voters at once always takes a joint configuration', () => {
  const cluster = start();
  cluster.filter = ({ type, entries }) => type === MessageType.MsgApp && entries.some(({ index }) => index > 2);
  cluster.change(1n, 'v4 v5');
  assert.deepEqual(halves(cluster.node(1n)), [
    [1n, 2n, 3n, 4n, 5n],
    [1n, 2n, 3n],
  ]);
});

test('Section 6, figure 10: servers that know only the old configuration and those of the new one never both decide', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5), voters: [1n, 2n, 3n] });
  cluster.elect(3n);
  cluster.tick();
  // Of the change nothing reaches server 1, and not to server 2 that it is committed.
  cluster.filter = ({ to, commit }) => to === 1n || (to === 2n && commit > 1);
  cluster.change(3n, 'v4 v5', JointExplicit);
  const knowing = [3n, 4n, 5n].map((id) => halves(cluster.node(id)));
  assert.deepEqual(
    knowing,
    Array(3).fill([
      [1n, 2n, 3n, 4n, 5n],
      [1n, 2n, 3n],
    ]),
  );
  assert.deepEqual(halves(cluster.node(2n)), [[1n, 2n, 3n], []]);
  // Now 1 and 2 are a majority of the old servers, 3, 4 and 5 one of the new.
  cluster.filter = () => false;
  cluster.partition([1n, 2n], [3n, 4n, 5n]);
  cluster.propose(3n, 'lost');
  cluster.elect(2n);
  cluster.propose(2n, 'kept');
  cluster.campaign(4n);
  assert.deepEqual(cluster.leaders, [2n]);
  cluster.heal();
  cluster.tick(2);
  for (const server of cluster.all) assert.deepEqual(server.applied, ['kept']);
});

test('Section 6: entries go to the servers of both halves', () => {
  const cluster = joint();
  cluster.node(1n).propose('x');
  const receivers = cluster
    .node(1n)
    .work()
    .filter(({ type }) => type === MessageType.MsgApp);
  assert.deepEqual(
    receivers.map(({ to }) => to),
    [2n, 3n, 4n, 5n],
  );
});

test('Section 6: an entry is committed by a majority of the old and one of the new servers, not by one alone', () => {
  const onlyOld = joint();
  onlyAcknowledge(onlyOld, [2n, 3n]);
  onlyOld.propose(1n, 'x');
  assert.deepEqual(onlyOld.node(1n).applied, [], '1, 2 and 3 have it, that is all of the old');

  const onlyNew = joint();
  onlyAcknowledge(onlyNew, [4n, 5n]);
  onlyNew.propose(1n, 'x');
  assert.deepEqual(onlyNew.node(1n).applied, [], '1, 4 and 5 have it, that is one of the old');

  const both = joint();
  onlyAcknowledge(both, [3n, 4n]);
  both.propose(1n, 'x');
  assert.deepEqual(both.node(1n).applied, ['x'], '1 and 3 of the old, 3 and 4 of the new');
});

test('Section 6: an election is won by a majority of the old and one of the new servers, not by one alone', () => {
  const winners = (present: readonly bigint[], candidate: bigint) => {
    const cluster = joint();
    cluster.partition(present);
    cluster.campaign(candidate);
    return cluster.node(candidate).state === 'StateLeader';
  };
  assert.equal(winners([1n, 2n, 3n], 3n), false);
  assert.equal(winners([2n, 4n, 5n], 4n), false);
  assert.equal(winners([2n, 3n, 5n], 3n), true);
});

test('Section 6: servers of either half may lead meanwhile', () => {
  for (const id of [2n, 4n]) {
    const cluster = joint();
    cluster.elect(id);
    cluster.propose(id, 'x');
    assert.deepEqual(cluster.node(id).applied, ['x']);
  }
});

test('Section 6: clients are served all the while', () => {
  const cluster = joint();
  assert.equal(cluster.propose(1n, 'x'), undefined);
  leave(cluster, 1n);
  for (const id of [3n, 4n, 5n]) assert.deepEqual(cluster.node(id).applied, ['x']);
});

test('Section 6: the new configuration needs the new majority alone, and the old servers may go', () => {
  const cluster = joint();
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  leave(cluster, 3n);
  assert.deepEqual(halves(cluster.node(3n)), [[3n, 4n, 5n], []]);
  cluster.crash(1n);
  cluster.crash(2n);
  cluster.crash(5n);
  cluster.propose(3n, 'x');
  assert.deepEqual(cluster.node(3n).applied, ['x']);
});

test('Section 6: the joint configuration itself is committed by the old majority when it begins', () => {
  const cluster = start();
  cluster.partition([1n, 2n]);
  cluster.change(1n, 'r1 r2 v4 v5', JointExplicit);
  assert.equal(cluster.node(1n).raw.basicStatus().applied, 2);
  assert.deepEqual(halves(cluster.node(1n))[0], [3n, 4n, 5n]);
});

test('Section 6, as etcd does: a configuration counts from when it is applied, not from when it is in the log', () => {
  const cluster = start();
  onlyAcknowledge(cluster, []);
  cluster.change(1n, 'r1 r2 v4 v5', JointExplicit);
  assert.deepEqual(cluster.node(1n).log.length, 2, 'it is in the log');
  assert.deepEqual(halves(cluster.node(1n)), [[1n, 2n, 3n], []]);
  cluster.release(({ from }) => from === 2n);
  assert.deepEqual(halves(cluster.node(1n))[1], [1n, 2n, 3n]);
});

test('Section 6: leaving the joint configuration needs both majorities', () => {
  const cluster = joint();
  onlyAcknowledge(cluster, [4n, 5n]);
  cluster.change(1n, '');
  assert.deepEqual(halves(cluster.node(1n))[1], [1n, 2n, 3n], 'not with the new majority alone');
  cluster.release(({ from }) => from === 3n);
  assert.deepEqual(halves(cluster.node(3n)), [[3n, 4n, 5n], []]);
});

test('Section 6: by itself the leader goes on to the new configuration as soon as the joint one is applied', () => {
  const cluster = start();
  cluster.change(1n, 'r2 v4 v5', JointImplicit);
  cluster.tick();
  for (const id of [1n, 3n, 4n, 5n]) assert.deepEqual(halves(cluster.node(id)), [[1n, 3n, 4n, 5n], []]);
});

test('Section 6: when the leader crashes in between, the next one goes on to the new configuration', () => {
  const cluster = start();
  // What leaves the joint configuration again reaches nobody.
  cluster.filter = ({ type, entries }) => type === MessageType.MsgApp && entries.some(({ index }) => index > 2);
  cluster.change(1n, 'r1 v4', JointImplicit);
  cluster.tick(1, [1n]);
  assert.deepEqual(halves(cluster.node(3n)), [
    [2n, 3n, 4n],
    [1n, 2n, 3n],
  ]);
  cluster.crash(1n);
  cluster.filter = () => false;
  cluster.elect(3n);
  cluster.tick();
  assert.deepEqual(halves(cluster.node(3n)), [[2n, 3n, 4n], []]);
});

test('Section 6: a leader that is not in the new configuration leads on without counting itself', () => {
  const cluster = joint();
  onlyAcknowledge(cluster, [2n, 3n]);
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, [], 'of the new servers only 3 has it');
  cluster.release(({ from }) => from === 4n);
  assert.deepEqual(cluster.node(1n).applied, ['x']);
});

test('Section 6: a leader that is not in the new configuration steps down when that is applied', () => {
  const cluster = joint({ stepDownOnRemoval: true });
  leave(cluster, 1n);
  assert.deepEqual([cluster.leaders, cluster.node(1n).state], [[], 'StateFollower']);
  cluster.elect(4n);
  cluster.propose(4n, 'x');
  assert.deepEqual(cluster.node(5n).applied, ['x']);
});

test('Section 6, as etcd does: without that option it goes on as a leader that takes no proposals, until another is elected', () => {
  const cluster = joint();
  leave(cluster, 1n);
  assert.deepEqual(cluster.leaders, [1n]);
  assert.equal(cluster.propose(1n, 'x')?.code, 'raft/proposal-dropped');
  cluster.elect(4n);
  cluster.propose(4n, 'y');
  assert.deepEqual(cluster.node(5n).applied, ['y']);
});

test('Thesis 4.3: while it is joint no other change begins', () => {
  const cluster = joint();
  cluster.change(1n, 'v1');
  cluster.tick();
  assert.deepEqual(halves(cluster.node(1n)), [
    [3n, 4n, 5n],
    [1n, 2n, 3n],
  ]);
  leave(cluster, 1n);
  assert.deepEqual(halves(cluster.node(3n)), [[3n, 4n, 5n], []]);
});

test('Thesis 4.3: a voter that is to become a learner votes in the old half until that is left', () => {
  const cluster = start();
  cluster.change(1n, 'l3', JointExplicit);
  cluster.tick();
  const before = cluster.node(1n).confState;
  assert.deepEqual([before.votersOutgoing, before.learnersNext, before.learners], [[1n, 2n, 3n], [3n], []]);
  // Of the old half 1 and 3 are a majority, of the new one 1 and 2 are all.
  cluster.partition([1n, 2n]);
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, ['x']);
  cluster.heal();
  leave(cluster, 1n);
  assert.deepEqual([cluster.node(1n).confState.voters, cluster.node(1n).confState.learners], [[1n, 2n], [3n]]);
});

test('Section 6: a read is confirmed by both majorities, too', () => {
  const cluster = joint();
  const isAnswer = ({ type }: Message) => type === MessageType.MsgHeartbeatResp;
  cluster.filter = (message) => isAnswer(message) && message.from >= 4n;
  cluster.node(1n).raw.readIndex(Uint8Array.of(1));
  cluster.settle();
  assert.deepEqual(cluster.node(1n).reads, [], 'all of the old servers answered, of the new ones only 3');
  cluster.release(({ from }) => from === 4n);
  assert.equal(cluster.node(1n).reads.length, 1);
});
