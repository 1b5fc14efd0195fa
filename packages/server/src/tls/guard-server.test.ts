import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { after, afterEach, describe, test } from 'node:test';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import { type LogFields, type Logger, silentLogger } from '@quorate/base';
import type { TlsSettings } from '../config/tls-settings.ts';
import { guardServer } from './guard-server.ts';
import { Authority, CertificateFolder, type PairFiles } from './testing/authority.ts';
import { tlsSettings } from './testing/settings.ts';
import { TlsMaterial } from './tls-material.ts';

const files = new CertificateFolder();
const closers: (() => void)[] = [];
after(() => files.remove());
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const authority = new Authority();
const ca = files.write(authority.certificate);
const own = authority.issueFiles(files, { commonName: 'server' });
const client = authority.issueFiles(files, { commonName: 'client', hosts: ['10.1.2.3', 'client.example'] });

interface Line extends LogFields {
  readonly message: string;
}

class RecordingLogger implements Logger {
  readonly lines: Line[] = [];
  readonly info = silentLogger.info;
  readonly error = silentLogger.error;
  readonly debug = (message: string, fields?: LogFields) =>
    void this.lines.push({ ...fields, message, level: 'debug' });
  readonly warn = (message: string, fields?: LogFields) => void this.lines.push({ ...fields, message, level: 'warn' });

  /** Problems of the connections that were refused. */
  get rejections(): unknown[] {
    return this.lines
      .filter(({ message }) => message === 'rejected connection on client endpoint')
      .map(({ error }) => error);
  }
}

interface Served {
  readonly port: number;
  readonly logger: RecordingLogger;
  readonly accepted: TLSSocket[];
}

/** A server that says `hello`. */
async function serve(said: Partial<TlsSettings>): Promise<Served> {
  const logger = new RecordingLogger();
  const material = await TlsMaterial.open(logger, tlsSettings({ ...own, skipClientSanVerification: true, ...said }), {
    dials: false,
  });
  const accepted: TLSSocket[] = [];
  const server = createServer(material.serverOptions, (socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.write('hello');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  guardServer(server, material, { logger, endpoint: 'client' });
  closers.push(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, logger, accepted };
}

interface Visit {
  readonly isServed: boolean;
  readonly socket: TLSSocket;
  /** To come back with. Of TLS 1.3 it may come after the first bytes. */
  readonly session: Promise<Buffer>;
}

/** Connects and waits for `hello` or the end. */
function visit({ port }: Served, pair: PairFiles | undefined, options: ConnectionOptions = {}): Promise<Visit> {
  const certificate = pair && { cert: readFileSync(pair.certFile), key: readFileSync(pair.keyFile) };
  const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(ca), ...certificate, ...options });
  closers.push(() => socket.destroy());
  const session = new Promise<Buffer>((resolve) => {
    socket.once('session', resolve);
  });
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('data', () => resolve({ isServed: true, socket, session }));
    socket.once('close', () => resolve({ isServed: false, socket, session }));
  });
}

const isServed = async (...args: Parameters<typeof visit>) => (await visit(...args)).isServed;

describe('who is let in', () => {
  test('everybody where no certificate is asked for', async () => {
    const served = await serve({});
    assert.equal(await isServed(served, undefined), true);
    assert.equal(await isServed(served, client), true);
    assert.deepEqual(served.logger.lines, []);
  });

  test('with an authority, whom it signed; others are named in the log with the reason', async () => {
    const served = await serve({ trustedCaFile: ca });
    assert.equal(await isServed(served, client), true);
    assert.equal(await isServed(served, undefined), false);
    assert.equal(await isServed(served, new Authority('other').issueFiles(files)), false);
    const [yesterday, before] = [new Date(Date.now() - 3_600_000), new Date(Date.now() - 7_200_000)];
    const expired = authority.issueFiles(files, { notBefore: before, notAfter: yesterday });
    assert.equal(await isServed(served, expired), false);
    const serversOnly = authority.issueFiles(files, { usages: ['server'] });
    assert.equal(await isServed(served, serversOnly), false);
    assert.deepEqual(served.logger.rejections, [
      "tls: client didn't provide a certificate",
      'tls: failed to verify certificate: x509: certificate signed by unknown authority',
      'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
      'tls: failed to verify certificate: x509: certificate specifies an incompatible key usage',
    ]);
  });

  test('with client certificates as a must but no authority, whom the system trusts', async () => {
    const before = process.env.SSL_CERT_FILE;
    try {
      process.env.SSL_CERT_FILE = files.write(new Authority('of the system').certificate);
      const others = await serve({ clientCertAuth: true });
      assert.equal(await isServed(others, client), false);
      assert.equal(others.logger.rejections.length, 1);
      process.env.SSL_CERT_FILE = ca;
      assert.equal(await isServed(await serve({ clientCertAuth: true }), client), true);
    } finally {
      if (before === undefined) delete process.env.SSL_CERT_FILE;
      else process.env.SSL_CERT_FILE = before;
    }
  });

  test('only allowed common names, only allowed host names', async () => {
    const byName = await serve({ trustedCaFile: ca, allowedCommonNames: ['client'] });
    assert.equal(await isServed(byName, client), true);
    assert.equal(await isServed(byName, own), false);
    assert.deepEqual(byName.logger.rejections, ['client certificate authentication failed']);
    const byHost = await serve({ trustedCaFile: ca, allowedHostnames: ['client.example'] });
    assert.equal(await isServed(byHost, client), true);
    assert.equal(await isServed(byHost, own), false);
    assert.deepEqual(byHost.logger.lines[0]?.['ip-addresses'], ['127.0.0.1']);
  });

  test('nobody below the lowest version, or without a suite in common', async () => {
    const modern = await serve({ minVersion: 'TLS1.3' });
    assert.equal(await isServed(modern, undefined, { maxVersion: 'TLSv1.2' }), false);
    assert.equal(await isServed(modern, undefined), true);
    const old = await serve({ maxVersion: 'TLS1.2', cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] });
    const { socket } = await visit(old, undefined);
    assert.deepEqual([socket.getProtocol(), socket.getCipher().name], ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384']);
    assert.equal(await isServed(old, undefined, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }), false);
    assert.deepEqual(
      [...modern.logger.rejections, ...old.logger.rejections],
      ['tls: client offered only unsupported versions', 'tls: no cipher suite supported by both client and server'],
    );
  });

  test('nobody who speaks no TLS, or hangs up', async () => {
    const served = await serve({});
    const plain = connectPlain(served.port, '127.0.0.1');
    plain.on('error', () => {});
    plain.end('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await once(plain, 'close');
    const mute = connectPlain(served.port, '127.0.0.1');
    await once(mute, 'connect');
    mute.destroy();
    assert.equal(await isServed(served, undefined), true);
    assert.equal(served.logger.rejections[0], 'tls: first record does not look like a TLS handshake');
    for (const { level, error } of served.logger.lines.slice(1)) assert.deepEqual([level, error], ['debug', 'EOF']);
  });
});

describe('files that change while it serves', () => {
  function replace(pair: PairFiles, by: { readonly cert: string; readonly key: string }): void {
    files.write(by.cert, pair.certFile.slice(files.path.length + 1));
    files.write(by.key, pair.keyFile.slice(files.path.length + 1));
  }

  const subjectSeen = async (served: Served) => (await visit(served, undefined)).socket.getPeerCertificate().subject.CN;

  test('a new certificate is shown from the next handshake on; connections that stand go on', async () => {
    const pair = authority.issueFiles(files, { commonName: 'before' });
    const served = await serve(pair);
    const { socket } = await visit(served, undefined);
    replace(pair, authority.issue({ commonName: 'after' }));
    assert.equal(await subjectSeen(served), 'after');
    served.accepted[0]?.write('still');
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    assert.equal(bytes.toString(), 'still');
  });

  test('broken or half replaced files leave the one before in use, and say so once', async () => {
    const pair = authority.issueFiles(files, { commonName: 'before' });
    const served = await serve(pair);
    const next = authority.issue({ commonName: 'after' });
    replace(pair, { cert: next.cert, key: readFileSync(pair.keyFile, 'utf8') });
    assert.equal(await subjectSeen(served), 'before');
    assert.equal(await subjectSeen(served), 'before');
    assert.deepEqual(
      served.logger.lines.map(({ error }) => error),
      ['tls: private key does not match public key'],
    );
    replace(pair, { cert: 'no certificate', key: next.key });
    assert.equal(await subjectSeen(served), 'before');
    rmSync(pair.certFile);
    assert.equal(await subjectSeen(served), 'before');
    replace(pair, next);
    assert.equal(await subjectSeen(served), 'after');
  });

  test('a new authority counts, for clients who come back with a session too', async () => {
    const bundle = files.write(authority.certificate);
    const served = await serve({ trustedCaFile: bundle });
    const session = await (await visit(served, client)).session;
    const resumed = await visit(served, client, { session });
    assert.equal(resumed.socket.isSessionReused(), true);
    const other = new Authority('other');
    files.write(other.certificate, bundle.slice(files.path.length + 1));
    assert.equal(await isServed(served, client), false);
    assert.equal(await isServed(served, client, { session }), false);
    assert.equal(await isServed(served, other.issueFiles(files)), true);
    files.write('cut short', bundle.slice(files.path.length + 1));
    assert.equal(await isServed(served, other.issueFiles(files)), true);
  });

  test('a revocation list: who is on it is out from the next handshake on', async () => {
    const serialNumber = Buffer.from('0fa0', 'hex');
    const revoked = authority.issueFiles(files, { serialNumber });
    const crlFile = files.write(authority.revoke(Buffer.of(7)));
    const served = await serve({ trustedCaFile: ca, crlFile });
    const session = await (await visit(served, revoked)).session;
    files.write(authority.revoke(Buffer.of(7), serialNumber), crlFile.slice(files.path.length + 1));
    assert.equal(await isServed(served, revoked), false);
    assert.equal(await isServed(served, revoked, { session }), false);
    assert.equal(await isServed(served, client), true);
    const text = 'transport: certificate serial 0fa0 revoked';
    assert.deepEqual(served.logger.rejections, [text, text]);
    // A broken list does not undo the one before.
    files.write('no list', crlFile.slice(files.path.length + 1));
    assert.equal(await isServed(served, revoked), false);
    assert.equal(await isServed(served, client), true);
  });

  test('a revocation list that was never there lets nobody in', async () => {
    const served = await serve({ trustedCaFile: ca, crlFile: `${files.path}/none.crl` });
    assert.equal(await isServed(served, client), false);
    assert.deepEqual(served.logger.rejections, [`open ${files.path}/none.crl: no such file or directory`]);
  });
});

test('many who come at once are all served', async () => {
  const served = await serve({ trustedCaFile: ca });
  const visits = await Promise.all(Array.from({ length: 100 }, () => isServed(served, client)));
  assert.ok(visits.every((isIn) => isIn));
  assert.deepEqual(served.logger.lines, []);
});
