// Section 8 of the paper, 6.3 and 6.4 of the thesis: clients, and reads that do not go through the log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType } from '../../message.ts';
import { bytesOf, handleReady, textOf } from '../local-cluster.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { acknowledge, ELECTION_TICK, heartbeatAnswer, Peer } from './peer.ts';

const isHeartbeat = ({ type }: Message) => type === MessageType.MsgHeartbeat;
const isConfirmation = ({ type }: Message) => type === MessageType.MsgHeartbeatResp;

/** Server 1 leads and has committed "x" as entry 2. */
function start(servers = 3, init: object = {}): PaperCluster {
  const cluster = new PaperCluster({ logs: emptyLogs(servers), ...init });
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  cluster.tick();
  return cluster;
}

function read(cluster: PaperCluster, id: bigint, name = 'read'): void {
  cluster.node(id).raw.readIndex(bytesOf(name));
  cluster.settle();
}

/** Reads that may be answered, as `name@index`. */
function answered({ reads }: Peer): string[] {
  return reads.map(({ requestContext, index }) => `${textOf(requestContext)}@${index}`);
}

/** A leader of three whose first entry is committed. */
function lead(): Peer {
  const leader = new Peer(1n).lead();
  leader.receive(acknowledge(2n, 1, 1));
  return leader;
}

// Clients.

test('Section 8: a command that reaches a follower is passed on to the leader', () => {
  const cluster = start();
  assert.equal(cluster.propose(3n, 'y'), undefined);
  assert.deepEqual(cluster.node(1n).applied, ['x', 'y']);
});

test('Section 8: without a leader the client is told so at once, and tries another time', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  assert.equal(cluster.propose(1n, 'x')?.code, 'raft/proposal-dropped');
  cluster.filter = ({ type }) => type === MessageType.MsgVote;
  cluster.campaign(1n);
  assert.equal(cluster.propose(1n, 'x')?.code, 'raft/proposal-dropped', 'a candidate is no leader');
});

test('Section 8: a command whose client asks again is executed twice: serial numbers are for the state machine', () => {
  const cluster = start();
  cluster.propose(1n, 'y');
  cluster.propose(1n, 'y');
  assert.deepEqual(cluster.node(1n).applied, ['x', 'y', 'y']);
});

// Reads.

test('Section 8: a leader commits an empty entry at the start of its term, to know what is committed', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 1], 2: [1, 1], 3: [1] } });
  cluster.elect(1n);
  const leader = cluster.node(1n);
  assert.equal(leader.entries().at(-1)?.data.length, 0);
  assert.equal(leader.commit, 3);
});

test('Thesis 6.4, step 1: a read waits until an entry of the term is committed', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 1], 2: [1, 1], 3: [1] } });
  cluster.filter = ({ type }) => type === MessageType.MsgApp;
  cluster.elect(1n);
  read(cluster, 1n);
  cluster.tick();
  assert.deepEqual(answered(cluster.node(1n)), []);
  cluster.release();
  cluster.tick();
  assert.deepEqual(answered(cluster.node(1n)), ['read@3']);
});

test('Thesis 6.4, step 2: the read index is the commit index when the read came, not later', () => {
  const cluster = start();
  cluster.filter = isConfirmation;
  read(cluster, 1n);
  cluster.propose(1n, 'y');
  assert.equal(cluster.node(1n).commit, 3);
  cluster.release();
  assert.deepEqual(answered(cluster.node(1n)), ['read@2']);
});

test('Thesis 6.4, step 3: the leader asks all, and answers when a majority has confirmed that it leads', () => {
  const cluster = start(5);
  const asked: bigint[] = [];
  cluster.filter = (message) => {
    if (isHeartbeat(message)) asked.push(message.to);
    return isConfirmation(message);
  };
  read(cluster, 1n);
  assert.deepEqual(asked, [2n, 3n, 4n, 5n]);
  cluster.filter = () => false;
  cluster.deliver(cluster.held[0] as Message);
  cluster.settle();
  assert.deepEqual(answered(cluster.node(1n)), [], 'it and one other are two of five');
  cluster.deliver(cluster.held[0] as Message);
  cluster.settle();
  assert.deepEqual(answered(cluster.node(1n)), [], 'the same one again');
  cluster.deliver(cluster.held[1] as Message);
  cluster.settle();
  assert.deepEqual(answered(cluster.node(1n)), ['read@2']);
});

test('Thesis 6.4, step 3: a leader that was superseded answers nothing', () => {
  const cluster = start();
  cluster.isolate(1n);
  cluster.elect(2n);
  cluster.propose(2n, 'y');
  read(cluster, 1n);
  cluster.tick(3, [1n]);
  assert.equal(cluster.node(1n).state, 'StateLeader', 'it does not know');
  assert.deepEqual(answered(cluster.node(1n)), []);
  cluster.heal();
  cluster.tick(3);
  assert.deepEqual(answered(cluster.node(1n)), [], 'when it knows, its reads are gone');
});

test('Thesis 6.4, step 3: what confirmed an earlier read confirms no later one', () => {
  const leader = lead();
  const heartbeats = new Map<string, Message>();
  for (const name of ['first', 'second']) {
    leader.raw.readIndex(bytesOf(name));
    const toServer2 = leader.work().find((message) => isHeartbeat(message) && message.to === 2n);
    heartbeats.set(name, toServer2 as Message);
  }
  leader.receive(heartbeatAnswer(2n, 1, heartbeats.get('first')?.context));
  assert.deepEqual(answered(leader), ['first@1']);
  leader.receive(heartbeatAnswer(2n, 1, heartbeats.get('first')?.context));
  assert.deepEqual(answered(leader), ['first@1']);
  leader.receive(heartbeatAnswer(2n, 1, heartbeats.get('second')?.context));
  assert.deepEqual(answered(leader), ['first@1', 'second@1']);
});

test('Thesis 6.4, step 3: each read counts the answers to the heartbeats that were sent for it or later', () => {
  const leader = new Peer(1n, { voters: [1n, 2n, 3n, 4n, 5n] }).lead();
  leader.receive(acknowledge(2n, 1, 1), acknowledge(3n, 1, 1));
  const [first, second] = ['first', 'second'].map((name) => {
    leader.raw.readIndex(bytesOf(name));
    return leader.work().find(isHeartbeat)?.context;
  });
  leader.receive(heartbeatAnswer(2n, 1, first), heartbeatAnswer(3n, 1, second));
  assert.equal(answered(leader).includes('second@1'), false, 'of five, two answered since it came');
  leader.receive(heartbeatAnswer(4n, 1, second));
  assert.deepEqual(answered(leader), ['first@1', 'second@1']);
});

test('Thesis 6.4, step 3: an answer to a plain heartbeat that was under way before the read confirms nothing', () => {
  const leader = lead();
  const [before] = leader.tick();
  leader.raw.readIndex(bytesOf('read'));
  leader.work();
  leader.receive(heartbeatAnswer(2n, 1, before?.context));
  assert.deepEqual(answered(leader), []);
});

test('Thesis 6.4, step 3: an answer that this server gave to a leadership before confirms nothing in this one', () => {
  const leader = lead();
  leader.raw.readIndex(bytesOf('old'));
  const [, old] = leader.work().filter(isHeartbeat);
  // It loses leadership and wins it again, and has as many reads waiting as then.
  leader.receive({ type: MessageType.MsgHeartbeat, from: 3n, term: 2 });
  leader.lead();
  leader.receive(acknowledge(2n, 3, 2));
  leader.raw.readIndex(bytesOf('new'));
  leader.work();
  leader.receive(heartbeatAnswer(3n, 1, old?.context));
  assert.deepEqual(answered(leader), []);
});

test('Thesis 6.4, step 4: the answer names the index that the state machine has to reach before it is read', () => {
  const cluster = start();
  // Server 3 learns of no new commit, so it is behind.
  cluster.filter = ({ type, to }) => to === 3n && (type === MessageType.MsgApp || type === MessageType.MsgHeartbeat);
  cluster.propose(1n, 'y');
  read(cluster, 3n);
  const server = cluster.node(3n);
  assert.deepEqual(answered(server), ['read@3']);
  assert.equal(server.raw.basicStatus().applied, 2);
  cluster.filter = () => false;
  cluster.tick();
  assert.equal(server.raw.basicStatus().applied, 3);
});

test('Thesis 6.4: one round of heartbeats serves all reads that came before it', () => {
  const leader = lead();
  let last: Message | undefined;
  for (const name of ['a', 'b', 'c']) {
    leader.raw.readIndex(bytesOf(name));
    last = leader.work().filter(isHeartbeat).at(0);
  }
  leader.receive(heartbeatAnswer(2n, 1, last?.context));
  assert.deepEqual(answered(leader), ['a@1', 'b@1', 'c@1']);
});

test('Thesis 6.4: where a heartbeat is lost the next one asks again', () => {
  const cluster = start();
  cluster.filter = isHeartbeat;
  read(cluster, 1n);
  assert.deepEqual(answered(cluster.node(1n)), []);
  cluster.filter = () => false;
  cluster.tick(1, [1n]);
  assert.deepEqual(answered(cluster.node(1n)), ['read@2']);
});

test('Thesis 6.4: a follower reads with an index that it gets from the leader, and takes work off it', () => {
  const cluster = start();
  read(cluster, 3n);
  assert.deepEqual(answered(cluster.node(3n)), ['read@2']);
  assert.deepEqual(answered(cluster.node(1n)), []);
});

test('Thesis 6.4: a learner reads in the same way', () => {
  const cluster = start(4, { learners: [4n] });
  read(cluster, 4n);
  assert.deepEqual(answered(cluster.node(4n)), ['read@2']);
});

test('Thesis 6.4: a follower without a leader gets no answer, and may ask again', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  read(cluster, 3n);
  assert.deepEqual(answered(cluster.node(3n)), []);
  cluster.elect(1n);
  read(cluster, 3n);
  assert.deepEqual(answered(cluster.node(3n)), ['read@1']);
});

test('Thesis 6.4: a follower whose leader was superseded gets no answer from it', () => {
  const cluster = start(5);
  cluster.partition([1n, 2n], [3n, 4n, 5n]);
  cluster.elect(3n);
  cluster.propose(3n, 'y');
  read(cluster, 2n);
  cluster.tick(3, [1n]);
  assert.deepEqual(answered(cluster.node(2n)), []);
  read(cluster, 4n);
  assert.deepEqual(answered(cluster.node(4n)), ['read@4']);
});

test('Thesis 6.4: the answers of learners confirm nothing', () => {
  const cluster = start(5, { learners: [4n, 5n] });
  cluster.filter = (message) => isConfirmation(message) && message.from <= 3n;
  read(cluster, 1n);
  assert.deepEqual(answered(cluster.node(1n)), []);
  cluster.release();
  assert.deepEqual(answered(cluster.node(1n)), ['read@2']);
});

test('Thesis 6.4: a server that is alone needs nobody, but its first commit', () => {
  const server = new Peer(1n, { voters: [1n] });
  server.raw.campaign();
  handleReady(server);
  assert.deepEqual([server.state, server.commit], ['StateLeader', 0]);
  server.raw.readIndex(bytesOf('early'));
  assert.equal(server.raw.readyWithoutAccept().readStates.length, 0);
  server.work();
  assert.deepEqual(answered(server), ['early@1']);
});

test('Thesis 6.4: reads that wait when the leadership ends are not answered by a later one', () => {
  const cluster = start();
  cluster.filter = isConfirmation;
  read(cluster, 1n);
  cluster.filter = () => false;
  cluster.elect(2n);
  cluster.elect(1n);
  cluster.tick(ELECTION_TICK);
  assert.deepEqual(answered(cluster.node(1n)), []);
});
