import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hexFromBytes, nextBelow, nextUint64, SeededRandom, utf8ToBytes } from '@quorate/base';
import {
  hashJson,
  hashRequestJson,
  parseHashJson,
  parseHashRequest,
  parseProbeJson,
  parseVersionJson,
} from './documents.ts';
import { checkSender, idFromText, senderOf } from './headers.ts';
import {
  decodeLeaseAnswer,
  decodeLeaseQuestion,
  decodeRenewed,
  encodeLeaseAnswer,
  encodeLeaseQuestion,
  encodeRenewal,
  encodeRenewed,
} from './lease-codec.ts';
import { formatTime, parseTime } from './rfc3339.ts';

const bytes = utf8ToBytes;

describe('times as Go writes them', () => {
  test('no zeros at the end of the fraction', () => {
    assert.equal(formatTime(Date.UTC(2026, 10, 20, 12, 59, 1, 870)), '2026-11-20T12:59:01.87Z');
    assert.equal(formatTime(Date.UTC(2024, 1, 29)), '2024-02-29T00:00:00Z');
    assert.equal(formatTime(5), '1970-01-01T00:00:00.005Z');
  });

  test('zones and nanoseconds are read, nonsense is not', () => {
    const expected = Date.UTC(2026, 10, 20, 12, 59, 1) + 870.850743;
    assert.ok(Math.abs((parseTime('2026-11-20T12:59:01.870850743Z') ?? 0) - expected) < 1e-3);
    assert.equal(parseTime('2026-11-20T14:59:01+02:00'), Date.UTC(2026, 10, 20, 12, 59, 1));
    assert.equal(parseTime('2026-11-20T07:29:01-05:30'), Date.UTC(2026, 10, 20, 12, 59, 1));
    for (const text of ['', '2026-11-20', '2026-11-20T12:59:01', '2026-11-20 12:59:01Z'])
      assert.equal(parseTime(text), undefined);
  });

  test('as the platform reads and writes them, over four centuries', () => {
    const random = new SeededRandom(4);
    for (let round = 0; round < 2000; round++) {
      const wallMs = Date.UTC(1971) + nextBelow(random, 400 * 365 * 24) * 3_600_000 + nextBelow(random, 3_600_000);
      assert.equal(Date.parse(formatTime(wallMs)), wallMs);
      assert.equal(parseTime(new Date(wallMs).toISOString()), wallMs);
    }
  });
});

describe('documents', () => {
  test('versions of 3.4 and of 3.7, decided or not', () => {
    assert.deepEqual(parseVersionJson(bytes('{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}')), {
      server: '3.4.23',
      cluster: '3.4.0',
    });
    const undecided = '{"etcdserver":"3.7.1","etcdcluster":"not_decided","storage":"unknown"}';
    assert.deepEqual(parseVersionJson(bytes(undecided)), { server: '3.7.1', cluster: undefined });
    for (const text of ['', '[]', '{}', 'null', '{"etcdserver":3}'])
      assert.throws(() => parseVersionJson(bytes(text)), { code: 'peer/bad-answer' }, text);
  });

  test('hashes: zeros are left out and read as such', () => {
    assert.equal(hashRequestJson(0), '{}');
    assert.equal(parseHashRequest(bytes(hashRequestJson(7))), 7);
    assert.equal(parseHashRequest(bytes('{}')), 0);
    const seen = '{"header":{"revision":2},"hash":3305255506,"compact_revision":-1}';
    const hash = { revision: 2, hash: 3_305_255_506, compactRevision: -1, hashRevision: 0 };
    assert.deepEqual(parseHashJson(bytes(seen)), hash);
    assert.equal(hashJson({ ...hash, currentRevision: 2 }), seen);
    assert.equal(
      hashJson({ revision: 0, hash: 0, compactRevision: 0, hashRevision: 0, currentRevision: 0 }),
      '{"header":{}}',
    );
    for (const text of ['{"hash":"x"}', '{"hash":-2}', '{"header":5}', '{"hash":1e300}'])
      assert.throws(() => parseHashJson(bytes(text)), { code: 'peer/bad-answer' }, text);
  });

  test('probes', () => {
    const probe = parseProbeJson(bytes('{"OK":true,"Now":"2026-11-20T12:59:01Z"}\n'));
    assert.deepEqual(probe, { isOk: true, wallMs: Date.UTC(2026, 10, 20, 12, 59, 1) });
    assert.deepEqual(parseProbeJson(bytes('{"OK":false}')), { isOk: false, wallMs: undefined });
  });
});

describe('leases', () => {
  test('as etcd was seen to ask', () => {
    assert.equal(hexFromBytes(encodeRenewal(4660n)), '08b424');
    assert.equal(hexFromBytes(encodeLeaseQuestion(4660n, false)), '0a0308b424');
  });

  test('there and back; the answer for another lease is none', () => {
    assert.equal(decodeRenewed(encodeRenewed(5n, 60), 5n), 60);
    assert.throws(() => decodeRenewed(encodeRenewed(6n, 60), 5n), { code: 'peer/bad-answer' });
    assert.deepEqual(decodeLeaseQuestion(encodeLeaseQuestion(0xffff_ffff_ffffn, true)), {
      id: 0xffff_ffff_ffffn,
      wantsKeys: true,
    });
    const lease = { ttlSeconds: 3, grantedTtlSeconds: 60, keys: [bytes('k')] };
    assert.equal(hexFromBytes(encodeLeaseAnswer(5n, lease)), '0a0b0a001005180320'.concat('3c2a016b'));
    assert.deepEqual(decodeLeaseAnswer(encodeLeaseAnswer(5n, lease), 5n).ttlSeconds, 3);
    assert.throws(() => decodeLeaseAnswer(new Uint8Array(0), 5n), { code: 'peer/bad-answer' });
  });
});

describe('headers', () => {
  const read = (headers: Record<string, string>) => (name: string) => headers[name];
  const local = { clusterId: 0xc1n, serverVersion: '3.7.1' };

  test('who may talk to a member of 3.7', () => {
    const check = (version: string, min: string, cluster = 'c1') =>
      checkSender(
        read({ 'x-server-version': version, 'x-min-cluster-version': min, 'x-etcd-cluster-id': cluster }),
        local,
      );
    assert.equal(check('3.0.0', '3.0.0'), 'ok');
    assert.equal(check('3.7.0-rc.1', '3.7.9'), 'ok');
    assert.equal(check('4.1.0', '3.0.0'), 'ok');
    assert.equal(check('2.9.9', '3.0.0', 'c2'), 'incompatible version');
    assert.equal(check('3.8.0', '3.8.0'), 'incompatible version');
    assert.equal(check('3.4.23', '3.0.0', 'c2'), 'cluster ID mismatch');
    for (const text of ['3.4', '3', 'x', '', '3.4.x', '-1.0.0', '3.4.5.6'])
      assert.equal(check(text, '3.0.0'), 'malformed', text);
  });

  test('ids as Go reads them', () => {
    const random = new SeededRandom(1);
    for (let i = 0; i < 100; i++) {
      const id = nextUint64(random);
      assert.equal(idFromText(id.toString(16)), id);
      assert.equal(idFromText(`000000${id.toString(16).toUpperCase()}`), id);
    }
    for (const text of ['', '0x1', '+1', 'g', '1ffffffffffffffff', ' 1'])
      assert.equal(idFromText(text), undefined, text);
  });

  test('senders', () => {
    assert.deepEqual(senderOf(read({ 'x-server-from': 'a', 'x-peerurls': 'http://a:1,http://a:2' })), {
      id: 0xan,
      urls: ['http://a:1', 'http://a:2'],
    });
    assert.equal(senderOf(read({ 'x-server-from': 'a' })), undefined);
    assert.equal(senderOf(read({ 'x-server-from': 'zz', 'x-peerurls': 'http://a:1' })), undefined);
  });
});
