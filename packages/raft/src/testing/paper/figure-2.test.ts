// Figure 2 of the Raft paper (extended version): each rule of the summary by itself, at one server. Servers are 1, 2 and 3.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, type MessageInit, MessageType } from '../../message.ts';
import {
  acknowledge,
  append,
  ELECTION_TICK,
  grantVote,
  heartbeat,
  heartbeatAnswer,
  Peer,
  refuseVote,
  requestVote,
} from './peer.ts';

const last = (messages: readonly Message[]) => messages.at(-1);
const typesOf = (messages: readonly Message[]) => messages.map(({ type }) => type);

// State

test('Figure 2, State: a server begins in term 0, without a vote, with an empty log and nothing committed', () => {
  const server = new Peer(1n);
  assert.deepEqual([server.term, server.vote, server.commit], [0, 0n, 0]);
  assert.deepEqual(server.log, []);
});

test('Figure 2, State: the first entry of a log has index 1', () => {
  const server = new Peer(2n);
  server.receive(append(1n, 1, { terms: [1] }));
  assert.deepEqual(
    server.entries().map(({ index }) => index),
    [1],
  );
});

test('Figure 2, State: term and vote are to be on disk before the answer goes out, and survive a crash', () => {
  const server = new Peer(1n);
  server.raw.step(requestVote(2n, 4));
  const ready = server.raw.ready();
  assert.deepEqual(ready.hardState, { term: 4, vote: 2n, commit: 0 });
  assert.equal(ready.mustSync, true);
  assert.deepEqual(typesOf(ready.messages), [MessageType.MsgVoteResp]);

  const other = new Peer(1n);
  other.receive(requestVote(2n, 4));
  other.restart();
  assert.equal(last(other.receive(requestVote(3n, 4)))?.reject, true);
  assert.equal(last(other.receive(requestVote(2n, 4)))?.reject, false);
});

test('Figure 2, State: entries are to be on disk before they are acknowledged, and survive a crash', () => {
  const server = new Peer(2n);
  server.raw.step(append(1n, 1, { terms: [1, 1] }));
  const ready = server.raw.ready();
  assert.equal(ready.entries.length, 2);
  assert.equal(ready.mustSync, true);
  assert.deepEqual(typesOf(ready.messages), [MessageType.MsgAppResp]);

  const other = new Peer(2n);
  other.receive(append(1n, 1, { terms: [1, 1] }));
  other.restart();
  assert.deepEqual(other.log, [1, 1]);
});

test('Figure 2, State: the commit index never goes back', () => {
  const server = new Peer(2n, { log: [1, 1, 1] });
  server.receive(heartbeat(1n, 1, 3));
  server.receive(heartbeat(1n, 1, 1));
  server.receive(append(1n, 1, { previous: { index: 3, term: 1 }, commit: 2 }));
  assert.equal(server.commit, 3);
});

test('Figure 2, State, as etcd does: the commit index is stored too, so that a restarted server applies at once', () => {
  const server = new Peer(2n, { log: [1, 1] });
  server.receive(heartbeat(1n, 1, 2));
  server.restart();
  assert.equal(server.commit, 2);
  assert.deepEqual(server.applied, []);
  server.work();
  assert.deepEqual(server.applied, ['1/1', '1/2']);
});

test('Figure 2, State: every election sets nextIndex behind the last entry, and matchIndex to 0', () => {
  const server = new Peer(1n, { log: [1, 1, 1] }).lead();
  assert.deepEqual([server.progress(2n).match, server.progress(2n).next], [0, 4]);
  server.receive(acknowledge(2n, 2, 4));
  assert.deepEqual([server.progress(2n).match, server.progress(2n).next], [4, 5]);
  // Another leads for a while, and then this one again.
  server.receive(heartbeat(3n, 3));
  server.lead();
  assert.deepEqual([server.progress(2n).match, server.progress(2n).next], [0, 5]);
});

// AppendEntries

test('Figure 2, AppendEntries 1: a request of an older term changes nothing', () => {
  const server = new Peer(2n, { log: [1, 2], term: 3 });
  server.receive(append(1n, 2, { previous: { index: 1, term: 1 }, terms: [2, 2], commit: 2 }));
  assert.deepEqual([server.log, server.commit, server.term, server.leader], [[1, 2], 0, 3, 0n]);
});

test('Figure 2, AppendEntries 1, as etcd does: an old request is not answered unless PreVote or CheckQuorum needs it', () => {
  const answers = (options: object) => new Peer(2n, { term: 3, options }).receive(append(1n, 2, { terms: [2] }));
  assert.deepEqual(answers({}), []);
  for (const options of [{ preVote: true }, { checkQuorum: true }]) {
    assert.deepEqual(typesOf(answers(options)), [MessageType.MsgAppResp]);
    assert.equal(last(answers(options))?.term, 3, 'the stale leader learns the term');
  }
});

test('Figure 2, AppendEntries 2: refused by a log that has no entry at the previous index', () => {
  const server = new Peer(2n, { log: [1] });
  const answer = last(server.receive(append(1n, 1, { previous: { index: 3, term: 1 }, terms: [1] })));
  assert.equal(answer?.reject, true);
  assert.deepEqual(server.log, [1]);
});

test('Figure 2, AppendEntries 2: refused by a log whose entry at the previous index is of another term', () => {
  const server = new Peer(2n, { log: [1, 2] });
  const answer = last(server.receive(append(1n, 3, { previous: { index: 2, term: 1 }, terms: [3] })));
  assert.equal(answer?.reject, true);
  assert.deepEqual(server.log, [1, 2], 'nothing is deleted yet');
});

test('Figure 2, AppendEntries 3: an entry of another term at the same index goes, with all that follow it', () => {
  const server = new Peer(2n, { log: [1, 2, 2, 2] });
  const answer = last(server.receive(append(1n, 3, { previous: { index: 1, term: 1 }, terms: [3] })));
  assert.deepEqual([answer?.reject, answer?.index], [false, 2]);
  assert.deepEqual(server.log, [1, 3]);
});

test('Figure 2, AppendEntries 3: a late request does not cut off what came after it', () => {
  const server = new Peer(2n, { log: [1, 1, 1] });
  const answer = last(server.receive(append(1n, 1, { terms: [1] })));
  assert.equal(answer?.index, 1);
  assert.deepEqual(server.log, [1, 1, 1]);
});

test('Figure 2, AppendEntries 4: only entries that are not in the log are appended', () => {
  const server = new Peer(2n, { log: [1, 1] });
  server.raw.step(append(1n, 1, { terms: [1, 1, 1, 1] }));
  const { entries } = server.raw.readyWithoutAccept();
  assert.deepEqual(
    entries.map(({ index }) => index),
    [3, 4],
  );
});

test("Figure 2, AppendEntries 5: the commit index follows the leader's", () => {
  const server = new Peer(2n, { log: [1, 1, 1] });
  server.receive(append(1n, 1, { previous: { index: 3, term: 1 }, terms: [1], commit: 2 }));
  assert.equal(server.commit, 2);
});

test('Figure 2, AppendEntries 5: the commit index does not pass the last new entry, as what follows may be wrong', () => {
  const server = new Peer(2n, { log: [1, 1, 1] });
  server.receive(append(1n, 2, { terms: [1], commit: 3 }));
  assert.equal(server.commit, 1);
});

test('Figure 2, AppendEntries, arguments: the leader is known from its requests, and clients are led to it', () => {
  const server = new Peer(2n);
  server.receive(append(3n, 1));
  assert.equal(server.leader, 3n);
  server.propose('x');
  const forwarded = last(server.work());
  assert.deepEqual([forwarded?.type, forwarded?.to], [MessageType.MsgProp, 3n]);
});

test('Figure 2, AppendEntries, as etcd does: heartbeats are messages of their own and commit only what matches', () => {
  const leader = new Peer(1n, { log: [1, 1] }).lead();
  leader.receive(acknowledge(2n, 2, 3));
  assert.equal(leader.commit, 3);
  const commits = new Map(leader.tick().map(({ type, to, commit }) => [to, { type, commit }]));
  assert.deepEqual(commits.get(2n), { type: MessageType.MsgHeartbeat, commit: 3 });
  assert.deepEqual(commits.get(3n), { type: MessageType.MsgHeartbeat, commit: 0 }, 'its log is not known to match');
});

// RequestVote

test('Figure 2, RequestVote 1, as etcd does: a request of an older term gets no vote, and no answer', () => {
  const server = new Peer(1n, { term: 3 });
  assert.deepEqual(server.receive(requestVote(2n, 2, { index: 9, term: 2 })), []);
  assert.deepEqual([server.term, server.vote], [3, 0n]);
});

test('Figure 2, RequestVote 2: one vote a term, to whom asks first', () => {
  const server = new Peer(1n);
  assert.equal(last(server.receive(requestVote(2n, 1)))?.reject, false);
  assert.equal(last(server.receive(requestVote(3n, 1)))?.reject, true);
  assert.equal(server.vote, 2n);
});

test('Figure 2, RequestVote 2: the candidate that has the vote gets it again, as its answer may be lost', () => {
  const server = new Peer(1n);
  server.receive(requestVote(2n, 1));
  assert.equal(last(server.receive(requestVote(2n, 1)))?.reject, false);
});

test('Figure 2, RequestVote 2: the next term has a new vote', () => {
  const server = new Peer(1n);
  server.receive(requestVote(2n, 1));
  assert.equal(last(server.receive(requestVote(3n, 2)))?.reject, false);
  assert.equal(server.vote, 3n);
});

test('Figure 2, RequestVote 2: a candidate whose log is behind gets no vote, but its term counts', () => {
  const server = new Peer(1n, { log: [1, 2] });
  assert.equal(last(server.receive(requestVote(2n, 5, { index: 1, term: 1 })))?.reject, true);
  assert.deepEqual([server.term, server.vote], [5, 0n]);
  assert.equal(last(server.receive(requestVote(3n, 5, { index: 2, term: 2 })))?.reject, false);
});

test('Figure 2, RequestVote 2, as etcd does: who knows the leader of a term gives no vote in it', () => {
  const server = new Peer(1n);
  server.receive(heartbeat(2n, 1));
  assert.equal(last(server.receive(requestVote(3n, 1)))?.reject, true);
});

test('Figure 2, RequestVote, arguments: the request bears the new term and the last entry', () => {
  const candidate = new Peer(1n, { log: [1, 2, 2] });
  const requests = candidate
    .campaign()
    .map(({ type, to, term, index, logTerm }) => ({ type, to, term, index, logTerm }));
  const request = { type: MessageType.MsgVote, term: 3, index: 3, logTerm: 2 };
  assert.deepEqual(requests, [
    { ...request, to: 2n },
    { ...request, to: 3n },
  ]);
});

// Rules for Servers

test('Figure 2, all servers 1: what is committed is applied, in order and once', () => {
  const server = new Peer(2n, { log: [1, 1, 1] });
  server.receive(heartbeat(1n, 1, 2));
  assert.deepEqual(server.applied, ['1/1', '1/2']);
  server.receive(heartbeat(1n, 1, 3));
  assert.deepEqual(server.applied, ['1/1', '1/2', '1/3']);
});

test('Figure 2, all servers 2: a newer term in any request or answer is taken over, and ends every role but the follower', () => {
  const newer: MessageInit[] = [
    append(2n, 9),
    heartbeat(2n, 9),
    requestVote(2n, 9),
    acknowledge(2n, 9, 0),
    heartbeatAnswer(2n, 9),
    grantVote(2n, 9),
    refuseVote(2n, 9),
  ];
  for (const message of newer) {
    const follower = new Peer(1n, { term: 1 });
    const candidate = new Peer(1n, { term: 1 });
    candidate.campaign();
    const leader = new Peer(1n, { term: 1 }).lead();
    for (const server of [follower, candidate, leader]) {
      server.receive(message);
      assert.deepEqual([server.state, server.term], ['StateFollower', 9]);
    }
  }
});

test('Figure 2, followers 1: a follower only answers', () => {
  const server = new Peer(1n);
  assert.deepEqual(server.tick(ELECTION_TICK - 1), []);
  assert.deepEqual(typesOf(server.receive(requestVote(2n, 1))), [MessageType.MsgVoteResp]);
  assert.deepEqual(typesOf(server.receive(append(2n, 1, { terms: [1] }))), [MessageType.MsgAppResp]);
  assert.deepEqual(typesOf(server.receive(heartbeat(2n, 1))), [MessageType.MsgHeartbeatResp]);
});

test('Figure 2, followers 2: without word of a leader a follower becomes a candidate after the election timeout', () => {
  const server = new Peer(1n);
  server.tick(ELECTION_TICK - 1);
  assert.equal(server.state, 'StateFollower');
  server.tick();
  assert.equal(server.state, 'StateCandidate');
});

test('Figure 2, followers 2: word of the leader and a vote given start the timeout again', () => {
  const restarts: MessageInit[] = [append(2n, 1), heartbeat(2n, 1), requestVote(2n, 1)];
  for (const message of restarts) {
    const server = new Peer(1n, { term: 1 });
    server.tick(ELECTION_TICK - 1);
    server.receive(message);
    server.tick(ELECTION_TICK - 1);
    assert.equal(server.state, 'StateFollower');
  }
});

test('Figure 2, followers 2: a vote refused and a leader of an older term do not start the timeout again', () => {
  const others: MessageInit[] = [requestVote(2n, 2), append(2n, 1), heartbeat(2n, 1)];
  for (const message of others) {
    const server = new Peer(1n, { log: [1], term: 2 });
    server.tick(ELECTION_TICK - 1);
    server.receive(message);
    server.tick();
    assert.equal(server.state, 'StateCandidate');
  }
});

test('Figure 2, candidates 1: a new term, the own vote, a fresh timeout, and a request to every other server', () => {
  const server = new Peer(1n, { term: 4 });
  const requests = server.tick(ELECTION_TICK);
  assert.deepEqual([server.term, server.vote], [5, 1n]);
  assert.deepEqual(
    requests.map(({ to }) => to),
    [2n, 3n],
  );
  server.tick(ELECTION_TICK - 1);
  assert.equal(server.term, 5, 'the timeout runs anew');
});

test('Figure 2, candidates 2: with the votes of a majority it leads, with one less it does not', () => {
  const server = new Peer(1n, { voters: [1n, 2n, 3n, 4n, 5n] });
  server.campaign();
  server.receive(grantVote(2n, 1), grantVote(2n, 1));
  assert.equal(server.state, 'StateCandidate', 'two of five, one of them twice');
  server.receive(grantVote(3n, 1));
  assert.equal(server.state, 'StateLeader');
});

test('Figure 2, candidates 3: word of a leader of its term makes a candidate its follower', () => {
  for (const message of [append(2n, 1), heartbeat(2n, 1)]) {
    const server = new Peer(1n);
    server.campaign();
    server.receive(message);
    assert.deepEqual([server.state, server.term, server.leader], ['StateFollower', 1, 2n]);
  }
});

test('Figure 2, candidates 4: when the timeout passes without a winner the next election begins', () => {
  const server = new Peer(1n);
  server.campaign();
  const requests = server.tick(ELECTION_TICK);
  assert.deepEqual([server.state, server.term], ['StateCandidate', 2]);
  assert.deepEqual(
    requests.map(({ to, term }) => [to, term]),
    [
      [2n, 2],
      [3n, 2],
    ],
  );
});

test('Figure 2, leaders 1, as etcd does: the first word of a new leader is an empty entry, not an empty request', () => {
  const server = new Peer(1n, { log: [1] });
  server.campaign();
  const requests = server.receive(grantVote(2n, 2));
  assert.deepEqual(
    requests.map(({ type, to, entries }) => [type, to, entries.map(({ term, data }) => [term, data.length])]),
    [
      [MessageType.MsgApp, 2n, [[2, 0]]],
      [MessageType.MsgApp, 3n, [[2, 0]]],
    ],
  );
});

test('Figure 2, leaders 1: heartbeats go out while nothing else does', () => {
  const server = new Peer(1n).lead();
  for (let i = 0; i < 3; i++) {
    const types = server.tick().map(({ type, to }) => [type, to]);
    assert.deepEqual(types, [
      [MessageType.MsgHeartbeat, 2n],
      [MessageType.MsgHeartbeat, 3n],
    ]);
  }
});

test("Figure 2, leaders 2: a client's command is appended at once, and applied only when it is committed", () => {
  const server = new Peer(1n).lead();
  server.propose('x');
  server.work();
  assert.deepEqual([server.log, server.applied], [[1, 1], []]);
  server.receive(acknowledge(3n, 1, 2));
  assert.deepEqual(server.applied, ['x']);
});

test('Figure 2, leaders 3: what a follower lacks is sent, from nextIndex on', () => {
  const server = new Peer(1n, { log: [1, 1] }).lead();
  server.receive(acknowledge(2n, 2, 3));
  server.propose('x');
  const request = server.work().find(({ to }) => to === 2n);
  assert.deepEqual([request?.type, request?.index, request?.logTerm], [MessageType.MsgApp, 3, 2]);
  assert.deepEqual(
    request?.entries.map(({ index }) => index),
    [4],
  );
});

test('Figure 2, leaders 3: success moves nextIndex and matchIndex', () => {
  const server = new Peer(1n, { log: [1, 1] }).lead();
  server.receive(acknowledge(2n, 2, 3));
  const { match, next } = server.progress(2n);
  assert.deepEqual([match, next], [3, 4]);
});

test('Figure 2, leaders 3: refused for inconsistency, it goes back and tries again at once', () => {
  const server = new Peer(1n, { log: [1, 1] }).lead();
  const refusal: MessageInit = { ...acknowledge(2n, 2, 2), reject: true, rejectHint: 1, logTerm: 1 };
  const [again] = server.receive(refusal);
  assert.deepEqual([again?.type, again?.to, again?.index, again?.entries.length], [MessageType.MsgApp, 2n, 1, 2]);
});

test('Figure 2, leaders 4: what a majority holds is committed, if it is of the current term', () => {
  const server = new Peer(1n, { log: [1, 1], voters: [1n, 2n, 3n, 4n, 5n] }).lead();
  server.receive(acknowledge(2n, 2, 2), acknowledge(3n, 2, 2), acknowledge(4n, 2, 2));
  assert.equal(server.commit, 0, 'all but one hold entry 2, but it is of term 1');
  server.receive(acknowledge(2n, 2, 3));
  assert.equal(server.commit, 0, 'two of five hold entry 3');
  server.receive(acknowledge(3n, 2, 3));
  assert.equal(server.commit, 3);
});
