import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { MembershipState } from './cluster.ts';
import { decodeV2Store, encodeV2Store } from './v2-store.ts';

const state: MembershipState = {
  members: [
    { id: 3n, name: '', peerUrls: ['http://c:1'], clientUrls: [], isLearner: true },
    { id: 0xc437c30fb21fc940n, name: 'a<b', peerUrls: ['http://a:1'], clientUrls: ['http://a:9'], isLearner: false },
  ],
  removedIds: [9n, 0xf000000000000000n],
  version: '3.4.0',
};

test('a membership there and back', () => {
  assert.deepEqual(decodeV2Store(encodeV2Store(state)), state);
  const fresh = { ...state, removedIds: [], version: undefined };
  assert.deepEqual(decodeV2Store(encodeV2Store(fresh)), fresh);
});

test('the tree is as etcd has it', () => {
  const node = (path: string, value: string, children: string) =>
    `{"Path":"${path}","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"${value}","Children":${children}}`;
  const id = 'c437c30fb21fc940';
  const members = `/0/members/${id}`;
  const one = { members: state.members.slice(1), removedIds: [9n], version: '3.4.0' };
  const attributes = String.raw`{\"name\":\"a\\u003cb\",\"clientURLs\":[\"http://a:9\"]}`;
  const raft = String.raw`{\"peerURLs\":[\"http://a:1\"]}`;
  const leaves = `{"attributes":${node(`${members}/attributes`, attributes, 'null')},"raftAttributes":${node(`${members}/raftAttributes`, raft, 'null')}}`;
  const cluster = [
    `{"members":${node('/0/members', '', `{"${id}":${node(members, '', leaves)}}`)}`,
    `"removed_members":${node('/0/removed_members', '', `{"9":${node('/0/removed_members/9', '', 'null')}}`)}`,
    `"version":${node('/0/version', '3.4.0', 'null')}}`,
  ].join(',');
  const root = node('/', '', `{"0":${node('/0', '', cluster)},"1":${node('/1', '', '{}')}}`);
  assert.equal(utf8FromBytes(encodeV2Store(one)), `{"Root":${root},"CurrentIndex":2,"CurrentVersion":2}`);
});

test('empty directories of old versions are tolerated, content is not', () => {
  const text = utf8FromBytes(encodeV2Store(state));
  const withTwo = (children: string) => text.replace('"1":{', `"2":{"Value":"","Children":${children}},"1":{`);
  assert.deepEqual(decodeV2Store(utf8ToBytes(withTwo('{"roles":{"Children":{}}}'))), state);
  assert.throws(() => decodeV2Store(utf8ToBytes(withTwo('{"key":{"Value":"v","Children":null}}'))), {
    code: 'membership/bad-v2-store',
  });
});

const broken = [
  '',
  '[]',
  '{}',
  '{"Root":{"Children":{"0":3}}}',
  '{"Root":{"Children":{"0":{"Children":{"members":{"Children":{"zz":{"Children":{}}}}}}}}}',
  '{"Root":{"Children":{"0":{"Children":{"members":{"Children":{"1":{"Children":{}}}}}}}}}',
  '{"Root":{"Children":{"0":{"Children":{"members":{"Children":{"1":{"Children":{"other":{"Value":""}}}}}}}}}}',
];
for (const text of broken) {
  test(`broken store ${text.slice(0, 90)}`, () => {
    assert.throws(() => decodeV2Store(utf8ToBytes(text)), { code: 'membership/bad-v2-store' });
  });
}
