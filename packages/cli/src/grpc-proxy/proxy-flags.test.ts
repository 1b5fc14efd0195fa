import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProxyUsageError, readProxyFlags } from './proxy-flags.ts';

test('flags of etcd, with its defaults', () => {
  const config = readProxyFlags(['--auto-tls=true', '--enable-pprof', '--experimental-serializable-ordering=false']);
  assert.equal(config.clientTls.autoTls, true);
  assert.equal(config.selfSignedValidityYears, 1);
  assert.equal(config.dataDir, 'default.proxy');
  assert.equal(config.servesProfiles, true);
  assert.equal(config.isOrdered, false);
  assert.deepEqual(config.endpoints, ['127.0.0.1:2379']);
});

for (const [flags, problem] of [
  [['--auto-tls', '--self-signed-cert-validity=0'], /^selfSignedCertValidity is invalid/],
  [['--experimental-leasing-prefix=x'], /^--experimental-leasing-prefix is refused: keys that a client leases/],
  [['--experimental-enable-grpc-logging'], /^--experimental-enable-grpc-logging is refused: .*passwords/],
  [['--resolver-ttl=5'], /^invalid resolver-prefix/],
] as const) {
  test(`${flags.join(' ')} is refused with the reason`, () => {
    assert.throws(
      () => readProxyFlags(flags),
      (error: unknown) => error instanceof ProxyUsageError && problem.test(error.message),
    );
  });
}
