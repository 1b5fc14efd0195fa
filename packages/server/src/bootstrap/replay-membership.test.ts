import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, membershippb } from '@quorate/api';
import { encodeMember, encodePromotion, encodeV2Attributes, encodeV2Version } from '@quorate/machine';
import {
  ConfChangeType,
  createConfChange,
  createConfState,
  createEntry,
  type Entry,
  EntryType,
  emptyConfState,
  encodeConfChange,
} from '@quorate/raft';
import { forceNewCluster } from './force-new-cluster.ts';
import { changeConfState, replayMembership, simpleChangeOf } from './replay-membership.ts';
import { listed } from './testing/peers.ts';

const nobody = { state: { members: [], removedIds: [], version: undefined }, confState: emptyConfState };
const { AddNode, AddLearnerNode, RemoveNode, UpdateNode } = ConfChangeType;

function entriesOf(...makers: ((index: number) => Entry)[]): Entry[] {
  return makers.map((make, i) => make(i + 1));
}

const change = (type: ConfChangeType, nodeId: bigint, context?: Uint8Array) => (index: number) =>
  createEntry(
    1,
    index,
    EntryType.ConfChange,
    encodeConfChange(createConfChange({ type, nodeId, ...(context ? { context } : {}) })),
  );
const add = (id: bigint, url: string) => change(AddNode, id, encodeMember(listed(id, url)));
const learn = (id: bigint, url: string) =>
  change(AddLearnerNode, id, encodeMember(listed(id, url, { isLearner: true })));
const normal = (data: Uint8Array) => (index: number) => createEntry(1, index, EntryType.Normal, data);
const request = (init: Partial<etcdserverpb.InternalRaftRequest>) =>
  normal(etcdserverpb.InternalRaftRequest.encode(etcdserverpb.InternalRaftRequest.create(init)));
const setVersion = (ver: string) =>
  request({ clusterVersionSet: membershippb.ClusterVersionSetRequest.create({ ver }) });

test('membership follows from the log: both forms of entries, refusals as the first time', () => {
  const attributes = membershippb.Attributes.create({ name: 'b', clientUrls: ['http://b:9'] });
  const memberAttributes = membershippb.ClusterMemberAttrSetRequest.create({
    memberId: 2n,
    memberAttributes: attributes,
  });
  const put = etcdserverpb.PutRequest.create({ key: new Uint8Array(3), value: new Uint8Array(70) });
  const { state, confState } = replayMembership(
    nobody,
    entriesOf(
      add(1n, 'http://a:1'),
      add(2n, 'http://b:1'),
      normal(new Uint8Array(0)),
      normal(encodeV2Attributes(7n, 1n, 'a', ['http://a:9'])),
      normal(encodeV2Version(8n, '3.4.0')),
      request({ clusterMemberAttrSet: memberAttributes }),
      request({ put }),
      add(3n, 'http://a:1'),
      learn(4n, 'http://d:1'),
      learn(5n, 'http://e:1'),
      change(RemoveNode, 2n),
      add(2n, 'http://b:2'),
      setVersion('3.5.0'),
    ),
    1,
  );
  assert.deepEqual(state, {
    members: [
      listed(1n, 'http://a:1', { name: 'a', clientUrls: ['http://a:9'] }),
      listed(4n, 'http://d:1', { isLearner: true }),
    ],
    removedIds: [2n],
    version: '3.5.0',
  });
  assert.deepEqual(confState, createConfState({ voters: [1n], learners: [4n] }));
});

test('the verdict depends on where the replay begins, so it begins where the log does', () => {
  // 3 was refused for the URL of 2. From the membership behind all entries, where 2 is gone, it would be taken.
  const log = entriesOf(add(1n, 'http://a:1'), add(2n, 'http://b:1'), add(3n, 'http://b:1'), change(RemoveNode, 2n));
  const replayed = replayMembership(nobody, log, 1);
  assert.deepEqual(replayed.confState.voters, [1n]);
  const again = replayMembership(replayed, log.slice(2), 1);
  assert.deepEqual(again.confState.voters, [1n, 3n]);
});

test('configurations change as raft changes them', () => {
  const from = createConfState({ voters: [1n, 3n], learners: [2n] });
  const changed = (type: ConfChangeType, nodeId: bigint) => {
    const { voters, learners } = changeConfState(from, { type, nodeId });
    return [voters, learners];
  };
  assert.deepEqual(changed(AddNode, 2n), [[1n, 2n, 3n], []]);
  assert.deepEqual(changed(AddLearnerNode, 3n), [[1n], [2n, 3n]]);
  assert.deepEqual(changed(RemoveNode, 2n), [[1n, 3n], []]);
  assert.deepEqual(changed(UpdateNode, 9n), [[1n, 3n], [2n]]);
});

test('a change of several members at once stops the member', () => {
  const entry = createEntry(4, 17, EntryType.ConfChangeV2, new Uint8Array(0));
  assert.throws(() => simpleChangeOf(entry), {
    code: 'member/conf-change-v2',
    message: 'entry 17 of term 4 is a membership change of a kind that etcd never makes (type 2)',
  });
});

const summaryOf = (entries: readonly Entry[]) =>
  entries.map((entry) => {
    const { type, nodeId, context } = simpleChangeOf(entry);
    return `${entry.term}/${entry.index} ${type} ${nodeId} ${Buffer.from(context).toString()}`.trim();
  });

test('forced alone: what was not committed goes, then all others do', () => {
  const log = {
    hardState: { term: 3, vote: 2n, commit: 4 },
    entries: entriesOf(
      add(1n, 'http://a:1'),
      add(2n, 'http://b:1'),
      add(3n, 'http://c:1'),
      learn(4n, 'http://d:1'),
      add(5n, 'http://e:1'),
    ),
  };
  const confState = createConfState({ voters: [1n, 2n] });
  const forced = forceNewCluster(2n, log, { consistentIndex: 2, confState });
  assert.deepEqual(summaryOf(forced.added), ['3/5 1 1', '3/6 1 3', '3/7 1 4']);
  assert.deepEqual(forced.hardState, { term: 3, vote: 2n, commit: 7 });
  assert.deepEqual(
    forced.entries.map((entry) => entry.index),
    [1, 2, 3, 4, 5, 6, 7],
  );
});

test('forced alone: entries that the database has count as committed', () => {
  const log = {
    hardState: { term: 1, vote: 0n, commit: 1 },
    entries: entriesOf(add(1n, 'http://a:1'), add(2n, 'http://b:1')),
  };
  const confState = createConfState({ voters: [1n, 2n] });
  assert.deepEqual(summaryOf(forceNewCluster(1n, log, { consistentIndex: 2, confState }).added), ['1/3 1 2']);
});

test('forced alone: one that the log does not know, or knows as a learner, becomes a voter first', () => {
  const log = { hardState: { term: 1, vote: 0n, commit: 1 }, entries: entriesOf(add(1n, 'http://a:1')) };
  const added = (learners: bigint[]) =>
    summaryOf(
      forceNewCluster(7n, log, { consistentIndex: 1, confState: createConfState({ voters: [1n], learners }) }).added,
    );
  assert.deepEqual(added([]), ['1/2 0 7 {"id":7,"peerURLs":["http://localhost:2380"]}', '1/3 1 1']);
  assert.deepEqual(added([7n]), [`1/2 0 7 ${Buffer.from(encodePromotion(7n)).toString()}`, '1/3 1 1']);
});
