// Sections 5.1, 5.2 and 5.6 of the paper (3.3, 3.4, 3.9 of the thesis): terms, elections, split votes, timing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType } from '../../message.ts';
import type { TraceEvent } from '../../trace.ts';
import { SeededRandom } from '../cluster/seeded-random.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { append, ELECTION_TICK, grantVote, heartbeat, Peer, refuseVote } from './peer.ts';

test('Figure 4: a server changes its role only as drawn there', () => {
  const drawn = new Set([
    'Follower to Follower',
    'Follower to Candidate',
    'Candidate to Candidate',
    'Candidate to Leader',
    'Candidate to Follower',
    'Leader to Follower',
  ]);
  const seen = new Set<string>();
  const optionsOf = () => {
    let role = 'Follower';
    const tracer = ({ name }: TraceEvent) => {
      if (!name.startsWith('Become')) return;
      const next = name.slice('Become'.length);
      seen.add(`${role} to ${next}`);
      role = next;
    };
    return { tracer };
  };
  const random = new SeededRandom(5);
  const cluster = new PaperCluster({ logs: emptyLogs(4), options: { random }, optionsOf });
  // One server after the other is alone for a while, and messages get lost.
  cluster.filter = () => random.chance(0.3);
  for (let round = 0; round < 60; round++) {
    cluster.isolate(BigInt(1 + (round % 4)));
    cluster.tick(4 * ELECTION_TICK);
  }
  assert.deepEqual(seen, drawn);
});

test('Section 5.1: five servers work with two of them lost, and stop with three lost', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5) });
  cluster.elect(1n);
  cluster.crash(4n);
  cluster.crash(5n);
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, ['x']);
  cluster.crash(3n);
  cluster.propose(1n, 'y');
  assert.deepEqual(cluster.node(1n).applied, ['x']);
  cluster.restart(3n);
  cluster.tick();
  assert.deepEqual(cluster.node(1n).applied, ['x', 'y']);
});

test('Section 5.1: terms only grow, also across crashes', () => {
  const server = new Peer(1n);
  const terms: number[] = [];
  for (let i = 0; i < 3; i++) {
    server.campaign();
    server.restart();
    terms.push(server.term);
  }
  assert.deepEqual(terms, [1, 2, 3]);
});

test('Section 5.2: servers begin as followers and stay so while a leader or candidate is heard', () => {
  const server = new Peer(1n);
  assert.equal(server.state, 'StateFollower');
  for (let i = 0; i < 5; i++) {
    server.tick(ELECTION_TICK - 1);
    server.receive(heartbeat(2n, 1));
  }
  assert.deepEqual([server.state, server.term], ['StateFollower', 1]);
});

test('Section 5.2: a winner tells all others at once, and no other election begins', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  assert.deepEqual(
    cluster.all.map(({ leader }) => leader),
    [1n, 1n, 1n],
  );
  cluster.tick(5 * ELECTION_TICK);
  assert.deepEqual(cluster.leaders, [1n]);
  assert.equal(cluster.node(1n).term, 1);
});

test('Section 5.2: a candidate is not impressed by a leader of an older term', () => {
  const server = new Peer(1n, { term: 4 });
  server.campaign();
  server.receive(append(2n, 4), heartbeat(2n, 4));
  assert.deepEqual([server.state, server.term, server.leader], ['StateCandidate', 5, 0n]);
});

test('Section 5.2: a split vote leaves its term without a leader, and the next one decides', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(4) });
  splitVote(cluster, 1n, 2n);
  assert.deepEqual(cluster.leaders, []);
  assert.equal(cluster.node(1n).term, 1);
  cluster.elect(1n);
  assert.equal(cluster.node(4n).term, 2);
});

/** Servers 3 and 4 give their votes to one candidate each. */
function splitVote(cluster: PaperCluster, one: bigint, other: bigint): void {
  cluster.filter = ({ type }) => type === MessageType.MsgVote;
  cluster.campaign(one);
  cluster.campaign(other);
  cluster.held.sort((a, b) => Number(b.from === one && b.to === 3n) - Number(a.from === one && a.to === 3n));
  cluster.release(({ from, to }) => (from === one) === (to === 3n));
}

test('Section 5.2, as etcd does: who lost an election for certain is a follower again, and waits for the next timeout', () => {
  const server = new Peer(1n);
  server.campaign();
  server.receive(refuseVote(2n, 1), refuseVote(3n, 1));
  assert.deepEqual([server.state, server.term, server.leader], ['StateFollower', 1, 0n]);
});

test('Section 5.2: votes of an earlier election do not count in the next one', () => {
  const server = new Peer(1n, { voters: [1n, 2n, 3n, 4n, 5n] });
  server.campaign();
  server.receive(grantVote(2n, 1));
  server.tick(ELECTION_TICK);
  server.receive(grantVote(3n, 1), grantVote(4n, 2));
  assert.equal(server.state, 'StateCandidate', 'one vote of term 2 besides the own');
  server.receive(grantVote(5n, 2));
  assert.equal(server.state, 'StateLeader');
});

test('Section 5.2: equal timeouts split the vote again and again', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(2) });
  for (let term = 1; term <= 5; term++) {
    for (let i = 0; i < ELECTION_TICK; i++) for (const node of cluster.all) node.raw.tick();
    cluster.settle();
    assert.deepEqual(cluster.leaders, []);
    assert.equal(cluster.node(1n).term, term);
  }
});

test('Section 5.2: with timeouts that differ one server is first, and has won before the others begin', () => {
  const drawn: Record<number, number> = { 1: 5, 2: 2, 3: 8 };
  const optionsOf = (id: bigint) => ({ random: () => fractionOf(drawn[Number(id)] ?? 0) });
  const cluster = new PaperCluster({ logs: emptyLogs(3), optionsOf });
  cluster.tick(ELECTION_TICK + 2);
  assert.deepEqual(cluster.leaders, [2n]);
  cluster.tick(2 * ELECTION_TICK);
  assert.deepEqual(cluster.leaders, [2n]);
  assert.equal(cluster.node(2n).term, 1);
});

/** What the random source must say so that a timeout of the minimum and so many ticks is drawn. */
function fractionOf(ticks: number): number {
  return Math.ceil((ticks / ELECTION_TICK) * 2 ** 32);
}

test('Section 5.2: timeouts are drawn from one to two times the election timeout, all of them', () => {
  const random = new SeededRandom(1);
  const drawn = new Set<number>();
  for (let i = 0; i < 500; i++) drawn.add(ticksUntilElection(new Peer(1n, { options: { random } })));
  const expected = Array.from({ length: ELECTION_TICK }, (_, i) => ELECTION_TICK + i);
  assert.deepEqual(
    [...drawn].sort((a, b) => a - b),
    expected,
  );
});

function ticksUntilElection(server: Peer): number {
  const { term } = server;
  let ticks = 0;
  for (; server.term === term; ticks++) server.tick();
  return ticks;
}

test('Section 5.2: each election draws a timeout of its own', () => {
  const draws = [3, 7, 0, 9];
  const server = new Peer(1n, { options: { random: () => fractionOf(draws.shift() ?? 0) } });
  const ticks = [1, 2, 3, 4].map(() => ticksUntilElection(server));
  assert.deepEqual(ticks, [13, 17, 10, 19]);
});

test('Section 5.6: while heartbeats travel much faster than the election timeout, a leader stays', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5), options: { random: new SeededRandom(7) } });
  cluster.elect(3n);
  // Every second round of them is lost.
  for (let round = 0; round < 50 * ELECTION_TICK; round++) {
    cluster.filter = () => round % 2 === 0;
    cluster.tick();
  }
  assert.deepEqual(cluster.leaders, [3n]);
  assert.equal(cluster.node(3n).term, 1);
});

test('Section 5.6: after a crash of the leader the cluster is without one for about an election timeout', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5), options: { random: new SeededRandom(7) } });
  cluster.elect(3n);
  cluster.crash(3n);
  cluster.tick(ELECTION_TICK - 1);
  assert.deepEqual(cluster.leaders, []);
  cluster.tick(ELECTION_TICK);
  assert.equal(cluster.leaders.length, 1);
});

test('Section 5.6: safety does not depend on timing: with round trips longer than most timeouts leaders change, but no term has two', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3), options: { random: new SeededRandom(3) } });
  const leaderOfTerm = new Map<number, bigint>();
  const late: { readonly due: number; readonly message: Message }[] = [];
  let now = 0;
  cluster.filter = (message) => {
    late.push({ due: now + ELECTION_TICK - 2, message });
    return true;
  };
  for (; now < 1000; now++) {
    for (; late[0] !== undefined && late[0].due <= now; late.shift()) {
      cluster.node(late[0].message.to).raw.step(late[0].message);
    }
    cluster.tick();
    for (const { id, term } of cluster.all.filter(({ state }) => state === 'StateLeader')) {
      assert.equal(leaderOfTerm.get(term) ?? id, id, `two leaders in term ${term}`);
      leaderOfTerm.set(term, id);
    }
  }
  assert.ok(leaderOfTerm.size > 3, `${leaderOfTerm.size} terms had a leader`);
  assert.ok(cluster.node(1n).term > 2 * leaderOfTerm.size, 'most elections failed');
});
