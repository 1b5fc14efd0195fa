// Section 3.10 of the thesis: leadership transfer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType } from '../../message.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { acknowledge, ELECTION_TICK, heartbeat, Peer } from './peer.ts';

const isTimeoutNow = ({ type }: Message) => type === MessageType.MsgTimeoutNow;

/** Server 1 leads, and all have its log. */
function settled(options: object = {}): PaperCluster {
  const cluster = new PaperCluster({ logs: emptyLogs(3), options });
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  return cluster;
}

test('Thesis 3.10, step 1: the prior leader takes no more proposals, so that the target can catch up', () => {
  const cluster = settled();
  const leader = cluster.node(1n);
  leader.raw.transferLeader(3n);
  assert.equal(leader.propose('y')?.code, 'raft/proposal-dropped');
  assert.equal(leader.raw.basicStatus().leadTransferee, 3n);
});

test('Thesis 3.10, step 2: a target whose log is behind is brought up to date first', () => {
  const cluster = settled();
  cluster.isolate(3n);
  cluster.propose(1n, 'y');
  cluster.heal();
  const sent: string[] = [];
  cluster.filter = ({ type, to, from, entries }) => {
    if (from === 1n && to === 3n && type === MessageType.MsgApp && entries.length > 0) sent.push('entries');
    if (from === 1n && to === 3n && type === MessageType.MsgTimeoutNow) sent.push('timeout now');
    return false;
  };
  cluster.node(1n).raw.reportUnreachable(3n);
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  assert.deepEqual(sent, ['entries', 'timeout now']);
  assert.deepEqual(cluster.leaders, [3n]);
  assert.deepEqual(cluster.node(3n).applied, ['x', 'y']);
});

test('Thesis 3.10, step 2: until the target has acknowledged the last entry it is not told to campaign', () => {
  const leader = new Peer(1n).lead();
  leader.raw.transferLeader(3n);
  assert.equal(leader.work().some(isTimeoutNow), false);
  assert.equal(leader.receive(acknowledge(2n, 1, 1)).some(isTimeoutNow), false, 'that is another server');
  assert.equal(leader.receive(acknowledge(3n, 1, 1)).some(isTimeoutNow), true);
});

test('Thesis 3.10, step 3: a target that is up to date is told at once, and campaigns without waiting', () => {
  const cluster = settled();
  const leader = cluster.node(1n);
  leader.raw.transferLeader(3n);
  const [message] = leader.work();
  assert.deepEqual([message?.type, message?.to], [MessageType.MsgTimeoutNow, 3n]);
  const target = cluster.node(3n);
  target.receive(message as Message);
  assert.deepEqual([target.state, target.term], ['StateCandidate', 2]);
});

test('Thesis 3.10: the newer term of the target makes the prior leader step down, and the target leads', () => {
  const cluster = settled();
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  assert.deepEqual(
    cluster.all.map(({ state, term, leader }) => [state, term, leader]),
    [
      ['StateFollower', 2, 3n],
      ['StateFollower', 2, 3n],
      ['StateLeader', 2, 3n],
    ],
  );
  assert.equal(cluster.propose(3n, 'y'), undefined);
  assert.deepEqual(cluster.node(1n).applied, ['x', 'y']);
});

test('Thesis 3.10: a transfer that is not done after an election timeout is given up, and proposals pass again', () => {
  const cluster = settled();
  cluster.crash(3n);
  const leader = cluster.node(1n);
  leader.raw.transferLeader(3n);
  cluster.tick(ELECTION_TICK - 1, [1n]);
  assert.equal(leader.propose('y')?.code, 'raft/proposal-dropped');
  cluster.tick(1, [1n]);
  assert.equal(cluster.propose(1n, 'y'), undefined);
  assert.deepEqual(leader.applied, ['x', 'y']);
});

test('Thesis 3.10: a transfer in whose course another server is elected is over', () => {
  const cluster = settled();
  cluster.filter = isTimeoutNow;
  cluster.node(1n).raw.transferLeader(3n);
  cluster.elect(2n);
  assert.equal(cluster.node(1n).raw.basicStatus().leadTransferee, 0n);
  cluster.elect(1n);
  assert.equal(cluster.propose(1n, 'y'), undefined);
});

test('Thesis 3.10: the request to vote now overrides the lease that servers grant a leader they hear', () => {
  const cluster = settled({ checkQuorum: true });
  cluster.tick();
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  assert.deepEqual(cluster.leaders, [3n]);
  // Without such a request the same campaign comes to nothing.
  const other = settled({ checkQuorum: true });
  other.tick();
  other.campaign(3n);
  assert.deepEqual(other.leaders, [1n]);
});

test('Thesis 3.10: the target asks for no pre-votes, as servers that hear a leader would refuse them', () => {
  const cluster = settled({ preVote: true, checkQuorum: true });
  const asked: number[] = [];
  cluster.filter = ({ type, from }) => {
    if (from === 3n && (type === MessageType.MsgVote || type === MessageType.MsgPreVote)) asked.push(type);
    return false;
  };
  cluster.node(1n).raw.transferLeader(3n);
  cluster.settle();
  assert.deepEqual(asked, [MessageType.MsgVote, MessageType.MsgVote]);
  assert.deepEqual(cluster.leaders, [3n]);
});

test('Thesis 3.10: a transfer to another server takes the place of one that is under way', () => {
  const cluster = settled();
  cluster.crash(3n);
  const leader = cluster.node(1n);
  leader.raw.transferLeader(3n);
  cluster.settle();
  leader.raw.transferLeader(2n);
  cluster.settle();
  assert.deepEqual(cluster.leaders, [2n]);
});

test('Thesis 3.10: asking again for the same target does not give it more time', () => {
  const cluster = settled();
  cluster.crash(3n);
  const leader = cluster.node(1n);
  leader.raw.transferLeader(3n);
  cluster.tick(ELECTION_TICK - 1, [1n]);
  leader.raw.transferLeader(3n);
  cluster.tick(1, [1n]);
  assert.equal(leader.raw.basicStatus().leadTransferee, 0n);
});

test('Thesis 3.10: a transfer to the leader itself, a learner or a stranger does nothing', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(4), learners: [4n] });
  cluster.elect(1n);
  for (const target of [1n, 4n, 9n]) {
    cluster.node(1n).raw.transferLeader(target);
    assert.equal(cluster.propose(1n, `not to ${target}`), undefined);
  }
  assert.deepEqual(cluster.leaders, [1n]);
});

test('Thesis 3.10: a follower passes the wish on to the leader', () => {
  const cluster = settled();
  cluster.node(3n).raw.transferLeader(3n);
  cluster.settle();
  assert.deepEqual(cluster.leaders, [3n]);
});

test('Thesis 3.10: a target that is removed meanwhile ends the transfer', () => {
  const cluster = settled();
  cluster.filter = ({ type }) => type === MessageType.MsgAppResp;
  cluster.change(1n, 'r3');
  cluster.node(1n).raw.transferLeader(3n);
  cluster.release(({ from }) => from === 2n);
  assert.deepEqual(cluster.node(1n).confState.voters, [1n, 2n]);
  assert.equal(cluster.node(1n).raw.basicStatus().leadTransferee, 0n);
  assert.equal(cluster.propose(1n, 'y'), undefined);
});

test('Thesis 3.10: a message to vote now that comes late, from a leader of an older term, does nothing', () => {
  const server = new Peer(3n);
  server.receive(heartbeat(2n, 5));
  assert.deepEqual(server.receive({ type: MessageType.MsgTimeoutNow, from: 1n, term: 4 }), []);
  assert.deepEqual([server.state, server.term], ['StateFollower', 5]);
});

test('Thesis 3.10: a server that may not lead does not campaign, even when told to', () => {
  const learner = new Peer(4n, { learners: [4n] });
  learner.receive(heartbeat(1n, 1));
  learner.receive({ type: MessageType.MsgTimeoutNow, from: 1n, term: 1 });
  assert.deepEqual([learner.state, learner.term], ['StateFollower', 1]);
});
