// Section 10.2.1 of the thesis: a leader writes to its disk while its followers write to theirs. And 3.8: what a server
// promises is on its disk first. Shown with asynchronous storage writes, where each promise names the write it waits for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../entry.ts';
import { type Message, type MessageInit, MessageType } from '../../message.ts';
import { LOCAL_APPEND_THREAD, LOCAL_APPLY_THREAD } from '../../state.ts';
import { acknowledge, append, grantVote, heartbeat, Peer, type PeerInit, requestVote } from './peer.ts';

/** A server whose disk writes take as long as the test says. */
class SlowDisk {
  readonly peer: Peer;
  /** Writes under way, oldest first. */
  readonly writes: Message[] = [];
  /** Batches to apply, oldest first. */
  readonly applies: Message[] = [];

  constructor(id: bigint, init: PeerInit = {}) {
    this.peer = new Peer(id, { ...init, options: { ...init.options, asyncStorageWrites: true } });
  }

  /** Takes messages in; returns what goes out to others without waiting for the disk. */
  receive(...messages: readonly MessageInit[]): Message[] {
    for (const message of messages) this.peer.raw.step(message);
    return this.turn();
  }

  propose(text: string): Message[] {
    this.peer.propose(text);
    return this.turn();
  }

  turn(): Message[] {
    const sent: Message[] = [];
    while (this.peer.raw.hasReady()) {
      for (const message of this.peer.raw.ready().messages) {
        if (message.to === LOCAL_APPEND_THREAD) this.writes.push(message);
        else if (message.to === LOCAL_APPLY_THREAD) this.applies.push(message);
        else sent.push(message);
      }
    }
    return sent;
  }

  /** The oldest write is on disk; returns what goes out then. */
  written(): Message[] {
    const work = this.writes.shift();
    assert.ok(work, 'a write is under way');
    this.peer.storage.append(work.entries);
    if (work.term > 0) this.peer.storage.setHardState({ term: work.term, vote: work.vote, commit: work.commit });
    return this.respond(work.responses);
  }

  applied(): readonly Entry[] {
    const work = this.applies.shift();
    assert.ok(work, 'something is to be applied');
    this.respond(work.responses);
    return work.entries;
  }

  private respond(responses: readonly Message[]): Message[] {
    const own = responses.filter(({ to }) => to === this.peer.id);
    return [...responses.filter(({ to }) => to !== this.peer.id), ...this.receive(...own)];
  }
}

function leader(): SlowDisk {
  const server = new SlowDisk(1n);
  server.peer.raw.campaign();
  server.turn();
  server.written();
  server.receive(grantVote(2n, 1));
  assert.equal(server.peer.state, 'StateLeader');
  return server;
}

const typesOf = (messages: readonly Message[]) => messages.map(({ type }) => type);

// The leader.

test('Thesis 10.2.1: a leader sends entries to its followers while it writes them itself', () => {
  const server = leader();
  server.receive(acknowledge(2n, 1, 1), acknowledge(3n, 1, 1));
  const sent = server.propose('x');
  assert.equal(server.writes.at(-1)?.entries[0]?.index, 2, 'the write has only begun');
  assert.deepEqual(
    sent.map(({ type, to }) => [type, to]),
    [
      [MessageType.MsgApp, 2n],
      [MessageType.MsgApp, 3n],
    ],
  );
});

test('Thesis 10.2.1: a leader counts itself only when its own write is done', () => {
  const server = leader();
  server.receive(acknowledge(2n, 1, 1));
  assert.equal(server.peer.commit, 0, 'of three only server 2 holds the entry for certain');
  server.written();
  assert.equal(server.peer.commit, 1);
});

test('Thesis 10.2.1: a leader may commit what a majority of others holds before its own write is done', () => {
  const server = leader();
  server.receive(acknowledge(2n, 1, 1), acknowledge(3n, 1, 1));
  assert.equal(server.peer.commit, 1);
  assert.equal(server.writes.length > 0, true);
});

test('Thesis 10.2.1, as etcd does: nobody applies before its own write is done, though it is committed', () => {
  const server = leader();
  server.receive(acknowledge(2n, 1, 1), acknowledge(3n, 1, 1));
  assert.equal(server.applies.length, 0);
  while (server.writes.length > 0) server.written();
  assert.deepEqual(
    server.applied().map(({ index }) => index),
    [1],
  );
});

test('Thesis 10.2.1: without asynchronous writes too, a leader that has not stored an entry does not count itself', () => {
  const peer = new Peer(1n).lead();
  peer.receive(acknowledge(2n, 1, 1));
  peer.propose('x');
  const ready = peer.raw.ready();
  assert.deepEqual(typesOf(ready.messages.filter(({ to }) => to === 2n)), [MessageType.MsgApp], 'may be sent before');
  peer.raw.step(acknowledge(2n, 1, 2));
  assert.equal(peer.commit, 1);
  peer.storage.append(ready.entries);
  peer.raw.advance(ready);
  assert.equal(peer.commit, 2);
});

test('Thesis 10.2.1: several writes may be under way, and each commits what it covers when it is done', () => {
  const server = leader();
  while (server.writes.length > 0) server.written();
  server.receive(acknowledge(2n, 1, 1));
  for (const text of ['x', 'y', 'z']) server.propose(text);
  server.receive(acknowledge(2n, 1, 4));
  const commits: number[] = [];
  for (let write = server.writes[0]; write !== undefined; write = server.writes[0]) {
    server.written();
    if (write.entries.length > 0) commits.push(server.peer.commit);
  }
  assert.deepEqual(commits, [2, 3, 4]);
});

// Votes.

test('Thesis 3.8: a vote leaves only when it is on disk', () => {
  const server = new SlowDisk(1n);
  assert.deepEqual(server.receive(requestVote(2n, 1)), []);
  const [write] = server.writes;
  assert.deepEqual([write?.term, write?.vote], [1, 2n]);
  const sent = server.written();
  assert.deepEqual([sent[0]?.type, sent[0]?.to, sent[0]?.reject], [MessageType.MsgVoteResp, 2n, false]);
});

test('Thesis 3.8: a candidate counts its own vote only when that is on disk', () => {
  const server = new SlowDisk(1n);
  server.peer.raw.campaign();
  assert.deepEqual(typesOf(server.turn()), [MessageType.MsgVote, MessageType.MsgVote], 'it asks others meanwhile');
  server.receive(grantVote(2n, 1));
  assert.equal(server.peer.state, 'StateCandidate');
  server.written();
  assert.equal(server.peer.state, 'StateLeader');
});

test('Thesis 3.8: with the votes of a majority of others a candidate need not wait for its own', () => {
  const server = new SlowDisk(1n);
  server.peer.raw.campaign();
  server.turn();
  server.receive(grantVote(2n, 1), grantVote(3n, 1));
  assert.equal(server.peer.state, 'StateLeader');
});

// Acknowledgements.

test('Thesis 3.8: entries are acknowledged only when they are on disk', () => {
  const server = new SlowDisk(2n);
  assert.deepEqual(server.receive(append(1n, 1, { terms: [1, 1] })), []);
  assert.equal(server.writes[0]?.entries.length, 2);
  const sent = server.written();
  assert.deepEqual([sent[0]?.type, sent[0]?.index], [MessageType.MsgAppResp, 2]);
});

test('Thesis 3.8: an acknowledgement waits for all writes before it, also when it brings nothing new itself', () => {
  const server = new SlowDisk(2n);
  server.receive(append(1n, 1, { terms: [1] }));
  // The same request again: the entry is in the log, but not yet on disk.
  assert.deepEqual(server.receive(append(1n, 1, { terms: [1] })), []);
  assert.equal(server.writes.length, 2);
  server.written();
  assert.deepEqual(typesOf(server.written()), [MessageType.MsgAppResp]);
});

test('Thesis 3.8: heartbeats promise nothing and are answered at once', () => {
  const server = new SlowDisk(2n);
  assert.deepEqual(typesOf(server.receive(heartbeat(1n, 1))), [MessageType.MsgHeartbeatResp]);
});

// Writes that were overtaken.

test('Asynchronous writes: that an entry is on disk says nothing about the one that took its place meanwhile', () => {
  const server = new SlowDisk(2n);
  // The write begins in the term in which the second entry is overwritten.
  server.receive(append(1n, 1, { terms: [1, 1] }), requestVote(3n, 2, { index: 2, term: 1 }));
  server.receive(append(3n, 2, { previous: { index: 1, term: 1 }, terms: [2] }));
  server.written();
  assert.deepEqual(unstable(server), [1, 2], 'still to be written, after the response for the old entries');
  server.written();
  assert.deepEqual(unstable(server), []);
});

/** Terms of entries that are not known to be on disk. */
function unstable({ peer }: SlowDisk): number[] {
  const { unstable: entries } = peer.raft.log;
  return entries.slice(entries.offset, entries.end).map(({ term }) => term);
}

test('Asynchronous writes: a response of an older term is ignored, as the same entry may be under way a second time', () => {
  const server = new SlowDisk(2n);
  server.receive(append(1n, 1, { terms: [1] }));
  server.receive(append(3n, 2, { terms: [2] }));
  server.receive(append(1n, 3, { terms: [1] }));
  server.written();
  assert.deepEqual(
    unstable(server),
    [1],
    'the first write was of this entry, but it is overwritten on disk by the second',
  );
  server.written();
  server.written();
  assert.deepEqual(unstable(server), []);
});

test('Asynchronous writes: what a leader wrote in a former leadership does not count in a later one', () => {
  const server = leader();
  server.propose('x');
  const old = server.writes.length;
  server.receive(heartbeat(2n, 2));
  server.peer.raw.campaign();
  server.turn();
  server.receive(grantVote(2n, 3), grantVote(3n, 3));
  assert.deepEqual([server.peer.state, server.peer.term], ['StateLeader', 3]);
  server.receive(acknowledge(2n, 3, 3));
  for (let i = 0; i < old; i++) server.written();
  assert.equal(server.peer.commit, 0, 'only server 2 holds entry 3 for certain');
  while (server.writes.length > 0) server.written();
  assert.equal(server.peer.commit, 3);
});

test('Asynchronous writes: a vote for the term before goes out when it is on disk, and harms nobody', () => {
  const server = new SlowDisk(1n);
  server.receive(requestVote(2n, 1));
  server.receive(requestVote(3n, 2));
  const first = server.written();
  const second = server.written();
  assert.deepEqual([first[0]?.to, first[0]?.term], [2n, 1]);
  assert.deepEqual([second[0]?.to, second[0]?.term], [3n, 2]);
});

// Applying.

test('Asynchronous writes: the next entries may be applied before it is known that those before are', () => {
  const server = new SlowDisk(2n);
  server.receive(append(1n, 1, { terms: [1, 1] }));
  server.written();
  server.receive(heartbeat(1n, 1, 1));
  server.receive(heartbeat(1n, 1, 2));
  assert.equal(server.applies.length, 2);
  assert.equal(server.peer.raw.basicStatus().applied, 0);
  assert.deepEqual(
    server.applied().map(({ index }) => index),
    [1],
  );
  assert.deepEqual(
    server.applied().map(({ index }) => index),
    [2],
  );
  assert.equal(server.peer.raw.basicStatus().applied, 2);
});
