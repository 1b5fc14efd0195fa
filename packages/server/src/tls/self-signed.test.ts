import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { silentLogger } from '@quorate/base';
import { alternativeNames } from './client-certificate.ts';
import { selfSignedFiles } from './self-signed.ts';
import { CertificateFolder } from './testing/authority.ts';

const files = new CertificateFolder();
after(() => files.remove());
const hosts = ['10.0.0.1', 'host.example', '::1', 'fe80::a:b'];

test('a certificate of its own making: P-521, for its hosts, valid for whole years, usable by TLS', async () => {
  const folder = join(files.path, 'new', 'client');
  const { certFile, keyFile } = await selfSignedFiles(silentLogger, { folder, hosts, validityYears: 2 });
  assert.deepEqual([certFile, keyFile], [join(folder, 'cert.pem'), join(folder, 'key.pem')]);
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
  const certificate = new X509Certificate(cert);
  assert.equal(certificate.subject, 'O=etcd');
  assert.equal(certificate.ca, true);
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'secp521r1');
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.deepEqual(alternativeNames(certificate), {
    addresses: ['10.0.0.1', '::1', 'fe80::a:b'],
    names: ['host.example'],
  });
  assert.equal(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom), 2 * 365 * 86_400_000);
  assert.match(key.toString(), /^-----BEGIN EC PRIVATE KEY-----/);
  createSecureContext({ cert, key });
});

test('files of an earlier start are taken as they are; half of them are not', async () => {
  const options = { folder: join(files.path, 'kept'), hosts, validityYears: 1 };
  const { certFile, keyFile } = await selfSignedFiles(silentLogger, options);
  const before = readFileSync(certFile);
  await selfSignedFiles(silentLogger, { ...options, hosts: ['10.9.9.9'] });
  assert.deepEqual(readFileSync(certFile), before);
  rmSync(keyFile);
  await selfSignedFiles(silentLogger, options);
  assert.notDeepEqual(readFileSync(certFile), before);
});

test('no years at all are refused', () =>
  assert.rejects(selfSignedFiles(silentLogger, { folder: files.path, hosts, validityYears: 0 }), {
    code: 'tls/config',
    message: 'selfSignedCertValidity is invalid,it should be greater than 0',
  }));
