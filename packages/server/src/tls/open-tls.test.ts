import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CodedError, type LogFields, type Logger, silentLogger } from '@quorate/base';
import { makeConfig } from '../config/config.ts';
import { settingsFromFile } from '../config/config-file.ts';
import { parseArguments } from '../config/parse.ts';
import { parseMemberUrls } from '../config/urls.ts';
import { openClientTls, openPeerTls } from './open-tls.ts';
import { Authority, CertificateFolder } from './testing/authority.ts';
import type { TlsMaterial } from './tls-material.ts';

const files = new CertificateFolder();
after(() => files.remove());
const { certFile, keyFile } = new Authority().issueFiles(files);
const other = new Authority().issueFiles(files);

const secureClients = ['--listen-client-urls=https://127.0.0.1:0', '--advertise-client-urls=https://127.0.0.1:0'];
const securePeers = ['--listen-peer-urls=https://127.0.0.1:0'];

function openClients(args: readonly string[], logger: Logger = silentLogger): Promise<TlsMaterial | undefined> {
  const config = makeConfig(parseArguments([...secureClients, ...args]));
  return openClientTls(logger, config, config.listenClientUrls);
}

function openPeers(args: readonly string[], logger: Logger = silentLogger): Promise<TlsMaterial | undefined> {
  return openPeerTls(logger, makeConfig(parseArguments([...securePeers, ...args])));
}

const refusal = (opened: Promise<unknown>) =>
  opened.then(
    () => 'was accepted',
    (error: Error) => error.message,
  );

/** Keeps what is said, with the problem or the URL it is said of. */
function recording(): { readonly logger: Logger; readonly said: string[] } {
  const said: string[] = [];
  const keep = (message: string, fields: LogFields = {}) =>
    void said.push([message, fields.error, fields['client-url'], fields['peer-url']].filter(Boolean).join(': '));
  return { logger: { debug() {}, info: keep, warn: keep, error: keep }, said };
}

test('what etcd refuses of certificates is refused in its words', async () => {
  const none = join(files.path, 'none');
  for (const [args, text] of [
    [
      [],
      'TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:0 with HTTPS scheme',
    ],
    [['--cert-file=c'], 'KeyFile and CertFile must both be present[key: , cert: c]'],
    [['--key-file=k'], 'KeyFile and CertFile must both be present[key: k, cert: ]'],
    [
      [`--cert-file=${certFile}`, `--key-file=${keyFile}`, '--client-cert-file=c'],
      'ClientKeyFile and ClientCertFile must both be present or both absent: key: , cert: c]',
    ],
    [[`--cert-file=${none}`, `--key-file=${keyFile}`], `open ${none}: no such file or directory`],
    [[`--cert-file=${certFile}`, `--key-file=${other.keyFile}`], 'tls: private key does not match public key'],
    [[`--cert-file=${keyFile}`, `--key-file=${keyFile}`], 'tls: failed to find any PEM data in certificate input'],
    [
      [`--cert-file=${certFile}`, `--key-file=${keyFile}`, `--trusted-ca-file=${none}`],
      `open ${none}: no such file or directory`,
    ],
    [['--cipher-suites=TLS_AES_128_GCM_SHA256,nonsense'], 'unexpected TLS cipher suite "nonsense"'],
  ] as const) {
    assert.equal(await refusal(openClients(args)), text);
  }
  for (const [args, text] of [
    [[], 'cannot listen on TLS for 127.0.0.1:0: KeyFile and CertFile are not presented'],
    [['--peer-cert-file=c'], 'KeyFile and CertFile must both be present[key: , cert: c]'],
    [
      [
        ...[`--peer-cert-file=${certFile}`, `--peer-key-file=${keyFile}`],
        ...['--peer-cert-allowed-cn=a,b', '--peer-cert-allowed-hostname=c'],
      ],
      'AllowedCNs and AllowedHostnames are mutually exclusive (cns=["a" "b"], hostnames=["c"])',
    ],
    [['--cipher-suites=nonsense', '--peer-auto-tls'], 'unexpected TLS cipher suite "nonsense"'],
  ] as const) {
    assert.equal(await refusal(openPeers(args)), text);
  }
});

test('half a pair beside plain URLs alone is refused for peers, who dial with it, and not for clients', async () => {
  const config = makeConfig(parseArguments(['--cert-file=c', '--peer-cert-file=c']));
  assert.equal(await openClientTls(silentLogger, config, config.listenClientUrls), undefined);
  assert.match(await refusal(openPeerTls(silentLogger, config)), /^KeyFile and CertFile must both be present/);
});

test('metrics over TLS need the certificate for clients, and alone are reason enough to read it', async () => {
  const metrics = parseMemberUrls('https://127.0.0.1:0');
  const none = makeConfig(parseArguments([]));
  assert.equal(
    await refusal(openClientTls(silentLogger, none, none.listenClientUrls, metrics)),
    'client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url',
  );
  const config = makeConfig(parseArguments([`--cert-file=${certFile}`, `--key-file=${keyFile}`]));
  assert.ok(await openClientTls(silentLogger, config, config.listenClientUrls, metrics));
});

test('versions are looked at before anything starts', () => {
  const refused = (...args: string[]) => {
    try {
      makeConfig(parseArguments(args));
    } catch (error) {
      return (error as Error).message;
    }
    return 'was accepted';
  };
  const unknown = (version: string) => `unexpected TLS version "${version}" (must be one of: TLS1.2, TLS1.3)`;
  assert.equal(refused('--tls-min-version=TLS1.1'), unknown('TLS1.1'));
  assert.equal(refused('--tls-max-version=1.3'), unknown('1.3'));
  assert.equal(
    refused('--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'),
    'min version (TLS1.3) is greater than max version (TLS1.2)',
  );
  assert.equal(
    refused('--tls-min-version=TLS1.3', '--cipher-suites=nonsense'),
    'cipher suites cannot be configured when only TLS1.3 is enabled',
  );
  assert.equal(refused('--tls-min-version=', '--tls-max-version='), 'was accepted');
});

test('certificates beside plain URLs are said to be of no use', async () => {
  const { logger, said } = recording();
  const args = [`--cert-file=${certFile}`, `--key-file=${keyFile}`, '--client-cert-auth'];
  const config = makeConfig(parseArguments(args));
  assert.equal(await openClientTls(logger, config, config.listenClientUrls), undefined);
  assert.deepEqual(said, [
    'scheme is http or unix while key and cert files are present; ignoring key and cert files: http://localhost:2379',
    'scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL: http://localhost:2379',
  ]);
});

test('certificates of its own making lie in the data directory; given ones win', async () => {
  const data = join(files.path, 'data');
  const { logger, said } = recording();
  const clients = await openClients([`--data-dir=${data}`, '--auto-tls', '--client-cert-auth'], logger);
  assert.equal(clients?.settings.certFile, join(data, 'fixtures', 'client', 'cert.pem'));
  assert.equal(clients?.demandsCertificate, false);
  const peers = await openPeers([`--data-dir=${data}`, '--peer-auto-tls']);
  assert.equal(peers?.clientOptions.rejectUnauthorized, false);
  assert.ok(existsSync(join(data, 'fixtures', 'peer', 'key.pem')));
  said.length = 0;
  const given = [`--cert-file=${certFile}`, `--key-file=${keyFile}`];
  assert.equal((await openClients(['--auto-tls', ...given], logger))?.settings.certFile, certFile);
  assert.deepEqual(said, ['ignoring client auto TLS since certs given', 'starting with client TLS']);
});

test('a validity of no years is fatal on the command line, and one year in a file', async () => {
  const { logger, said } = recording();
  const text = 'selfSignedCertValidity is invalid,it should be greater than 0';
  await assert.rejects(openPeers(['--peer-auto-tls', '--self-signed-cert-validity=0'], logger), {
    code: 'tls/self-signed',
    message: 'failed to get peer self-signed certs',
    cause: new CodedError('tls/config', text),
  });
  assert.deepEqual(said, [`cannot generate cert: ${text}`]);
  assert.equal(makeConfig(settingsFromFile({ 'self-signed-cert-validity': 0 })).selfSignedValidityYears, 1);
});

test('a file can name common names that clients must have', () => {
  const tree = { 'client-transport-security': { 'allowed-cn': ['a', 'b'], 'client-cert-auth': true } };
  const { clientTls } = makeConfig(settingsFromFile(tree));
  assert.deepEqual([clientTls.allowedCommonNames, clientTls.clientCertAuth], [['a', 'b'], true]);
});
