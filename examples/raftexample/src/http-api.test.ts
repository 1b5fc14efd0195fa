import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { type AnyConfChange, ConfChangeType, createConfChange, proposalDropped } from '@quorate/raft';
import { createApi, valueBytesMax } from './http-api.ts';
import { KeyValueStore } from './key-value-store.ts';
import { Members } from './members.ts';

const store = new KeyValueStore();
const members = new Members();
const proposed: string[] = [];
let isLeaderless = false;

async function take(what: string): Promise<void> {
  if (isLeaderless) throw proposalDropped;
  proposed.push(what);
}

const node = {
  propose: async (payload: Uint8Array | readonly Uint8Array[]) => {
    const command = payload as Uint8Array;
    await take(utf8FromBytes(command));
    store.apply(command);
  },
  proposeConfChange: (change: AnyConfChange) => {
    assert.ok('nodeId' in change);
    return take(`${change.type} ${change.nodeId} ${utf8FromBytes(change.context)}`);
  },
};
const api = createApi({ store, node, members });
let url: string;

before(async () => {
  for (const id of [1n, 2n]) {
    const context = utf8ToBytes(`http://127.0.0.1:${id}`);
    members.apply(createConfChange({ type: ConfChangeType.AddNode, nodeId: id, context }));
  }
  await once(api.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
});

after(() => {
  api.close();
  api.closeAllConnections();
});

async function ask(method: string, path: string, body?: string | Uint8Array): Promise<[status: number, text: string]> {
  const answer = await fetch(`${url}${path}`, { method, ...(body === undefined ? {} : { body }) });
  return [answer.status, await answer.text()];
}

test('a value is put, and got by the same path', async () => {
  assert.deepEqual(await ask('GET', '/a/b?c=%20'), [404, 'no such key\n']);
  assert.deepEqual(await ask('PUT', '/a/b?c=%20', 'größer'), [204, '']);
  assert.deepEqual(await ask('GET', '/a/b?c=%20'), [200, 'größer']);
  assert.deepEqual(await ask('PUT', '/empty', ''), [204, '']);
  assert.deepEqual(await ask('GET', '/empty'), [200, '']);
});

test('what is no text, or too much, is refused', async () => {
  const [status, text] = await ask('PUT', '/k', Uint8Array.of(0x61, 0xff));
  assert.equal(status, 400);
  assert.match(text, /^the body cannot be taken: .*utf-8/);
  assert.deepEqual(await ask('PUT', '/k', 'x'.repeat(valueBytesMax + 1)), [
    400,
    'the body cannot be taken: it has more than 1048576 bytes\n',
  ]);
  assert.deepEqual(await ask('GET', '/k'), [404, 'no such key\n']);
  assert.deepEqual(await ask('PUT', '/k', 'x'.repeat(valueBytesMax)), [204, '']);
});

test('nodes are added and removed', async () => {
  proposed.length = 0;
  assert.deepEqual(await ask('POST', '/4', 'http://127.0.0.1:42379'), [204, '']);
  assert.deepEqual(await ask('DELETE', '/2'), [204, '']);
  assert.deepEqual(proposed, ['0 4 http://127.0.0.1:42379', '1 2 ']);
});

test('changes that cannot be are told so', async () => {
  proposed.length = 0;
  for (const path of ['/', '/x', '/0', '/-1', '/1/2', '/99999999999999999999'])
    assert.deepEqual(await ask('DELETE', path), [400, 'the path is not the id of a node\n'], path);
  assert.deepEqual(await ask('POST', '/4', '127.0.0.1'), [400, 'the body is not a URL as http://127.0.0.1:42379\n']);
  assert.deepEqual(await ask('DELETE', '/9'), [400, 'there is no node 9\n']);
  assert.deepEqual(proposed, []);
});

test('other methods', async () => {
  const answer = await fetch(`${url}/k`, { method: 'PATCH', body: 'x' });
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.get('allow'), 'PUT, GET, POST, DELETE');
});

test('without a leader nothing is taken', async () => {
  isLeaderless = true;
  assert.deepEqual(await ask('PUT', '/k', 'v'), [503, 'raft proposal dropped\n']);
  assert.deepEqual(await ask('DELETE', '/2'), [503, 'raft proposal dropped\n']);
  isLeaderless = false;
});
