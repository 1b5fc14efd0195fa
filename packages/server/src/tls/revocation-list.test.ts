import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revokedSerials } from './revocation-list.ts';
import { Authority } from './testing/authority.ts';

const authority = new Authority();

test('serial numbers of a list, however they are written', () => {
  const long = Buffer.alloc(20, 0xab);
  const list = authority.revoke(Buffer.of(1), Buffer.of(0, 0xff), Buffer.of(0x0a, 0xb0), long);
  assert.deepEqual([...revokedSerials(list)], ['1', 'FF', 'AB0', long.toString('hex').toUpperCase()]);
});

test('a list of nobody', () => {
  assert.equal(revokedSerials(authority.revoke()).size, 0);
});

test('many', () => {
  const serials = Array.from({ length: 20_000 }, (_, i) => Buffer.of(1 + (i >> 16), (i >> 8) & 0xff, i & 0xff));
  assert.equal(revokedSerials(authority.revoke(...serials)).size, serials.length);
});

test('what is no list, or is cut short anywhere, is refused', () => {
  const list = authority.revoke(Buffer.of(1), Buffer.of(2));
  for (let length = 0; length < list.length; length++) {
    assert.throws(() => revokedSerials(list.subarray(0, length)), { code: 'tls/crl' }, `${length} bytes`);
  }
  assert.throws(() => revokedSerials(Buffer.from('-----BEGIN X509 CRL-----')), { code: 'tls/crl' });
});
