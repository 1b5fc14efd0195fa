import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { chooseCiphers, unknownSuite } from './cipher-suites.ts';

test('suites go by Go’s names, in the order given, with all of TLS 1.3', () => {
  const choice = chooseCiphers([
    'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305',
    'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'TLS_RSA_WITH_AES_256_CBC_SHA',
  ]);
  assert.deepEqual(choice.ciphers.split(':').slice(-3), [
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'AES256-SHA',
  ]);
  assert.equal(choice.ciphers.split(':').filter((name) => name.startsWith('TLS_')).length, 3);
  assert.deepEqual(choice.missing, []);
  createSecureContext({ ciphers: choice.ciphers });
});

test('what this OpenSSL is built without is named', () => {
  assert.deepEqual(chooseCiphers(['TLS_RSA_WITH_RC4_128_SHA']).missing, ['TLS_RSA_WITH_RC4_128_SHA']);
});

test('unknown names are found, names of object members among them', () => {
  assert.equal(unknownSuite(['TLS_RSA_WITH_RC4_128_SHA', 'TLS_AES_256_GCM_SHA384']), undefined);
  assert.equal(unknownSuite(['TLS_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA']), 'ECDHE-RSA-AES128-SHA');
  assert.equal(unknownSuite(['constructor']), 'constructor');
});
