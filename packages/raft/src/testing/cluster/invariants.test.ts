import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Raft } from '../../core/raft.ts';
import { createEntry, EntryType } from '../../entry.ts';
import { createMessage, MessageType } from '../../message.ts';
import type { Ready } from '../../ready.ts';
import { createConfState, StateType } from '../../state.ts';
import { checkObedience, ElectionInvariants } from './election-invariants.ts';
import { checkLimits } from './limits.ts';
import { LogInvariants } from './log-invariants.ts';
import { MembershipInvariants } from './membership-invariants.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import type { SimulatedNode } from './simulated-node.ts';

// What is broken here shows that the checks would see it. Most of them are tried by the mutation check besides.

const entry = (term: number, index: number, value = 0, type: EntryType = EntryType.Normal) =>
  createEntry(term, index, type, Uint8Array.of(value));

/** As much of a node as a check looks at: its entries have term 1 before `lastIndex`, and are not stored from `offset` on. */
function raftWith(lastIndex: number, committed: number, offset = lastIndex + 1): Raft {
  const log = {
    committed,
    applied: 0,
    applying: 0,
    unstable: { offset, count: lastIndex + 1 - offset },
    firstIndex: () => 1,
    lastIndex: () => lastIndex,
    term: () => 1,
    hasPendingSnapshot: () => false,
  };
  return { id: 1n, term: 1, log } as unknown as Raft;
}

test('votes and terms on the disk', () => {
  const elections = new ElectionInvariants();
  const before = { term: 3, vote: 2n, commit: 5 };
  elections.storing(1n, before, { term: 3, vote: 2n, commit: 6 });
  elections.storing(1n, before, { term: 4, vote: 0n, commit: 5 });
  assert.throws(() => elections.storing(1n, before, { ...before, vote: 1n }), /durable vote changed/);
  assert.throws(() => elections.storing(1n, before, { ...before, term: 2 }), /durable term went back/);
  assert.throws(() => elections.storing(1n, before, { ...before, commit: 4 }), /durable commit went back/);
});

test('one vote a term, which is durable when it is given, and one leader', () => {
  const elections = new ElectionInvariants();
  const vote = (to: bigint) => createMessage({ type: MessageType.MsgVoteResp, from: 3n, to, term: 2 });
  elections.voteLeaves(vote(1n), { term: 2, vote: 1n, commit: 0 });
  assert.throws(() => elections.voteLeaves(vote(2n), { term: 2, vote: 2n, commit: 0 }), /two votes/);
  assert.throws(() => elections.voteLeaves(vote(1n), { term: 2, vote: 0n, commit: 0 }), /vote not durable/);
  const leader = (id: bigint, term: number) => ({ id, term, role: { state: StateType.Leader } }) as unknown as Raft;
  const config = { voters: [1n, 3n], votersOutgoing: [] };
  assert.equal(elections.checkLeader(leader(1n, 2), config, { term: 2, vote: 1n, commit: 0 }), true);
  assert.throws(
    () => elections.checkLeader(leader(3n, 2), config, { term: 2, vote: 3n, commit: 0 }),
    /election safety/,
  );
  assert.throws(
    () => elections.checkLeader(leader(1n, 3), config, { term: 3, vote: 1n, commit: 0 }),
    /election without quorum/,
  );
});

test('who meets a newer term or the leader of its own obeys', () => {
  const candidate = { id: 1n, term: 2, vote: 1n, lead: 0n, role: { state: StateType.Candidate }, settings: {} };
  const after = (type: MessageType, term: number) => () =>
    checkObedience(candidate as unknown as Raft, createMessage({ type, from: 2n, term }), 2, 1n);
  assert.throws(after(MessageType.MsgAppResp, 3), /higher term ignored/);
  assert.throws(after(MessageType.MsgApp, 2), /leader ignored/);
  assert.throws(
    () =>
      checkObedience(
        { ...candidate, term: 3 } as unknown as Raft,
        createMessage({ type: MessageType.MsgPreVote }),
        2,
        1n,
      ),
    /pre-vote binds/,
  );
  after(MessageType.MsgApp, 1)();
});

test('logs match, one change at a time', () => {
  const log = new LogInvariants({ index: 1, term: 1 });
  log.handedOut(raftWith(1, 1), [entry(1, 2), entry(1, 3, 0, EntryType.ConfChange)]);
  log.handedOut(raftWith(1, 1), [entry(1, 2), entry(2, 3)]);
  assert.throws(() => log.handedOut(raftWith(1, 1), [entry(1, 2, 7)]), /log matching: two entries/);
  assert.throws(() => log.handedOut(raftWith(2, 1), [entry(2, 2), entry(2, 3)]), /log matching: the logs before/);
  assert.throws(() => log.handedOut(raftWith(3, 1), [entry(1, 4, 0, EntryType.ConfChange)]), /pending changes/);
});

test('what is committed stays, and is applied as it is', () => {
  const log = new LogInvariants({ index: 1, term: 1 });
  const disk = new SimulatedDisk();
  disk.append([entry(1, 1), entry(1, 2), entry(1, 3)]);
  log.handedOut(raftWith(1, 1), [entry(1, 2), entry(1, 3)]);
  assert.equal(log.commitMoved(raftWith(3, 2), 1), true);
  assert.equal(log.commitMoved(raftWith(3, 2), 1), false);
  assert.throws(
    () => log.commitMoved({ ...raftWith(3, 2), log: { committed: 2, term: () => 2 } } as never, 1),
    /safety/,
  );
  log.applying(entry(1, 2), disk);
  assert.throws(() => log.applying(entry(1, 2, 7), disk), /state machine safety/);
  assert.throws(() => log.applying(entry(1, 3), disk), /applied early/);
  assert.throws(() => log.applying(entry(1, 4), disk), /applied but not stored/);
});

test('indexes are in order, and what counts as stored is', () => {
  const log = new LogInvariants({ index: 1, term: 1 });
  const disk = new SimulatedDisk();
  disk.append([entry(1, 1), entry(1, 2)]);
  log.checkIndexes(raftWith(3, 2, 3), disk, 2);
  assert.throws(() => log.checkIndexes(raftWith(3, 2, 3), disk, 3), /commit went back/);
  assert.throws(() => log.checkIndexes(raftWith(3, 4, 3), disk, 2), /commit beyond log/);
  assert.throws(() => log.checkIndexes(raftWith(3, 2, 4), disk, 2), /stable but not stored/);
  log.storing(raftWith(3, 2, 3), disk, [entry(1, 2), entry(2, 3)]);
  assert.throws(() => log.storing(raftWith(3, 2, 3), disk, [entry(2, 2)]), /stable but overwritten/);
});

test('configurations overlap and are the same everywhere', () => {
  const membership = new MembershipInvariants();
  const node = { id: 1n, raft: undefined, disk: { confState: createConfState({ voters: [1n, 2n, 3n] }) } };
  const apply = (index: number, ...voters: bigint[]) =>
    membership.applied(node as unknown as SimulatedNode, index, createConfState({ voters }));
  apply(2, 1n, 2n);
  assert.equal(membership.mayBeStuck, false);
  assert.throws(() => apply(2, 1n, 3n), /configurations differ/);
  assert.throws(() => apply(3, 4n, 5n), /quorums miss each other/);
});

test('limits on what is handed out', () => {
  const entries = [entry(1, 2), entry(1, 3)];
  const ready = (committedEntries: Ready['committedEntries'], messages: Ready['messages']) =>
    ({ committedEntries, messages }) as Ready;
  const append = createMessage({ type: MessageType.MsgApp, entries });
  const options = { maxCommittedSizePerReady: 10, maxSizePerMsg: 10 } as never;
  assert.throws(() => checkLimits(ready(entries, []), options), /limit: too much to apply/);
  assert.throws(() => checkLimits(ready([], [append]), options), /limit: too large a MsgApp/);
  checkLimits(ready(entries.slice(1), []), options);
});
