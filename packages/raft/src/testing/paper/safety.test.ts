// The properties of figure 3, and section 5.4: what makes them hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageType } from '../../message.ts';
import { assertLogsMatch } from './log-matching.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { append, Peer, type Position, requestVote } from './peer.ts';

/** All subsets of the ids. */
function subsets(ids: readonly bigint[]): bigint[][] {
  const all: bigint[][] = [[]];
  for (const id of ids) all.push(...all.map((subset) => [...subset, id]));
  return all;
}

test('Figure 3, Election Safety: whoever the voters hear first, two candidates of a term never both win', () => {
  for (const firstHears1 of subsets([3n, 4n, 5n])) {
    const cluster = new PaperCluster({ logs: emptyLogs(5) });
    cluster.filter = ({ type }) => type === MessageType.MsgVote;
    cluster.campaign(1n);
    cluster.campaign(2n);
    const requests = cluster.held.splice(0);
    cluster.filter = () => false;
    const isFirst = (from: bigint, to: bigint) => (from === 1n) === firstHears1.includes(to);
    for (const request of requests) if (isFirst(request.from, request.to)) cluster.deliver(request);
    for (const request of requests) if (!isFirst(request.from, request.to)) cluster.deliver(request);
    cluster.settle();
    assert.deepEqual(cluster.leaders, [firstHears1.length >= 2 ? 1n : 2n]);
    assert.equal(cluster.node(1n).term, 1);
  }
});

test('Figure 3, Leader Append-Only: a leader neither overwrites nor deletes, whatever it is sent in its term', () => {
  const leader = new Peer(1n, { log: [1, 1] }).lead();
  leader.receive(append(2n, 2, { previous: { index: 1, term: 1 }, terms: [2, 2] }));
  leader.receive(append(2n, 2, { previous: { index: 3, term: 2 }, terms: [2] }));
  assert.deepEqual(leader.log, [1, 1, 2]);
});

test('Figure 3, Leader Append-Only: what a leader has in its log it keeps while it brings the others to it', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 3], 2: [1, 2, 2, 2], 3: [] }, terms: { 1: 3, 2: 3, 3: 3 } });
  const before = cluster.node(1n).entries();
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).entries().slice(0, 2), before);
});

test('Figure 3, Log Matching: an entry is accepted only behind the same log, so that all before it is the same', () => {
  const logs = { 1: [1, 1, 4, 4, 6], 2: [1, 2, 2, 2, 3, 3, 3], 3: [1, 1, 4, 5, 5], 4: [1], 5: [1, 1, 4, 4] };
  const terms = { 1: 6, 2: 6, 3: 6, 4: 6, 5: 6 };
  const cluster = new PaperCluster({ logs, terms, options: { maxSizePerMsg: 0 } });
  let compared = 0;
  cluster.filter = () => {
    assertLogsMatch(cluster.all);
    compared++;
    return false;
  };
  cluster.elect(1n);
  assert.ok(compared > 20, 'compared after each of many messages');
  for (const server of cluster.all) assert.deepEqual(server.log, [1, 1, 4, 4, 6, 7]);
});

test('Figure 3, Leader Completeness: only who has all that is committed can be elected, whoever votes', () => {
  // Entry 2 of term 2 is committed on 1, 2 and 3; server 5 has a longer log of older entries.
  const logs = { 1: [1, 2], 2: [1, 2], 3: [1, 2], 4: [1], 5: [1, 1, 1] };
  const terms = { 1: 2, 2: 2, 3: 2, 4: 2, 5: 2 };
  for (const candidate of [1n, 2n, 3n, 4n, 5n]) {
    for (const present of subsets([1n, 2n, 3n, 4n, 5n])) {
      if (!present.includes(candidate)) continue;
      const cluster = new PaperCluster({ logs, terms });
      cluster.partition(present);
      cluster.campaign(candidate);
      const mayWin = candidate <= 3n && present.length >= 3;
      assert.deepEqual(cluster.leaders, mayWin ? [candidate] : [], `${candidate} among ${present}`);
    }
  }
});

test('Figure 3, State Machine Safety: an entry that may still be replaced is applied by nobody', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5) });
  cluster.elect(1n);
  cluster.partition([1n, 2n], [3n, 4n, 5n]);
  cluster.propose(1n, 'lost');
  cluster.elect(3n);
  cluster.propose(3n, 'kept');
  assert.deepEqual(
    cluster.all.map(({ log }) => log.length),
    [2, 2, 3, 3, 3],
  );
  assert.deepEqual(cluster.node(1n).applied, []);
  cluster.heal();
  cluster.tick();
  for (const server of cluster.all) assert.deepEqual(server.applied, ['kept']);
});

test('Section 5.4.1: of two logs that one is more up to date whose last entry is of the later term', () => {
  assert.equal(grants([1, 1, 1, 1], { index: 2, term: 2 }), true);
  assert.equal(grants([1, 2], { index: 4, term: 1 }), false);
});

test('Section 5.4.1: with last entries of the same term the longer log is more up to date, and equal ones suffice', () => {
  assert.equal(grants([1, 2, 2], { index: 4, term: 2 }), true);
  assert.equal(grants([1, 2, 2], { index: 3, term: 2 }), true);
  assert.equal(grants([1, 2, 2], { index: 2, term: 2 }), false);
});

function grants(log: readonly number[], candidateLast: Position): boolean {
  const [answer] = new Peer(1n, { log }).receive(requestVote(2n, 9, candidateLast));
  return answer?.reject === false;
}

test('Section 5.4.2: the first entry of the own term commits all that stands before it', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 2, 2], 2: [1], 3: [1] } });
  cluster.elect(1n);
  for (const server of cluster.all) assert.deepEqual(server.applied, ['1/1', '2/2', '2/3']);
});

test('Section 5.4.3: of any majority that elects, one has the committed entry and refuses those without it', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5) });
  cluster.elect(1n);
  // Committed by 1, 2 and 3.
  cluster.partition([1n, 2n, 3n]);
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, ['x']);
  // Of the others 4 and 5 together with any one of 1, 2, 3 would be a majority.
  for (const witness of [1n, 2n, 3n]) {
    cluster.partition([4n, 5n, witness]);
    for (let attempt = 0; attempt < 3; attempt++) cluster.campaign(4n);
    assert.notEqual(cluster.node(4n).state, 'StateLeader');
  }
  cluster.partition([3n, 4n, 5n]);
  for (let attempt = 0; attempt < 2; attempt++) cluster.campaign(3n);
  assert.deepEqual(cluster.node(4n).applied, ['x']);
});
