import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { type Applier, type ApplyResult, Cluster, encodeMember } from '@quorate/machine';
import {
  type AnyConfChange,
  ConfChangeType,
  createConfChange,
  createConfState,
  createEntry,
  type Entry,
  EntryType,
  encodeConfChange,
  type RawNode,
} from '@quorate/raft';
import { createMemoryBackend } from '@quorate/storage';
import { listed } from '../bootstrap/testing/peers.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { EntryMachine } from './entry-machine.ts';

/** A machine whose database has the entries up to 5. What raft is told, and whether callers hear, is noted. */
function start() {
  const clock = new ManualClock();
  const backend = createMemoryBackend({ clock });
  backend.setConsistentIndex(5, 1);
  const cluster = new Cluster({ backend });
  const told: bigint[] = [];
  const answers: ApplyResult[] = [];
  /** Milliseconds that each entry took. */
  const took: number[] = [];
  const applier = {
    appliedIndex: 0,
    revision: 1,
    apply: ({ index }: Entry) => void clock.jump(index),
    advance: (index: number) => backend.setConsistentIndex(index, 1),
  };
  const node = {
    applyConfChange: (change: AnyConfChange) => {
      if ('nodeId' in change) told.push(change.nodeId);
      return createConfState({ voters: told.filter((id) => id !== 0n) });
    },
  };
  const machine = new EntryMachine({
    applier: applier as unknown as Applier,
    cluster,
    backend: () => backend,
    node: node as unknown as RawNode,
    logger: silentLogger,
    clock,
    onApplied: (_data, tookMs) => took.push(tookMs),
    onMembership() {},
    onBatch() {},
  });
  const apply = (entry: Entry) => machine.applyConfChange(entry, (_high, _low, result) => void answers.push(result));
  return { cluster, told, answers, apply, machine, clock, took };
}

function addAt(index: number, id: bigint, url: string): Entry {
  const context = encodeMember(listed(id, url));
  const change = createConfChange({ type: ConfChangeType.AddNode, nodeId: id, context });
  return createEntry(1, index, EntryType.ConfChange, encodeConfChange(change));
}

test('a change that the database has is neither judged nor told to raft again; the next one is', () => {
  const { cluster, told, answers, apply } = start();
  assert.equal(apply(addAt(5, 2n, 'http://b:1')), undefined);
  assert.deepEqual([cluster.members, told, answers], [[], [], []]);
  assert.deepEqual(apply(addAt(6, 3n, 'http://c:1'))?.voters, [3n]);
  assert.deepEqual([cluster.members.length, told, answers.length], [1, [3n], 1]);
});

test('raft is told of no node when a change is refused', () => {
  const { cluster, told, answers, apply } = start();
  apply(addAt(6, 2n, 'http://b:1'));
  apply(addAt(7, 3n, 'http://b:1'));
  assert.deepEqual([cluster.members.length, told], [1, [2n, 0n]]);
  const [, refused] = answers;
  assert.ok(refused?.kind === 'membership' && refused.outcome.kind === 'refused');
});

test('a change of several members at once stops the member', () => {
  const { apply } = start();
  assert.throws(() => apply(createEntry(1, 6, EntryType.ConfChangeV2, new Uint8Array(0))), {
    code: 'member/conf-change-v2',
  });
});

test('it is told how long each entry took, and not what came between batches', () => {
  const { machine, clock, took } = start();
  const apply = (index: number) => machine.apply(createEntry(1, index, EntryType.Normal, new Uint8Array(0)), () => {});
  apply(10);
  apply(3);
  machine.batchApplied();
  clock.jump(1000);
  apply(2);
  assert.deepEqual(took, [10, 3, 2]);
});
