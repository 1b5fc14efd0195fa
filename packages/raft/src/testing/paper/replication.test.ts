// Sections 5.3 and 5.5 of the paper (3.5 and 3.7 of the thesis): how logs become the same, and what crashes do to that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType } from '../../message.ts';
import { emptyLogs, PaperCluster } from './paper-cluster.ts';
import { acknowledge, append, Peer, requestVote } from './peer.ts';

const isRefusal = ({ type, reject }: Message) => type === MessageType.MsgAppResp && reject;

test('Section 5.3: a new entry goes to all servers at once', () => {
  const leader = new Peer(1n, { voters: [1n, 2n, 3n, 4n, 5n] }).lead();
  for (const id of [2n, 3n, 4n, 5n]) leader.receive(acknowledge(id, 1, 1));
  leader.propose('x');
  const { messages } = leader.raw.ready();
  assert.deepEqual(
    messages.map(({ type, to, entries }) => [type, to, entries.length]),
    [2n, 3n, 4n, 5n].map((id) => [MessageType.MsgApp, id, 1]),
  );
});

test('Section 5.3: an entry is committed and applied by the leader once a majority has stored it', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(5) });
  cluster.elect(1n);
  cluster.filter = ({ type, from }) => type === MessageType.MsgAppResp && from !== 2n;
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, [], 'the leader and one other are two of five');
  cluster.filter = () => false;
  cluster.deliver(cluster.held[0] as Message);
  cluster.settle();
  assert.deepEqual(cluster.node(1n).applied, ['x']);
});

test('Section 5.3: followers learn what is committed from the next request, and apply it in the order of the log', () => {
  const follower = new Peer(2n);
  follower.receive(append(1n, 1, { terms: [1, 1] }));
  assert.deepEqual(follower.applied, []);
  follower.receive(append(1n, 1, { previous: { index: 2, term: 1 }, commit: 2 }));
  assert.deepEqual(follower.applied, ['1/1', '1/2']);
});

test("Section 5.3: what commits an entry commits all before it, earlier leaders' entries too", () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 2], 2: [1], 3: [] }, terms: { 3: 2 } });
  cluster.elect(1n);
  for (const server of cluster.all) assert.deepEqual(server.applied, ['1/1', '2/2']);
});

test('Section 5.3: a slow follower holds nobody up', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.filter = ({ to }) => to === 3n;
  for (const text of ['a', 'b', 'c']) cluster.propose(1n, text);
  assert.deepEqual(cluster.node(2n).applied.slice(0, 2), ['a', 'b']);
  assert.deepEqual(cluster.node(1n).applied, ['a', 'b', 'c']);
});

test('Section 5.3: the leader tries until every follower has every entry, long after the client has its answer', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.isolate(3n);
  cluster.propose(1n, 'x');
  assert.deepEqual(cluster.node(1n).applied, ['x']);
  cluster.tick(100, [1n]);
  cluster.heal();
  cluster.tick(1, [1n]);
  assert.deepEqual(cluster.node(3n).applied, ['x']);
});

test('Section 5.3: a leader makes one entry at most for an index, and entries never change their place', () => {
  const leader = new Peer(1n, { log: [1] }).lead();
  leader.propose('a');
  leader.propose('b');
  leader.work();
  assert.deepEqual(
    leader.entries().map(({ term, index }) => [term, index]),
    [
      [1, 1],
      [2, 2],
      [2, 3],
      [2, 4],
    ],
  );
});

test('Section 5.3: a leader that comes to power does nothing special, logs become its own by themselves', () => {
  const logs = { 1: [1, 1, 3], 2: [1, 2, 2], 3: [1, 1], 4: [], 5: [1, 1, 3] };
  const cluster = new PaperCluster({ logs, terms: { 1: 3, 2: 3, 3: 3, 4: 3, 5: 3 } });
  const previousIndexes: number[] = [];
  cluster.filter = ({ type, to, index }) => {
    if (type === MessageType.MsgApp && to === 2n) previousIndexes.push(index);
    return false;
  };
  cluster.elect(1n);
  for (const server of cluster.all) assert.deepEqual(server.log, [1, 1, 3, 4]);
  assert.deepEqual(previousIndexes.slice(0, 3), [3, 2, 1], 'from the end back to where the logs agree');
});

test('Section 5.3: a refusal names where to go on, so that entries are not tried one by one', () => {
  const follower = new Peer(2n, { log: [1, 1, 2, 2, 2, 2] });
  const [answer] = follower.receive(append(1n, 5, { previous: { index: 5, term: 4 } }));
  assert.deepEqual([answer?.reject, answer?.index, answer?.rejectHint, answer?.logTerm], [true, 5, 5, 2]);
  const short = new Peer(2n, { log: [1, 1] });
  const [shortAnswer] = short.receive(append(1n, 5, { previous: { index: 90, term: 4 } }));
  assert.deepEqual([shortAnswer?.rejectHint, shortAnswer?.logTerm], [2, 1]);
});

test('Section 5.3: the follower skips all of its entries that are of a later term than the refused place', () => {
  const follower = new Peer(2n, { log: [1, 1, 3, 3, 3], term: 4 });
  const [answer] = follower.receive(append(1n, 4, { previous: { index: 4, term: 2 } }));
  assert.deepEqual([answer?.rejectHint, answer?.logTerm], [2, 1]);
});

test('Section 5.3: the leader skips all of its entries that are of a later term than the hint', () => {
  const leader = new Peer(1n, { log: [1, 1, 3, 3, 3, 3] }).lead();
  const refusal = { ...acknowledge(2n, 4, 6), reject: true, rejectHint: 5, logTerm: 2 };
  const [again] = leader.receive(refusal);
  assert.deepEqual([again?.index, again?.logTerm], [2, 1]);
});

test('Section 5.3: going back takes one refusal for each term that differs, whatever the number of entries', () => {
  for (const length of [10, 1000]) {
    const block = (term: number) => Array<number>(length).fill(term);
    const logs = { 1: [1, ...block(3), ...block(5)], 2: [1, ...block(2), ...block(4)], 3: [] };
    const cluster = new PaperCluster({ logs, terms: { 1: 5, 2: 5, 3: 5 } });
    let refusals = 0;
    cluster.filter = (message) => {
      if (isRefusal(message) && message.from === 2n) refusals++;
      return false;
    };
    cluster.elect(1n);
    assert.deepEqual(cluster.node(2n).log, cluster.node(1n).log);
    assert.ok(refusals <= 3, `${refusals} refusals with ${length} entries a term`);
  }
});

test('Section 5.3: a refusal that comes late moves nothing', () => {
  const leader = new Peer(1n, { log: [1, 1, 1] }).lead();
  leader.receive(acknowledge(2n, 2, 4));
  const late = { ...acknowledge(2n, 2, 3), reject: true, rejectHint: 1, logTerm: 1 };
  assert.deepEqual(leader.receive(late), []);
  assert.deepEqual([leader.progress(2n).match, leader.progress(2n).next], [4, 5]);
  // Nor while the leader still looks for the place where the logs agree: only the answer to what it sent last counts.
  assert.deepEqual(leader.receive({ ...late, from: 3n, index: 2 }), []);
  assert.deepEqual([leader.progress(3n).match, leader.progress(3n).next], [0, 4]);
});

test('Section 5.3: an acknowledgement that comes late moves nothing back', () => {
  const leader = new Peer(1n, { log: [1, 1, 1] }).lead();
  leader.receive(acknowledge(2n, 2, 4));
  leader.receive(acknowledge(2n, 2, 2));
  assert.equal(leader.progress(2n).match, 4);
});

test('Section 5.5: requests to a server that is down are sent again until it is back', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.crash(2n);
  cluster.propose(1n, 'x');
  cluster.tick(30, [1n, 3n]);
  const server = cluster.restart(2n);
  cluster.tick(1, [1n]);
  assert.deepEqual(server.applied, ['x']);
});

test('Section 5.5: a server that stored entries and died before its answer acknowledges them when they come again', () => {
  const server = new Peer(2n);
  const request = append(1n, 1, { terms: [1, 1] });
  server.receive(request);
  server.restart();
  const [answer] = server.receive(request);
  assert.deepEqual([answer?.type, answer?.reject, answer?.index], [MessageType.MsgAppResp, false, 2]);
  assert.deepEqual(server.log, [1, 1]);
});

test('Section 5.5: a server that gave its vote and died before its answer gives it again to the same candidate', () => {
  const server = new Peer(1n);
  server.receive(requestVote(2n, 1));
  server.restart();
  const [answer] = server.receive(requestVote(2n, 1));
  assert.equal(answer?.reject, false);
});

test('Section 5.5: every message may arrive twice', () => {
  const cluster = new PaperCluster({ logs: { 1: [1, 3], 2: [1, 2, 2], 3: [] }, terms: { 1: 3, 2: 3, 3: 3 } });
  cluster.filter = (message) => {
    // Proposals are the exception: each is a command of its own.
    if (message.type !== MessageType.MsgProp) cluster.node(message.to).raw.step(message);
    return false;
  };
  cluster.elect(1n);
  cluster.propose(1n, 'x');
  cluster.propose(2n, 'y');
  cluster.tick();
  for (const server of cluster.all) {
    assert.deepEqual(server.log, [1, 3, 4, 4, 4]);
    assert.deepEqual(server.applied, ['1/1', '3/2', 'x', 'y']);
  }
});

test('Section 5.5: a candidate that crashes is a follower in the term it began, and has voted in it', () => {
  const server = new Peer(1n);
  server.campaign();
  server.restart();
  assert.deepEqual([server.state, server.term, server.vote], ['StateFollower', 1, 1n]);
  assert.equal(server.receive(requestVote(2n, 1))[0]?.reject, true);
});

test('Section 5.5: a leader that crashes is a follower when it is back, and its log gets what it missed', () => {
  const cluster = new PaperCluster({ logs: emptyLogs(3) });
  cluster.elect(1n);
  cluster.crash(1n);
  cluster.elect(2n);
  cluster.propose(2n, 'x');
  const server = cluster.restart(1n);
  assert.equal(server.state, 'StateFollower');
  cluster.tick(1, [2n]);
  assert.deepEqual([server.leader, server.applied], [2n, ['x']]);
});
