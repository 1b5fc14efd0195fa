// Section 9.6 of the thesis (PreVote), 4.2.3 and 6.2 (the checks on the lease and on the quorum, CheckQuorum here): who is cut
// off or removed must not unseat a leader that works.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, type MessageInit, MessageType } from '../../message.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import {
  append,
  ELECTION_TICK,
  grantVote,
  heartbeat,
  heartbeatAnswer,
  Peer,
  type Position,
  requestVote,
} from './peer.ts';

const preVote = { preVote: true };
const checkQuorum = { checkQuorum: true };
const both = { ...preVote, ...checkQuorum };

function requestPreVote(from: bigint, term: number, last?: Position): MessageInit {
  return { ...requestVote(from, term, last), type: MessageType.MsgPreVote };
}

function answerPreVote(from: bigint, term: number, reject: boolean): MessageInit {
  return { type: MessageType.MsgPreVoteResp, from, term, reject };
}

/** Server 1 leads, the logs are the same, and then server 3 is alone for a long time. */
function cutOff(options: object): PaperCluster {
  const cluster = new PaperCluster({ logs: emptyLogs(3), options });
  cluster.elect(1n);
  cluster.tick();
  cluster.isolate(3n);
  cluster.tick(5 * ELECTION_TICK);
  return cluster;
}

// Without them.

test('Thesis 9.6: without PreVote a server that was cut off comes back with a newer term and unseats the leader', () => {
  const cluster = cutOff({});
  assert.equal(cluster.node(3n).term, 6);
  cluster.heal();
  cluster.tick(ELECTION_TICK);
  assert.ok(cluster.node(1n).term > 6, 'with its next vote request');
});

test('Thesis 4.2.3: without the check on the lease a removed server unseats leaders again and again', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(4) });
  cluster.elect(1n);
  cluster.filter = ({ to, commit }) => to === 4n && commit > 1;
  cluster.change(1n, 'r4');
  assert.equal(cluster.node(1n).confState.voters.length, 3);
  cluster.tick(ELECTION_TICK + 1);
  assert.ok(cluster.node(1n).term > 1, 'the vote requests of server 4 are heard');
});

// PreVote.

test('Thesis 9.6: a server that is cut off does not raise its term', () => {
  const server = cutOff(preVote).node(3n);
  assert.deepEqual([server.state, server.term], ['StatePreCandidate', 1]);
});

test('Thesis 9.6: when it is back it follows the leader, who stays', () => {
  const cluster = cutOff(preVote);
  cluster.heal();
  cluster.propose(1n, 'x');
  cluster.tick(2);
  assert.deepEqual([cluster.leaders, cluster.node(3n).term, cluster.node(3n).leader], [[1n], 1, 1n]);
  assert.deepEqual(cluster.node(3n).applied, ['x']);
});

test('Thesis 9.6: a minority of several does not raise its term either, and comes back', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5), options: preVote });
  cluster.elect(1n);
  cluster.partition([1n, 2n, 3n], [4n, 5n]);
  cluster.tick(5 * ELECTION_TICK);
  assert.deepEqual([cluster.node(4n).term, cluster.node(5n).term], [1, 1]);
  cluster.heal();
  cluster.propose(1n, 'x');
  cluster.tick(2);
  assert.deepEqual(cluster.leaders, [1n]);
  assert.deepEqual([cluster.node(4n).applied, cluster.node(5n).applied], [['x'], ['x']]);
});

test('Thesis 9.6: a pre-vote asks about the next term, and changes neither term nor vote on either side', () => {
  const asking = new Peer(1n, { term: 4, vote: 2n, options: preVote });
  const [request] = asking.campaign();
  assert.deepEqual([request?.type, request?.term], [MessageType.MsgPreVote, 5]);
  assert.deepEqual([asking.term, asking.vote], [4, 2n]);
  const asked = new Peer(2n, { term: 4, vote: 3n, options: preVote });
  const [answer] = asked.receive(request as Message);
  assert.deepEqual([answer?.type, answer?.reject, answer?.term], [MessageType.MsgPreVoteResp, false, 5]);
  assert.deepEqual([asked.term, asked.vote], [4, 3n]);
});

test('Thesis 9.6: a pre-vote binds to nothing, so that several may have it', () => {
  const server = new Peer(1n, { options: preVote });
  assert.equal(server.receive(requestPreVote(2n, 1))[0]?.reject, false);
  assert.equal(server.receive(requestPreVote(3n, 1))[0]?.reject, false);
});

test('Thesis 9.6: a pre-vote does not put off the election of who gives it', () => {
  const server = new Peer(1n, { options: preVote });
  server.tick(ELECTION_TICK - 1);
  server.receive(requestPreVote(2n, 1));
  server.tick();
  assert.equal(server.state, 'StatePreCandidate');
});

test('Thesis 9.6: a server whose log is behind gets no pre-vote', () => {
  const server = new Peer(1n, { log: [1, 2], options: preVote });
  assert.equal(server.receive(requestPreVote(2n, 3, { index: 5, term: 1 }))[0]?.reject, true);
  assert.equal(server.receive(requestPreVote(2n, 3, { index: 2, term: 2 }))[0]?.reject, false);
});

test('Thesis 9.6: with the pre-votes of a majority the election itself begins, in a new term', () => {
  const server = new Peer(1n, { term: 4, options: preVote });
  server.campaign();
  const [request] = server.receive(answerPreVote(2n, 5, false));
  assert.deepEqual([server.state, server.term, server.vote], ['StateCandidate', 5, 1n]);
  assert.deepEqual([request?.type, request?.term], [MessageType.MsgVote, 5]);
});

test('Thesis 9.6: pre-votes do not elect: votes are counted anew', () => {
  const server = new Peer(1n, { options: preVote });
  server.campaign();
  server.receive(answerPreVote(2n, 1, false), answerPreVote(3n, 1, false));
  assert.equal(server.state, 'StateCandidate');
  server.receive(grantVote(3n, 1));
  assert.equal(server.state, 'StateLeader');
});

test('Thesis 9.6: refused by a majority it is a follower of its old term again', () => {
  const server = new Peer(1n, { term: 4, options: preVote });
  server.campaign();
  server.receive(answerPreVote(2n, 4, true), answerPreVote(3n, 4, true));
  assert.deepEqual([server.state, server.term], ['StateFollower', 4]);
});

test('Thesis 9.6: a refusal that bears a newer term is believed', () => {
  const server = new Peer(1n, { term: 4, options: preVote });
  server.campaign();
  server.receive(answerPreVote(2n, 9, true));
  assert.deepEqual([server.state, server.term], ['StateFollower', 9]);
});

test('Thesis 9.6: word of the leader ends a pre-election', () => {
  const server = new Peer(1n, { term: 4, options: preVote });
  server.campaign();
  server.receive(heartbeat(3n, 4));
  assert.deepEqual([server.state, server.leader], ['StateFollower', 3n]);
});

test('Thesis 9.6, as etcd does: that a leader is heard is no reason to refuse a pre-vote, unless there is CheckQuorum', () => {
  const answersOf = (options: object) => {
    const server = new Peer(1n, { term: 1, options });
    server.receive(heartbeat(2n, 1));
    return server.receive(requestPreVote(3n, 2)).map(({ reject }) => reject);
  };
  assert.deepEqual(answersOf(preVote), [false]);
  assert.deepEqual(answersOf(both), [], 'no answer at all');
});

test('Thesis 9.6, as etcd does: who asks with an old term is told the new one, lest it ask for ever', () => {
  const server = new Peer(1n, { term: 5, options: preVote });
  const [answer] = server.receive(requestPreVote(2n, 3));
  assert.deepEqual([answer?.reject, answer?.term], [true, 5]);
});

// The check on the lease.

test('Thesis 4.2.3: who hears a leader takes no vote request up, nor its term, for an election timeout', () => {
  const server = new Peer(2n, { options: checkQuorum });
  server.receive(heartbeat(1n, 1));
  server.tick(ELECTION_TICK - 1);
  assert.deepEqual(server.receive(requestVote(3n, 7)), []);
  assert.deepEqual([server.term, server.leader], [1, 1n]);
});

test('Thesis 4.2.3: after an election timeout without word of the leader it votes', () => {
  const server = new Peer(2n, { options: { ...checkQuorum, random: () => 2 ** 31 } });
  server.receive(heartbeat(1n, 1));
  server.tick(ELECTION_TICK);
  assert.equal(server.state, 'StateFollower', 'its own timeout is longer');
  assert.equal(server.receive(requestVote(3n, 7))[0]?.reject, false);
});

test('Thesis 4.2.3: a leader that hears its followers takes no vote request up either', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3), options: checkQuorum });
  const leader = cluster.elect(1n);
  assert.deepEqual(leader.receive(requestVote(3n, 7, { index: 9, term: 7 })), []);
  assert.equal(leader.state, 'StateLeader');
});

test('Thesis 4.2.3: with the check a removed server that does not know of it disturbs nobody', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(4), options: checkQuorum });
  cluster.elect(1n);
  cluster.filter = ({ to, commit }) => to === 4n && commit > 1;
  cluster.change(1n, 'r4');
  cluster.tick(20 * ELECTION_TICK);
  assert.deepEqual([cluster.leaders, cluster.node(1n).term], [[1n], 1]);
  assert.ok(cluster.node(4n).term > 10);
});

test('Thesis 4.2.3: the log alone does not tell who disturbs: PreVote without the check lets a removed server through', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(4), options: preVote });
  cluster.elect(1n);
  cluster.filter = ({ to, commit }) => to === 4n && commit > 1;
  cluster.change(1n, 'r4');
  cluster.tick(2 * ELECTION_TICK);
  assert.ok(cluster.node(1n).term > 1, 'its log has all entries, so it gets the pre-votes');
});

// The check on the quorum.

test('Thesis 6.2: a leader that hears of no majority for an election timeout steps down', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3), options: checkQuorum });
  const leader = cluster.elect(1n);
  cluster.isolate(1n);
  // As etcd does, it looks once in an election timeout whether it heard of them since it looked last.
  cluster.tick(2 * ELECTION_TICK, [1n]);
  assert.deepEqual([leader.state, leader.leader], ['StateFollower', 0n]);
  assert.equal(leader.propose('x')?.code, 'raft/proposal-dropped', 'clients need not wait for it');
});

test('Thesis 6.2: a leader that hears of a majority stays, whatever the others do', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5), options: checkQuorum });
  cluster.elect(1n);
  cluster.crash(4n);
  cluster.crash(5n);
  cluster.tick(10 * ELECTION_TICK);
  assert.deepEqual(cluster.leaders, [1n]);
});

test('Thesis 6.2: any answer shows that a server is there, also a refusal', () => {
  const leader = new Peer(1n, { log: [1], options: checkQuorum }).lead();
  for (let i = 0; i < 4; i++) {
    leader.tick(ELECTION_TICK - 1);
    leader.receive({ type: MessageType.MsgAppResp, from: 3n, term: 2, index: 1, reject: true });
    leader.tick();
  }
  assert.equal(leader.state, 'StateLeader');
});

// All together.

test('Thesis 9.6, with CheckQuorum: a server that was cut off comes back and disturbs nobody', () => {
  const cluster = cutOff(both);
  cluster.heal();
  cluster.tick(3 * ELECTION_TICK);
  assert.deepEqual([cluster.leaders, cluster.node(3n).term, cluster.node(3n).leader], [[1n], 1, 1n]);
});

test('Thesis 9.6, with CheckQuorum: a leader that is cut off steps down, and the others elect another', () => {
  const cluster = new PaperCluster({
    logs: emptyLogs(3),
    options: both,
    optionsOf: (id) => ({ random: () => Number(id) << 29 }),
  });
  cluster.elect(1n);
  cluster.isolate(1n);
  cluster.tick(3 * ELECTION_TICK);
  assert.deepEqual(cluster.leaders, [2n]);
  cluster.heal();
  cluster.tick(2);
  assert.deepEqual([cluster.node(1n).state, cluster.node(1n).leader], ['StateFollower', 2n]);
});

test('Thesis 9.6, as etcd does: where a server has a newer term for all that, the leader is told, steps down, and one of that term follows', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3), terms: { 3: 5 }, options: both });
  cluster.partition([1n, 2n]);
  cluster.elect(1n);
  assert.equal(cluster.node(1n).term, 1);
  cluster.heal();
  cluster.tick();
  assert.deepEqual([cluster.leaders, cluster.node(1n).term], [[], 5]);
  cluster.tick(ELECTION_TICK);
  cluster.tick(ELECTION_TICK);
  assert.equal(cluster.leaders.length, 1);
  assert.ok(cluster.node(3n).leader !== 0n);
});

test('Thesis 9.6: answers to pre-votes that come after the election began count for nothing', () => {
  const server = new Peer(1n, { voters: [1n, 2n, 3n, 4n, 5n], options: preVote });
  server.campaign();
  server.receive(answerPreVote(2n, 1, false), answerPreVote(3n, 1, false));
  server.receive(answerPreVote(4n, 1, false), answerPreVote(5n, 1, false));
  assert.equal(server.state, 'StateCandidate');
});

test('Thesis 9.6: an append of the leader that a cut-off server missed is taken in the same term', () => {
  const server = new Peer(1n, { options: preVote });
  server.receive(append(2n, 1, { terms: [1] }));
  server.tick(ELECTION_TICK);
  assert.equal(server.state, 'StatePreCandidate');
  const [answer] = server.receive(append(2n, 1, { previous: { index: 1, term: 1 }, terms: [1] }));
  assert.deepEqual([answer?.reject, server.state, server.leader], [false, 'StateFollower', 2n]);
});

test('Thesis 6.2: learners do not make up for voters that are not heard', () => {
  const leader = new Peer(1n, { learners: [4n, 5n], options: checkQuorum }).lead();
  leader.receive(heartbeatAnswer(2n, 1));
  leader.tick(ELECTION_TICK);
  assert.equal(leader.state, 'StateLeader');
  leader.receive(heartbeatAnswer(4n, 1), heartbeatAnswer(5n, 1));
  leader.tick(ELECTION_TICK);
  assert.equal(leader.state, 'StateFollower');
});
