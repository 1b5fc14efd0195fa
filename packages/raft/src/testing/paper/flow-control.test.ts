// How fast a leader sends to each follower: section 10.2 of the thesis (batching and pipelining), and the three states that
// etcd keeps a follower in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RaftConfig } from '../../core/config.ts';
import { entrySize } from '../../entry.ts';
import { type Message, type MessageInit, MessageType } from '../../message.ts';
import { acknowledge, append, entryAt, heartbeatAnswer, Peer } from './peer.ts';

/** Leader of term 1 of servers 1, 2 and 3. */
function lead(options: Partial<RaftConfig> = {}): Peer {
  return new Peer(1n, { options }).lead();
}

/** The same, and server 2 has acknowledged all, so that it is sent whatever there is. */
function replicating(options: Partial<RaftConfig> = {}): Peer {
  const leader = lead(options);
  leader.receive(acknowledge(2n, 1, 1));
  return leader;
}

/** Entries of each append to server 2, by index. */
function appends(messages: readonly Message[]): number[][] {
  return messages
    .filter(({ type, to }) => type === MessageType.MsgApp && to === 2n)
    .map(({ entries }) => entries.map(({ index }) => index));
}

function propose(leader: Peer, ...texts: readonly string[]): Message[] {
  const sent: Message[] = [];
  for (const text of texts) {
    leader.propose(text);
    sent.push(...leader.work());
  }
  return sent;
}

function stateOf(leader: Peer): string {
  const { state, match, next } = leader.progress(2n);
  return `${state} match=${match} next=${next}`;
}

function refusal(index: number, hint: number, hintTerm: number): MessageInit {
  return { ...acknowledge(2n, 1, index), reject: true, rejectHint: hint, logTerm: hintTerm };
}

// Probe.

test('Flow control, probe: a new leader sends one message and waits for what comes of it', () => {
  const leader = lead();
  assert.equal(stateOf(leader), 'StateProbe match=0 next=1');
  assert.deepEqual(appends(propose(leader, 'a', 'b', 'c')), []);
});

test('Flow control, probe: an answer to a heartbeat lets one more out', () => {
  const leader = lead();
  propose(leader, 'a');
  assert.deepEqual(appends(leader.tick(3)), [], 'heartbeats alone do not');
  assert.deepEqual(appends(leader.receive(heartbeatAnswer(2n, 1))), [[1, 2]]);
  assert.deepEqual(appends(propose(leader, 'b')), []);
});

test('Flow control, probe: a refusal moves next back and the next probe goes out at once', () => {
  const leader = new Peer(1n, { log: [1, 1, 1] }).lead();
  const sent = leader.receive({ ...refusal(3, 1, 1), term: 2 });
  assert.deepEqual(appends(sent), [[2, 3, 4]]);
  assert.equal(stateOf(leader), 'StateProbe match=0 next=2');
});

test('Flow control, probe: the first acknowledgement makes it replicate', () => {
  const leader = lead();
  leader.receive(acknowledge(2n, 1, 1));
  assert.equal(stateOf(leader), 'StateReplicate match=1 next=2');
});

// Replicate.

test('Flow control, replicate: entries go out one after the other without waiting, and next runs ahead (pipelining)', () => {
  const leader = replicating();
  assert.deepEqual(appends(propose(leader, 'a', 'b', 'c')), [[2], [3], [4]]);
  assert.equal(stateOf(leader), 'StateReplicate match=1 next=5');
});

test('Flow control, replicate: what is proposed together travels together (batching)', () => {
  const leader = replicating();
  for (const text of ['a', 'b', 'c']) leader.propose(text);
  const { messages } = leader.raw.ready();
  assert.deepEqual(appends(messages), [[2], [3], [4]], 'proposed one by one');
  const batching = replicating();
  batching.raw.proposeBatch(['a', 'b', 'c'].map((text) => new TextEncoder().encode(text)));
  assert.deepEqual(appends(batching.work()), [[2, 3, 4]]);
});

test('Flow control, replicate: a refusal ends the optimism, it probes from the last match', () => {
  const leader = replicating();
  propose(leader, 'a', 'b', 'c');
  const sent = leader.receive(refusal(3, 1, 1));
  assert.deepEqual(appends(sent), [[2, 3, 4]]);
  assert.equal(stateOf(leader), 'StateProbe match=1 next=2');
});

test('Flow control, replicate: a server that could not be reached is probed', () => {
  const leader = replicating();
  propose(leader, 'a');
  leader.raw.reportUnreachable(2n);
  assert.equal(stateOf(leader), 'StateProbe match=1 next=2');
});

test('Flow control, replicate: a request that is overtaken on its way is refused, and what it lacks is sent again', () => {
  const leader = replicating();
  const [first, second] = propose(leader, 'a', 'b').filter(({ to }) => to === 2n) as [Message, Message];
  const follower = new Peer(2n);
  follower.receive(append(1n, 1, { terms: [1] }));
  const [refused] = follower.receive(second);
  assert.equal(refused?.reject, true);
  follower.receive(first);
  const [again] = leader.receive(refused as Message);
  follower.receive(again as Message);
  assert.deepEqual(follower.entries().slice(1), leader.entries().slice(1));
});

// The window.

test('Flow control, window: so many messages may be unacknowledged, and no more', () => {
  const leader = replicating({ maxInflightMsgs: 3 });
  assert.deepEqual(appends(propose(leader, 'a', 'b', 'c', 'd', 'e')), [[2], [3], [4]]);
});

test('Flow control, window: an acknowledgement makes room for as many as it covers', () => {
  const leader = replicating({ maxInflightMsgs: 3, maxSizePerMsg: 0 });
  propose(leader, 'a', 'b', 'c', 'd', 'e', 'f');
  assert.deepEqual(appends(leader.receive(acknowledge(2n, 1, 3))), [[5], [6]]);
  assert.deepEqual(appends(leader.receive(acknowledge(2n, 1, 3))), [], 'the same once more makes none');
});

test('Flow control, window: so many bytes may be unacknowledged, and the message that crosses the limit is the last', () => {
  const leader = replicating({ maxSizePerMsg: 10, maxInflightBytes: 10 });
  const four = 'x'.repeat(4);
  assert.deepEqual(appends(propose(leader, four, four, four, four, four)), [[2], [3], [4]]);
  assert.deepEqual(appends(leader.receive(acknowledge(2n, 1, 2))), [[5]]);
});

test('Flow control, window: when it is full an answered heartbeat lets an empty message out, to find out what was lost', () => {
  const leader = replicating({ maxInflightMsgs: 2 });
  propose(leader, 'a', 'b', 'c');
  const [probe] = leader.receive(heartbeatAnswer(2n, 1));
  assert.deepEqual([probe?.type, probe?.index, probe?.entries.length], [MessageType.MsgApp, 3, 0]);
  assert.deepEqual(appends(propose(leader, 'd')), [], 'once');
  // All was lost: the refusal of the empty message brings it back.
  assert.deepEqual(appends(leader.receive(refusal(3, 1, 1))), [[2, 3, 4, 5]]);
});

test('Flow control, window: each follower has its own', () => {
  const leader = replicating({ maxInflightMsgs: 1 });
  leader.receive(acknowledge(3n, 1, 1));
  propose(leader, 'a');
  leader.receive(acknowledge(3n, 1, 2));
  const receivers = propose(leader, 'b').filter(({ type }) => type === MessageType.MsgApp);
  assert.deepEqual(
    receivers.map(({ to }) => to),
    [3n],
  );
});

// Sizes.

test('Flow control, sizes: a message holds as many entries as fit, and the others go in the next ones', () => {
  const size = entrySize(entryAt(2, 1));
  const leader = replicating({ maxSizePerMsg: 2 * size });
  leader.raw.proposeBatch([2, 3, 4, 5, 6].map((index) => entryAt(index, 1).data));
  assert.deepEqual(appends(leader.work()), [[2, 3]]);
  assert.deepEqual(appends(leader.receive(acknowledge(2n, 1, 3))), [[4, 5], [6]]);
});

test('Flow control, sizes: an entry above the limit travels alone', () => {
  const leader = lead({ maxSizePerMsg: 20 });
  propose(leader, 'x'.repeat(100), 'y');
  assert.deepEqual(appends(leader.receive(acknowledge(2n, 1, 1))), [[2], [3]]);
});

test('Flow control, sizes: without a limit all that is missing is one message', () => {
  const leader = lead();
  propose(leader, ...Array.from({ length: 50 }, () => 'x'.repeat(100)));
  const [sent, ...more] = appends(leader.receive(acknowledge(2n, 1, 1)));
  assert.deepEqual([sent?.length, more.length], [50, 0]);
});

test('Flow control, proposals: above the limit of uncommitted bytes they are refused until some is committed and applied', () => {
  const leader = replicating({ maxUncommittedEntriesSize: 10 });
  assert.equal(leader.propose('123456'), undefined);
  assert.equal(leader.propose('123456')?.code, 'raft/proposal-dropped');
  assert.equal(leader.propose('1234'), undefined, 'a smaller one fits');
  leader.work();
  leader.receive(acknowledge(2n, 1, 2));
  assert.equal(leader.propose('123456'), undefined);
});

// Snapshot.

/** Server 2 needs the snapshot at index 3, which is under way. */
function sendingSnapshot(): Peer {
  const leader = new Peer(1n, { log: [1, 1, 1], commit: 3 });
  leader.work();
  leader.compact();
  leader.lead();
  const sent = leader.receive({ ...refusal(3, 0, 0), term: leader.term });
  assert.equal(sent[0]?.type, MessageType.MsgSnap);
  return leader;
}

test('Flow control, snapshot: while it is under way nothing else is sent', () => {
  const leader = sendingSnapshot();
  assert.equal(leader.progress(2n).pendingSnapshot, 3);
  assert.deepEqual(appends(propose(leader, 'a', 'b')), []);
  assert.deepEqual(appends(leader.receive(heartbeatAnswer(2n, leader.term))), []);
});

test('Flow control, snapshot: when it failed, the follower is probed after its next sign of life', () => {
  const leader = sendingSnapshot();
  leader.raw.reportSnapshot(2n, 'failed');
  assert.equal(stateOf(leader), 'StateProbe match=0 next=1');
  assert.deepEqual(leader.work(), []);
  const [again] = leader.receive(heartbeatAnswer(2n, leader.term));
  assert.equal(again?.type, MessageType.MsgSnap);
});

test('Flow control, snapshot: when it is through, probing goes on behind it', () => {
  const leader = sendingSnapshot();
  leader.raw.reportSnapshot(2n, 'finished');
  assert.equal(stateOf(leader), 'StateProbe match=0 next=4');
  assert.deepEqual(appends(leader.work()), [], 'but not before a sign of life');
  assert.deepEqual(appends(leader.receive(heartbeatAnswer(2n, leader.term))), [[4]]);
});

test('Flow control, snapshot: the acknowledgement of the follower makes it replicate', () => {
  const leader = sendingSnapshot();
  assert.deepEqual(appends(leader.receive(acknowledge(2n, leader.term, 3))), [[4]]);
  assert.equal(stateOf(leader), 'StateReplicate match=3 next=5');
});

test('Flow control, snapshot: a follower that turns out to need none any more gets entries, though the snapshot is on its way', () => {
  const leader = sendingSnapshot();
  leader.receive(acknowledge(2n, leader.term, 4));
  assert.equal(stateOf(leader), 'StateReplicate match=4 next=5');
});

// Committed entries.

test('Flow control, applying: committed entries are handed out within a limit, and more when those are applied', () => {
  const limit = 2 * entrySize(entryAt(1, 1));
  const server = new Peer(2n, { log: [1, 1, 1, 1, 1], commit: 5, options: { maxCommittedSizePerReady: limit } });
  const batches: number[] = [];
  while (server.raw.hasReady()) {
    const ready = server.raw.ready();
    batches.push(ready.committedEntries.length);
    server.raw.advance(ready);
  }
  assert.deepEqual(batches, [2, 2, 1]);
});
