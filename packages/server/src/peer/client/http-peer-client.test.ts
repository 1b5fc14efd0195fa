import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { utf8FromBytes } from '@quorate/base';
import type { PeerClient } from '../peer-client.ts';
import type { PeerAnswer } from '../peer-edge.ts';
import { encodeLeaseAnswer, encodeRenewed } from '../protocol/lease-codec.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeNetwork } from '../testing/fake-network.ts';
import { makePeerClient } from './http-peer-client.ts';

const url = 'http://a:1';
let clock: FakeClock;
let network: FakeNetwork;
let client: PeerClient;

beforeEach(() => {
  clock = new FakeClock();
  network = new FakeNetwork(clock);
  network.handlers.set(url, { handle: () => assert.fail('the network answers') });
  client = makePeerClient({ clock, dialer: network });
});

function answer(status: number, body: string | Uint8Array, headers: Record<string, string> = {}): void {
  const whole: PeerAnswer = { kind: 'whole', status, headers, body };
  network.answers = () => whole;
}

/** Lets time pass until there is an outcome. */
async function outcome<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  await clock.advance(10_000);
  assert.equal(clock.timerCount, 0);
  return promise;
}

describe('questions to other members', () => {
  test('members, with the id of their cluster', async () => {
    answer(200, '[{"id":14627081221937520288,"peerURLs":["http://a:1"],"name":"a"}]\n', { 'X-Etcd-Cluster-Id': 'c1' });
    const { clusterId, members } = await outcome(client.members(url, 1000));
    assert.equal(clusterId, 0xc1n);
    assert.deepEqual(
      members.map(({ id, name }) => [id, name]),
      [[14_627_081_221_937_520_288n, 'a']],
    );
    for (const [status, body, headers] of [
      [200, '[]', {}],
      [200, 'x', { 'X-Etcd-Cluster-Id': 'c1' }],
      [200, '[5]', { 'X-Etcd-Cluster-Id': 'c1' }],
      [500, '[]', { 'X-Etcd-Cluster-Id': 'c1' }],
    ] as const) {
      answer(status, body, headers);
      await assert.rejects(outcome(client.members(url, 1000)), { code: 'peer/bad-answer' });
    }
  });

  test('nobody there, and nobody who answers in time', async () => {
    network.down.add(url);
    await assert.rejects(outcome(client.version(url, 1000)), { code: 'peer/unreachable' });
    network.down.clear();
    network.hangs = () => true;
    const asked = clock.nowMs();
    let rejectedAtMs = 0;
    const asking = client.version(url, 1000).catch((error: unknown) => {
      rejectedAtMs = clock.nowMs();
      throw error;
    });
    await assert.rejects(outcome(asking), { code: 'peer/unreachable' });
    assert.equal(rejectedAtMs - asked, 1000);
  });

  test('downgrades, which 3.4 does not know', async () => {
    for (const [status, body, expected] of [
      [200, 'true', true],
      [200, 'false', false],
      [404, '404 page not found\n', false],
    ] as const) {
      answer(status, body);
      assert.equal(await outcome(client.isDowngradeEnabled(url, 1000)), expected);
    }
    for (const [status, body] of [
      [200, 'maybe'],
      [500, 'failed linearized read: x\n'],
    ] as const) {
      answer(status, body);
      await assert.rejects(outcome(client.isDowngradeEnabled(url, 1000)), { code: 'peer/bad-answer' });
    }
  });

  test('promotions', async () => {
    const notReady = 'etcdserver: can only promote a learner member which is in sync with leader\n';
    for (const [status, body, kind] of [
      [200, '[]\n', 'promoted'],
      [404, 'membership: ID not found\n', 'not-found'],
      [408, '', 'timeout'],
      [412, notReady, 'not-ready'],
      [412, 'membership: can only promote a learner member\n', 'not-learner'],
      [412, 'other\n', 'retry'],
      [500, '{"message":"Internal Server Error"}', 'retry'],
    ] as const) {
      answer(status, body);
      assert.equal((await outcome(client.promote(url, 5n, 't.1', 1000))).kind, kind);
    }
    const { method, path, headers } = network.requests[0] ?? assert.fail();
    assert.deepEqual([method, path, headers], ['POST', '/members/promote/5', { Authorization: 't.1' }]);
    await outcome(client.promote(url, 5n, '', 1000));
    assert.deepEqual(network.requests.at(-1)?.headers, {});
  });

  test('hashes: a GET with a body; a refusal carries the text', async () => {
    answer(200, '{"header":{"revision":2},"hash":3305255506,"compact_revision":-1}');
    assert.equal((await outcome(client.hashKeys(url, 2, 0xc1n, 1000))).hash, 3_305_255_506);
    const request = network.requests[0] ?? assert.fail();
    assert.equal(request.method, 'GET');
    assert.equal(utf8FromBytes(request.body ?? assert.fail()), '{"revision":2}');
    assert.deepEqual(request.headers, { 'Content-Type': 'application/json', 'X-Etcd-Cluster-Id': 'c1' });
    answer(400, 'mvcc: required revision has been compacted\n');
    await assert.rejects(outcome(client.hashKeys(url, 2, 0xc1n, 1000)), {
      code: 'peer/refused',
      message: 'mvcc: required revision has been compacted',
    });
  });

  test('leases', async () => {
    answer(200, encodeRenewed(5n, 60));
    assert.deepEqual(await outcome(client.renewLease(url, 5n, 1000)), { kind: 'found', lease: 60 });
    await assert.rejects(outcome(client.renewLease(url, 6n, 1000)), { code: 'peer/bad-answer' });
    answer(200, encodeLeaseAnswer(5n, { ttlSeconds: 3, grantedTtlSeconds: 60, keys: [] }));
    const found = await outcome(client.leaseTimeToLive(url, 5n, true, 1000));
    assert.deepEqual(found, { kind: 'found', lease: { ttlSeconds: 3, grantedTtlSeconds: 60, keys: [] } });
    answer(200, '');
    await assert.rejects(outcome(client.leaseTimeToLive(url, 5n, true, 1000)), { code: 'peer/bad-answer' });
    answer(404, 'lease not found\n');
    assert.deepEqual(await outcome(client.renewLease(url, 5n, 1000)), { kind: 'not-found' });
    for (const [status, text] of [
      [404, '404 page not found'],
      [400, 'not a primary lessor'],
      [408, 'waiting for node to catch up its applied index has timed out'],
    ] as const) {
      answer(status, `${text}\n`);
      const reason = `status ${status}: ${text}`;
      assert.deepEqual(await outcome(client.leaseTimeToLive(url, 5n, false, 1000)), { kind: 'retry', reason });
    }
  });
});
