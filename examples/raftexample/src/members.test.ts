import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8ToBytes } from '@quorate/base';
import { type ConfChange, ConfChangeType, createConfChange } from '@quorate/raft';
import { Members, peerUrl } from './members.ts';

function add(nodeId: bigint, url: string): ConfChange {
  return createConfChange({ type: ConfChangeType.AddNode, nodeId, context: utf8ToBytes(url) });
}

function remove(nodeId: bigint): ConfChange {
  return createConfChange({ type: ConfChangeType.RemoveNode, nodeId });
}

test('nodes come, move and go; what cannot be changes nothing', () => {
  const members = new Members();
  assert.equal(members.apply(add(1n, 'http://a:1')), true);
  assert.equal(members.apply(remove(1n)), false, 'the last one stays');
  assert.equal(members.apply(remove(2n)), false, 'there is none');
  assert.equal(members.apply(add(2n, 'http://b:1')), true);
  assert.equal(members.apply(add(2n, 'http://b:2')), true, 'it moves');
  assert.equal(members.apply(remove(1n)), true);
  assert.equal(members.apply(add(1n, 'http://a:1')), false, 'removed for good');
  assert.deepEqual([...members.urls], [[2n, 'http://b:2']]);
  assert.deepEqual([...members.removed], [1n]);

  const copy = new Members();
  copy.apply(add(7n, 'http://old:1'));
  copy.restore(JSON.parse(JSON.stringify(members.snapshot())));
  assert.deepEqual(copy, members);
});

test('peer URLs', () => {
  assert.equal(peerUrl(' http://127.0.0.1:42379/\n'), 'http://127.0.0.1:42379');
  assert.equal(peerUrl('http://[::1]:1'), 'http://[::1]:1');
  for (const bad of ['', '127.0.0.1:1', 'https://a:1', 'http://a', 'http://a:1/path', 'http://a:1?x', 'http://a:99999'])
    assert.equal(peerUrl(bad), undefined, bad);
});
