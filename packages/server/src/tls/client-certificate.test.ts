import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { addressProblem, alternativeNames, isAllowed } from './client-certificate.ts';
import { Authority } from './testing/authority.ts';

const authority = new Authority();
const certificate = (hosts: readonly string[], commonName?: string) =>
  new X509Certificate(authority.issue({ hosts, ...(commonName === undefined ? {} : { commonName }) }).cert);

describe('a client certificate and the address it comes from', () => {
  const resolver = {
    forward: async (name: string) => (name === 'a.example' ? ['10.0.0.1', 'fe80::1'] : Promise.reject(new Error('no'))),
    reverse: async (address: string) => (address === '10.0.0.2' ? ['host.b.example.'] : []),
  };
  for (const [names, address, passes] of [
    [[], '10.0.0.1', true],
    [['10.0.0.1'], '::ffff:10.0.0.1', true],
    [['fe80:0:0:0:0:0:0:1'], 'fe80::1', true],
    [['10.0.0.2'], '10.0.0.1', false],
    [['a.example'], '10.0.0.1', true],
    [['a.example'], 'fe80::1', true],
    [['a.example'], '10.0.0.3', false],
    [['10.0.0.9', 'nowhere.example', 'a.example'], '10.0.0.1', true],
    [['host.b.example'], '10.0.0.2', true],
    [['*.b.example'], '10.0.0.2', true],
    [['*.example'], '10.0.0.2', true],
    [['*.a.example'], '10.0.0.2', false],
  ] as const) {
    test(`${names.join(', ') || 'without names'} from ${address}`, async () => {
      assert.equal((await addressProblem(certificate(names), address, resolver)) === undefined, passes);
    });
  }

  test('what is said of one that does not belong there', async () => {
    assert.equal(
      await addressProblem(certificate(['10.0.0.2', '::1']), '10.0.0.3', resolver),
      'x509: certificate is valid for 10.0.0.2, ::1, not 10.0.0.3',
    );
    assert.equal(
      await addressProblem(certificate(['a.example', 'b.example']), '10.0.0.3', resolver),
      'tls: "10.0.0.3" does not match any of DNSNames ["a.example" "b.example"]',
    );
  });
});

test('a name cannot pass for two, nor for one of another kind', () => {
  const odd = ['a.example, DNS:b.example', 'plain.example', 'c.example, IP Address:10.0.0.1', '10.0.0.2'];
  assert.deepEqual(alternativeNames(certificate(odd)), {
    addresses: ['10.0.0.2'],
    names: ['a.example, DNS:b.example', 'plain.example', 'c.example, IP Address:10.0.0.1'],
  });
});

test('lists of common names are exact, lists of host names know wildcards, addresses and no common names', () => {
  const allowed = (hosts: readonly string[], commonName: string | undefined, lists: object) =>
    isAllowed({ allowedCommonNames: [], allowedHostnames: [], ...lists }, certificate(hosts, commonName));
  assert.equal(allowed([], 'root', {}), true);
  assert.equal(allowed([], 'root', { allowedCommonNames: ['user', 'root'] }), true);
  assert.equal(allowed([], 'root2', { allowedCommonNames: ['root'] }), false);
  assert.equal(allowed([], undefined, { allowedCommonNames: ['root'] }), false);
  assert.equal(allowed([], 'Root, "the" one', { allowedCommonNames: ['Root, "the" one'] }), true);
  assert.equal(allowed([], 'x\nCN=root', { allowedCommonNames: ['root'] }), false);
  assert.equal(allowed(['*.a.example'], undefined, { allowedHostnames: ['x.a.example'] }), true);
  assert.equal(allowed(['*.a.example'], undefined, { allowedHostnames: ['x.y.a.example'] }), false);
  assert.equal(allowed(['10.0.0.1'], undefined, { allowedHostnames: ['10.0.0.1'] }), true);
  assert.equal(allowed([], 'a.example', { allowedHostnames: ['a.example'] }), false);
});
