// Sections 4.1, 4.2 and 4.4 of the thesis: changes of one server at a time, and the bug in them that was found in 2015.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfChangeType, createConfChange } from '../../conf-change.ts';
import { encodeAnyConfChange } from '../../conf-change-codec.ts';
import { createEntry, EntryType } from '../../entry.ts';
import { MessageType } from '../../message.ts';
import { type JointVoters, jointVoteResult } from '../../quorum/joint.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { acknowledge, append, ELECTION_TICK, grantVote, heartbeat, Peer, requestVote } from './peer.ts';

/** Server 1 leads 1, 2 and 3; further servers are there, but not in the configuration. */
function start(servers: number, options: object = {}): PaperCluster {
  const cluster = new PaperCluster({ logs: emptyLogs(servers), voters: [1n, 2n, 3n], options });
  cluster.elect(1n);
  return cluster;
}

const kindsOf = (server: Peer) => server.entries().map(({ type }) => type);

test('Thesis 4.1: majorities before and after the change of one server always share a server', () => {
  for (let size = 1; size <= 6; size++) {
    const before = voters(size);
    const after = voters(size + 1);
    for (let bits = 0; bits < 2 ** (size + 1); bits++) {
      const isIn = (id: bigint) => (bits & (1 << Number(id))) !== 0;
      const yes = jointVoteResult(before, isIn);
      const no = jointVoteResult(after, (id) => !isIn(id));
      assert.ok(yes !== 'VoteWon' || no !== 'VoteWon', `disjoint majorities of ${size} and ${size + 1}`);
    }
  }
});

function voters(count: number): JointVoters {
  return { incoming: new Set(Array.from({ length: count }, (_, i) => BigInt(i))), outgoing: new Set() };
}

test('Thesis 4.1: the next change begins only when the one before is committed', () => {
  const cluster = start(5);
  cluster.filter = ({ type }) => type === MessageType.MsgAppResp;
  cluster.change(1n, 'v4');
  cluster.change(1n, 'v5');
  assert.deepEqual(
    kindsOf(cluster.node(1n)),
    [EntryType.Normal, EntryType.ConfChangeV2, EntryType.Normal],
    'an empty entry takes the place of the second',
  );
  cluster.release();
  cluster.change(1n, 'v5');
  assert.deepEqual(cluster.node(1n).confState.voters, [1n, 2n, 3n, 4n, 5n]);
});

test('Thesis 4.1, as etcd does: a change counts from when it is applied, not from when it is in the log', () => {
  const cluster = start(4);
  cluster.filter = ({ type }) => type === MessageType.MsgAppResp;
  cluster.change(1n, 'v4');
  assert.deepEqual(kindsOf(cluster.node(2n)), [EntryType.Normal, EntryType.ConfChangeV2]);
  assert.deepEqual(cluster.node(4n).log, [], 'the new server gets nothing before that');
  cluster.release(({ from }) => from === 2n);
  assert.deepEqual(cluster.node(4n).log, [1, 1], 'two of the three old servers were enough');
});

test('Thesis 4.1, as etcd does: a change that is overwritten in the log never counted, so that nothing is taken back', () => {
  const cluster = start(4);
  cluster.isolate(1n);
  cluster.change(1n, 'v4');
  assert.deepEqual(cluster.node(1n).raw.status().config.incoming, new Set([1n, 2n, 3n]));
  cluster.elect(2n);
  cluster.heal();
  cluster.tick(2);
  assert.deepEqual(kindsOf(cluster.node(1n)), [EntryType.Normal, EntryType.Normal]);
  assert.deepEqual(cluster.node(1n).confState.voters, [1n, 2n, 3n]);
});

test('Thesis 4.1: a server follows leaders and votes for candidates that its configuration does not know', () => {
  const server = new Peer(2n, { voters: [1n, 2n] });
  assert.equal(server.receive(append(9n, 1, { terms: [1] }))[0]?.reject, false);
  assert.equal(server.receive(requestVote(8n, 2, { index: 1, term: 1 }))[0]?.reject, false);
});

// The bug of 2015. Servers 1 to 4. Server 1 begins to add 5; then server 2, as the next leader, begins to remove 1; then 1
// leads again. By the rules of the thesis both could decide without the other: 2 with 3, and 1 with 4 and 5.

test('Thesis 4.1, the bug of 2015: two leaders, each with a change of its own, never decide without each other', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5), voters: [1n, 2n, 3n, 4n] });
  cluster.elect(1n);
  cluster.tick();
  cluster.isolate(1n);
  cluster.change(1n, 'v5');
  assert.equal(kindsOf(cluster.node(1n)).at(-1), EntryType.ConfChangeV2);
  cluster.partition([2n, 3n, 4n]);
  cluster.filter = ({ type, to }) => type === MessageType.MsgApp && to === 4n;
  cluster.elect(2n);
  cluster.change(2n, 'r1');
  assert.equal(kindsOf(cluster.node(3n)).at(-1), EntryType.ConfChangeV2);
  assert.deepEqual(cluster.node(2n).confState.voters, [1n, 2n, 3n, 4n], '2 and 3 do not remove 1 by themselves');
  cluster.crash(1n);
  cluster.restart(1n);
  cluster.partition([1n, 4n, 5n]);
  for (let attempt = 0; attempt < 3; attempt++) cluster.campaign(1n);
  assert.equal(cluster.node(4n).vote, 1n);
  assert.notEqual(cluster.node(1n).state, 'StateLeader', 'the vote of 5 does not count before it is added');
});

test('Thesis 4.1, the bug of 2015: a new leader makes no change before it has committed and applied what it found in its log', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 1], 2: [1, 1], 3: [1, 1] } });
  cluster.filter = ({ type }) => type === MessageType.MsgAppResp;
  cluster.elect(1n);
  cluster.change(1n, 'l4');
  assert.deepEqual(kindsOf(cluster.node(1n)), Array(4).fill(EntryType.Normal), 'it is refused');
  cluster.release();
  cluster.change(1n, 'l4');
  assert.deepEqual(cluster.node(1n).confState.learners, [4n]);
});

test('Thesis 4.1, the bug of 2015, as etcd does: with nothing left to apply the change may follow the first entry of the term at once', () => {
  const leader = new Peer(1n, { log: [1, 1], commit: 2 });
  leader.work();
  leader.lead();
  leader.raw.proposeConfChange(createConfChange({ type: ConfChangeType.AddNode, nodeId: 4n }));
  leader.work();
  assert.deepEqual(kindsOf(leader).slice(2), [EntryType.Normal, EntryType.ConfChange]);
  assert.deepEqual(leader.confState.voters, [1n, 2n, 3n]);
  // It counts only when it is committed, and so is the first entry then.
  leader.receive(acknowledge(2n, 2, 4));
  assert.deepEqual(leader.confState.voters, [1n, 2n, 3n, 4n]);
});

test('Thesis 4.1, as etcd does: with a committed change that is not applied yet a server calls no election', () => {
  const { type, data } = encodeAnyConfChange(createConfChange({ type: ConfChangeType.AddNode, nodeId: 4n }));
  const entries = [createEntry(1, 1, type ?? EntryType.ConfChange, data ?? new Uint8Array(0))];
  const server = new Peer(2n);
  server.raw.step({ ...append(1n, 1, { commit: 1 }), entries });
  server.raw.campaign();
  assert.equal(server.state, 'StateFollower');
  server.work();
  server.raw.campaign();
  assert.equal(server.state, 'StateCandidate');
  assert.deepEqual(
    server.work().map(({ to }) => to),
    [1n, 3n, 4n],
  );
});

test('Thesis 4.1, as etcd does: who receives a change learns with it that the one before is committed', () => {
  const cluster = start(5);
  cluster.change(1n, 'v4');
  cluster.tick();
  const commits: number[] = [];
  cluster.filter = ({ entries, commit }) => {
    if (entries.some(({ type }) => type !== EntryType.Normal)) commits.push(commit);
    return false;
  };
  cluster.change(1n, 'r3');
  assert.ok(commits.length >= 3);
  for (const commit of commits) assert.ok(commit >= 2, 'the change to four servers is entry 2');
});

test('Thesis 4.2.1: a new voter with an empty log can leave a cluster without a majority until it has caught up', () => {
  const cluster = start(4);
  cluster.crash(3n);
  cluster.filter = ({ to }) => to === 4n;
  cluster.change(1n, 'v4');
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, []);
  cluster.filter = () => false;
  cluster.tick();
  assert.deepEqual(cluster.node(1n).applied, ['x']);
});

test('Thesis 4.2.1: a learner catches up first, and counts for no majority until it is made a voter', () => {
  const cluster = start(4);
  cluster.crash(3n);
  cluster.filter = ({ to }) => to === 4n;
  cluster.change(1n, 'l4');
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, ['x']);
  cluster.filter = () => false;
  cluster.tick(2);
  assert.deepEqual(cluster.node(4n).applied, ['x']);
  cluster.change(1n, 'v4');
  assert.deepEqual(cluster.node(1n).confState.voters, [1n, 2n, 3n, 4n]);
});

test('Thesis 4.2.1: the acknowledgements of learners commit nothing', () => {
  const leader = new Peer(1n, { learners: [4n, 5n] }).lead();
  leader.receive(acknowledge(4n, 1, 1), acknowledge(5n, 1, 1));
  assert.equal(leader.commit, 0);
  leader.receive(acknowledge(2n, 1, 1));
  assert.equal(leader.commit, 1);
});

test('Thesis 4.2.1, as etcd does: when a learner has caught up enough is for the application to see and say', () => {
  const cluster = start(4);
  cluster.change(1n, 'l4');
  cluster.propose(1n, 'x');
  const { match, isLearner } = cluster.node(1n).progress(4n);
  assert.deepEqual([match, isLearner], [3, true]);
  cluster.tick(5 * ELECTION_TICK);
  assert.equal(cluster.node(1n).progress(4n).isLearner, true, 'it stays one');
});

test('Thesis 4.2.1, as etcd does: a learner votes when it is asked, as it may have become a voter without knowing', () => {
  const learner = new Peer(4n, { learners: [4n] });
  assert.equal(learner.receive(requestVote(1n, 1))[0]?.reject, false);
});

test('Thesis 4.2.1: a learner is not asked for its vote, nor does it count', () => {
  const candidate = new Peer(1n, { learners: [4n, 5n] });
  assert.deepEqual(
    candidate.campaign().map(({ to }) => to),
    [2n, 3n],
  );
  candidate.receive(grantVote(4n, 1), grantVote(5n, 1));
  assert.equal(candidate.state, 'StateCandidate');
});

test('Thesis 4.2.1: a learner calls no election', () => {
  const learner = new Peer(4n, { learners: [4n] });
  learner.tick(5 * ELECTION_TICK);
  learner.campaign();
  assert.deepEqual([learner.state, learner.term], ['StateFollower', 0]);
});

test('Thesis 4.2.2: a leader that is being removed does not count itself any more, from when that is in force', () => {
  const cluster = start(3);
  cluster.filter = ({ type, from, index }) => type === MessageType.MsgAppResp && (from === 3n || index > 2);
  cluster.node(1n).raw.proposeConfChange(createConfChange({ type: ConfChangeType.RemoveNode, nodeId: 1n }));
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).confState.voters, [2n, 3n]);
  cluster.release(({ from, index }) => from === 2n && index === 3);
  assert.deepEqual(cluster.node(1n).applied, [], '1 and 2 hold it, but only 2 and 3 count');
  cluster.tick();
  assert.deepEqual(cluster.node(1n).applied, ['x']);
});

test('Thesis 4.2.2: a leader that was removed steps down once that is committed and applied', () => {
  const cluster = start(3, { stepDownOnRemoval: true });
  cluster.change(1n, 'r1');
  assert.deepEqual(cluster.leaders, []);
  cluster.tick(ELECTION_TICK, [1n, 2n]);
  assert.deepEqual(cluster.leaders, [2n]);
  assert.equal(cluster.node(1n).term, 1, 'who is not in the configuration calls no election');
});

test('Thesis 4.2.2, as etcd does: by default it stays, takes no proposals, and ends when another is elected', () => {
  const cluster = start(3);
  cluster.change(1n, 'r1');
  assert.deepEqual(cluster.leaders, [1n]);
  assert.equal(cluster.propose(1n, 'x')?.code, 'raft/proposal-dropped');
  cluster.elect(2n);
  cluster.propose(2n, 'y');
  assert.deepEqual(cluster.node(3n).applied, ['y']);
});

test('Thesis 4.2.2: a removed server gets nothing more', () => {
  const cluster = start(3);
  cluster.change(1n, 'r3');
  cluster.propose(1n, 'x');
  cluster.tick();
  assert.deepEqual(cluster.node(2n).applied, ['x']);
  assert.equal(cluster.node(3n).log.length, 2);
});

test('Thesis 4.4: a cluster begins with one server whose first entry is its configuration, and grows by changes', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3), voters: [] });
  const first = cluster.node(1n);
  first.raw.bootstrap([{ id: 1n }]);
  first.work();
  assert.deepEqual(kindsOf(first), [EntryType.ConfChange]);
  cluster.elect(1n);
  cluster.change(1n, 'v2');
  cluster.change(1n, 'v3');
  cluster.propose(1n, 'x');
  cluster.tick();
  for (const server of cluster.all) {
    assert.deepEqual(server.confState.voters, [1n, 2n, 3n]);
    assert.deepEqual(server.applied, ['x']);
  }
});

test('Thesis 4.4: a server that nobody has added waits, and disturbs nobody', () => {
  const server = new Peer(9n, { voters: [] });
  assert.deepEqual(server.tick(5 * ELECTION_TICK), []);
  server.receive(heartbeat(1n, 3));
  assert.deepEqual([server.state, server.term, server.leader], ['StateFollower', 3, 1n]);
});
