import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latin1FromBytes, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { BucketId, createMemoryBackend } from '@quorate/storage';
import type { MembershipMachine } from '../apply/types.ts';
import { ManualClock } from '../watch/testing/manual-clock.ts';
import { Cluster, ConfChangeKind, type MembershipChange } from './cluster.ts';
import { type Member, memberMessage } from './member.ts';
import { encodeMember, encodePromotion } from './member-json.ts';

const big = 14138984027333314880n;

function member(id: bigint, peerUrls: string[], rest: Partial<Member> = {}): Member {
  return { id, name: '', peerUrls, clientUrls: [], isLearner: false, ...rest };
}

function add(added: Member): MembershipChange {
  const type = added.isLearner ? ConfChangeKind.addLearnerNode : ConfChangeKind.addNode;
  return { type, nodeId: added.id, context: encodeMember(added) };
}

const promote = (id: bigint): MembershipChange => ({
  type: ConfChangeKind.addNode,
  nodeId: id,
  context: encodePromotion(id),
});
const remove = (id: bigint): MembershipChange => ({
  type: ConfChangeKind.removeNode,
  nodeId: id,
  context: new Uint8Array(0),
});
const update = (id: bigint, peerUrls: string[]): MembershipChange => ({
  type: ConfChangeKind.updateNode,
  nodeId: id,
  context: encodeMember(member(id, peerUrls)),
});

/** Member 1 and the one with the big id vote, 3 learns, 9 was removed. */
function start() {
  const backend = createMemoryBackend({ clock: new ManualClock() });
  const cluster = new Cluster({ backend });
  for (const each of [
    member(big, ['http://b:1'], { name: 'b' }),
    member(1n, ['http://a:1', 'http://a:2'], { name: 'a' }),
    member(9n, ['http://i:1']),
    member(3n, ['http://c:1'], { isLearner: true }),
  ])
    assert.equal(cluster.apply(add(each)).kind, 'added');
  assert.deepEqual(cluster.apply(remove(9n)), { kind: 'removed', member: member(9n, ['http://i:1']) });
  return { backend, cluster };
}

function stored(backend: ReturnType<typeof start>['backend'], bucket: 4 | 7 | 8): Record<string, string> {
  const pairs: Record<string, string> = {};
  backend.range(bucket, new Uint8Array(1), undefined, 100, (key, value) => {
    pairs[latin1FromBytes(key)] = utf8FromBytes(value);
    return true;
  });
  return pairs;
}

const refusals: { name: string; change: MembershipChange; code: string }[] = [
  { name: 'adding a removed id', change: add(member(9n, ['http://x:1'])), code: 'id-removed' },
  { name: 'adding a present id', change: add(member(1n, ['http://x:1'])), code: 'id-exists' },
  { name: 'adding a used peer URL', change: add(member(4n, ['http://x:1', 'http://a:2'])), code: 'peer-url-exists' },
  {
    name: 'adding a second learner',
    change: add(member(4n, ['http://x:1'], { isLearner: true })),
    code: 'too-many-learners',
  },
  { name: 'promoting an unknown member', change: promote(4n), code: 'id-not-found' },
  { name: 'promoting a voter', change: promote(1n), code: 'not-learner' },
  { name: 'promoting a removed member', change: promote(9n), code: 'id-removed' },
  { name: 'removing an unknown member', change: remove(4n), code: 'id-not-found' },
  { name: 'removing a member twice', change: remove(9n), code: 'id-removed' },
  { name: 'updating an unknown member', change: update(4n, ['http://x:1']), code: 'id-not-found' },
  { name: 'updating to the URL of another', change: update(1n, ['http://b:1']), code: 'peer-url-exists' },
];
for (const { name, change, code } of refusals) {
  test(`${name} is refused: ${code}`, () => {
    const { backend, cluster } = start();
    const before = [cluster.state, stored(backend, BucketId.members)];
    assert.deepEqual(cluster.apply(change), { kind: 'refused', code: `membership/${code}` });
    assert.deepEqual([cluster.state, stored(backend, BucketId.members)], before);
  });
}

test('members go into answers as they are', () => {
  const { cluster } = start();
  const { unknown: _, ...message } = memberMessage(cluster.members[0] as Member);
  assert.deepEqual(message, member(1n, ['http://a:1', 'http://a:2'], { name: 'a' }));
});

test('members are listed by id and stored as etcd writes them', () => {
  const { backend, cluster } = start();
  cluster.setAttributes(big, 'b <&> "\u2028', ['http://b:9']);
  assert.deepEqual(
    cluster.members.map((each) => each.id),
    [1n, 3n, big],
  );
  assert.deepEqual(stored(backend, BucketId.members), {
    '1': '{"id":1,"peerURLs":["http://a:1","http://a:2"],"name":"a"}',
    '3': '{"id":3,"peerURLs":["http://c:1"],"isLearner":true}',
    c437c30fb21fc940: String.raw`{"id":14138984027333314880,"peerURLs":["http://b:1"],"name":"b \u003c\u0026\u003e \"\u2028","clientURLs":["http://b:9"]}`,
  });
  assert.deepEqual(stored(backend, BucketId.membersRemoved), { '9': 'removed' });
});

test('a promotion makes a voter and keeps the rest', () => {
  const { cluster } = start();
  cluster.setAttributes(3n, 'c', ['http://c:9']);
  assert.equal(cluster.apply(promote(3n)).kind, 'promoted');
  assert.deepEqual(cluster.member(3n), member(3n, ['http://c:1'], { name: 'c', clientUrls: ['http://c:9'] }));
});

test('an update changes the peer URLs alone: a learner stays one', () => {
  const { cluster } = start();
  assert.equal(cluster.apply(update(3n, ['http://c:7'])).kind, 'updated');
  assert.deepEqual(cluster.member(3n), member(3n, ['http://c:7'], { isLearner: true }));
  assert.equal(cluster.apply(update(3n, ['http://c:7'])).kind, 'updated');
});

test('attributes of a removed member are passed over, those of one that never was stop this one', () => {
  const { cluster } = start();
  cluster.setAttributes(9n, 'i', []);
  assert.equal(cluster.member(9n), undefined);
  assert.throws(() => cluster.setAttributes(10n, 'k', []), { name: 'InvariantError' });
});

test('a context about another node stops the member', () => {
  const { cluster } = start();
  assert.throws(() => cluster.apply({ ...add(member(4n, ['http://x:1'])), nodeId: 5n }), { name: 'InvariantError' });
});

test('version and downgrade are kept', () => {
  const { backend, cluster } = start();
  const machine: MembershipMachine = cluster;
  assert.equal(cluster.version, undefined);
  machine.setClusterVersion('3.6.0');
  machine.setDowngrade(true, '3.5.0');
  assert.deepEqual(stored(backend, BucketId.cluster), {
    clusterVersion: '3.6.0',
    downgrade: '{"target-version":"3.5.0","enabled":true}',
  });
  const again = new Cluster({ backend });
  assert.deepEqual([again.version, again.downgrade], ['3.6.0', { isEnabled: true, targetVersion: '3.5.0' }]);
  cluster.setDowngrade(false, '3.5.0');
  assert.equal(stored(backend, BucketId.cluster).downgrade, '{"target-version":"","enabled":false}');
  assert.deepEqual(new Cluster({ backend }).downgrade, { isEnabled: false, targetVersion: '' });
});

test('a restart and a snapshot bring the same members', () => {
  const { backend, cluster } = start();
  cluster.setClusterVersion('3.7.0');
  assert.deepEqual(new Cluster({ backend }).state, cluster.state);
  const other = new Cluster({ backend: createMemoryBackend({ clock: new ManualClock() }) });
  other.restore(backend);
  assert.deepEqual(other.state, cluster.state);
  assert.equal(other.isRemoved(9n), true);
});

test('names in a context are read without regard to case, as Go does', () => {
  const { cluster } = start();
  const context = utf8ToBytes('{"ID":4,"PeerUrls":["http://x:1"], "Name":"x\\u0041","unknown":[1.5,{"a":null}]}');
  assert.equal(cluster.apply({ type: 0, nodeId: 4n, context }).kind, 'added');
  assert.deepEqual(cluster.member(4n), member(4n, ['http://x:1'], { name: 'xA' }));
});

test('another membership can be taken over whole', () => {
  const { backend, cluster } = start();
  const other = { members: [member(5n, ['http://e:1'])], removedIds: [1n], version: '3.4.0' };
  cluster.replaceWith(other);
  assert.deepEqual(cluster.state, other);
  assert.deepEqual(new Cluster({ backend }).state, other);
});
