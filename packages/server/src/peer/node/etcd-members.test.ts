import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { etcdserverpb } from '@quorate/api';
import { noMetrics, silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { type Bootstrap, makeBootstrap } from '@quorate/machine';
import { type Entry, MessageType } from '@quorate/raft';
import { freePorts } from '../../testing/free-ports.ts';
import { Authority, CertificateFolder } from '../../tls/testing/authority.ts';
import { tlsSettings } from '../../tls/testing/settings.ts';
import { TlsMaterial } from '../../tls/tls-material.ts';
import { makePeerClient } from '../client/http-peer-client.ts';
import type { PeerDialer } from '../peer-edge.ts';
import { RaftMember } from '../testing/raft-member.ts';
import { type ListeningPeerTransport, makePeerTransport } from '../transport/peer-transport.ts';
import { NodePeerDialer } from './node-peer-dialer.ts';
import { listenPeers, type PeerListener } from './peer-listener.ts';

const clock = new NodeClock();
const built = fileURLToPath(new URL('../../../../../conformance/.bin/etcd37', import.meta.url));
const programs = {
  '3.4': process.env.QUORATE_ETCD ?? '/usr/bin/etcd',
  '3.7': process.env.QUORATE_ETCD37 ?? built,
} as const;
type Version = keyof typeof programs;

const root = mkdtempSync(join(tmpdir(), 'quorate-peers-'));
const files = new CertificateFolder();
after(() => {
  rmSync(root, { recursive: true, force: true });
  files.remove();
});

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = clock.nowMs() + 30_000;
  while (!(await holds())) {
    if (clock.nowMs() > endMs) throw new Error(`it never came true that ${what}`);
    await new Promise<void>((resolve) => clock.setTimer(10, resolve));
  }
}

interface Certificates {
  readonly tls: TlsMaterial;
  readonly flags: readonly string[];
}

interface PairOptions {
  readonly dialerOf?: (dialer: PeerDialer) => PeerDialer;
  readonly certificates?: Certificates;
}

function peerUrls([, etcdPort, ourPort]: readonly [number, number, number], certificates: Certificates | undefined) {
  const scheme = certificates === undefined ? 'http' : 'https';
  return { a: `${scheme}://127.0.0.1:${etcdPort}`, b: `${scheme}://127.0.0.1:${ourPort}` };
}

function secured(certificates: Certificates | undefined): { readonly tls?: TlsMaterial } {
  return certificates === undefined ? {} : { tls: certificates.tls };
}

/** One certificate for both ends and both ways. */
async function makeCertificates(): Promise<Certificates> {
  const authority = new Authority();
  const trustedCaFile = files.write(authority.certificate);
  const { certFile, keyFile } = authority.issueFiles(files, { commonName: 'peer' });
  const settings = tlsSettings({ certFile, keyFile, trustedCaFile, clientCertAuth: true });
  return {
    tls: await TlsMaterial.open(silentLogger, settings, { dials: true }),
    flags: [
      ...['--peer-cert-file', certFile, '--peer-key-file', keyFile],
      ...['--peer-trusted-ca-file', trustedCaFile, '--peer-client-cert-auth'],
    ],
  };
}

/** Member "a" is a real etcd, member "b" our transport with a raft node behind it. */
class MixedPair {
  readonly member: RaftMember;
  readonly transport: ListeningPeerTransport;
  readonly etcdId: bigint;
  private readonly clientUrl: string;
  private readonly listener: PeerListener;
  private readonly dialer: NodePeerDialer;
  private readonly child: ChildProcess;
  private log = '';

  private constructor(parts: {
    version: Version;
    bootstrap: Bootstrap;
    listener: PeerListener;
    ports: readonly [number, number, number];
    dialerOf: (dialer: PeerDialer) => PeerDialer;
    certificates: Certificates | undefined;
  }) {
    const { bootstrap, certificates, listener, ports } = parts;
    const [clientPort] = ports;
    const urls = peerUrls(ports, certificates);
    const idOf = (name: string) => bootstrap.members.find((member) => member.name === name)?.id as bigint;
    this.etcdId = idOf('a');
    this.clientUrl = `http://127.0.0.1:${clientPort}`;
    this.listener = listener;
    this.member = new RaftMember({ memberId: idOf('b'), bootstrap, clock, random: new NodeRandom() });
    this.dialer = new NodePeerDialer({ dialTimeoutMs: 2000, ...secured(certificates) });
    this.transport = makePeerTransport(
      { clock, logger: silentLogger, metrics: noMetrics, dialer: parts.dialerOf(this.dialer) },
      { serverVersion: parts.version === '3.4' ? '3.4.23' : '3.7.1', peerUrls: [urls.b] },
      this.member,
      this.member,
    );
    listener.serve(this.transport.handler);
    this.transport.setPeer(this.etcdId, [urls.a]);
    this.member.start(this.transport);
    this.child = spawn(programs[parts.version], [
      ...['--name', 'a', '--data-dir', mkdtempSync(join(root, 'a-')), '--logger', 'zap', '--log-outputs', 'stderr'],
      ...['--listen-client-urls', this.clientUrl, '--advertise-client-urls', this.clientUrl],
      ...['--listen-peer-urls', urls.a, '--initial-advertise-peer-urls', urls.a],
      ...['--initial-cluster', `a=${urls.a},b=${urls.b}`, '--initial-cluster-token', 'tok'],
      ...(certificates === undefined ? [] : certificates.flags),
    ]);
    this.child.stderr?.on('data', (chunk) => {
      this.log += chunk;
    });
  }

  static async start(version: Version, options: PairOptions = {}): Promise<MixedPair> {
    const { certificates, dialerOf = (dialer: PeerDialer) => dialer } = options;
    const ports = (await freePorts(3)) as [number, number, number];
    const urls = peerUrls(ports, certificates);
    const listener = await listenPeers([urls.b], { logger: silentLogger, ...secured(certificates) });
    const initial = [
      { name: 'a', peerUrls: [urls.a] },
      { name: 'b', peerUrls: [urls.b] },
    ];
    const bootstrap = makeBootstrap((bytes) => createHash('sha1').update(bytes).digest(), initial, 'tok');
    return new MixedPair({ version, bootstrap, listener, ports, dialerOf, certificates });
  }

  async stop(): Promise<void> {
    this.member.stop();
    await this.transport.stop();
    this.dialer.close();
    if (this.child.exitCode === null) {
      this.child.kill('SIGKILL');
      await once(this.child, 'exit');
    }
    await this.listener.close();
  }

  logged(text: string): boolean {
    return this.log.includes(text);
  }

  logTail(): string {
    return this.log.split('\n').slice(-25).join('\n');
  }

  async post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.clientUrl}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  }

  put(key: string, value: string): Promise<unknown> {
    return this.post('kv/put', { key: btoa(key), value: btoa(value) });
  }

  async get(key: string): Promise<string | undefined> {
    const answer = await this.post('kv/range', { key: btoa(key), serializable: true });
    const [found] = (answer.kvs ?? []) as { value: string }[];
    return found && atob(found.value);
  }

  async electsEtcd(): Promise<void> {
    await until('etcd leads', () => this.member.leader === this.etcdId);
    this.member.tick();
    await until('etcd serves', async () => {
      try {
        return (await fetch(`${this.clientUrl}/health`, { signal: AbortSignal.timeout(1000) })).status === 200;
      } catch {
        return false;
      }
    });
  }

  async takesLeadership(): Promise<void> {
    this.member.takeLeadership();
    await until('our member leads', () => this.member.isLeader);
  }

  proposePut(key: string, value: string): void {
    const { InternalRaftRequest, PutRequest } = etcdserverpb;
    const put = PutRequest.create({ key: utf8ToBytes(key), value: utf8ToBytes(value) });
    const header = etcdserverpb.RequestHeader.create({ id: 77n });
    this.member.propose(InternalRaftRequest.encode(InternalRaftRequest.create({ header, put })));
  }

  appliedKeys(): string[] {
    return this.member.applied.map(putKey).filter((key) => key !== '');
  }
}

function putKey(entry: Entry): string {
  try {
    const { put } = etcdserverpb.InternalRaftRequest.decode(entry.data);
    return put === undefined ? '' : utf8FromBytes(put.key);
  } catch {
    return '';
  }
}

/** Runs with a pair; what etcd said last is part of a failure. */
async function withPair(
  version: Version,
  run: (pair: MixedPair) => Promise<void>,
  options: PairOptions = {},
): Promise<void> {
  const pair = await MixedPair.start(version, options);
  try {
    await run(pair);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${pair.logTail()}`, { cause: error });
  } finally {
    await pair.stop();
  }
}

for (const version of Object.keys(programs) as Version[]) {
  const missing = existsSync(programs[version]) ? false : `no etcd ${version} at ${programs[version]}`;
  const title = `beside a real etcd ${version}${missing === false ? '' : ` (${missing})`}`;
  describe(title, { skip: missing, timeout: 120_000 }, () => {
    test('it leads and we follow; then we lead and it follows; entries flow both ways', async () => {
      await withPair(version, async (pair) => {
        const { member } = pair;
        await pair.electsEtcd();
        for (let i = 0; i < 20; i++) await pair.put(`etcd-leads-${i}`, 'x'.repeat(i * 100));
        await until('all of its puts are applied here', () => pair.appliedKeys().length === 20);
        pair.proposePut('forwarded-by-us', 'y');
        await until('what we forwarded is there', async () => (await pair.get('forwarded-by-us')) === 'y');
        assert.ok(member.count(MessageType.MsgHeartbeat) > 0);

        await pair.takesLeadership();
        for (let i = 0; i < 20; i++) await pair.put(`we-lead-${i}`, 'z'.repeat(i * 100));
        assert.ok(member.count(MessageType.MsgProp) >= 20, 'its puts are forwarded to us');
        for (let i = 0; i < 200; i++) pair.proposePut(`own-${i}`, 'w'.repeat(i));
        await until('our own puts are there', async () => (await pair.get('own-199')) === 'w'.repeat(199));
        assert.equal(await pair.get('we-lead-19'), 'z'.repeat(1900));
        assert.equal(pair.appliedKeys().length, 20 + 1 + 20 + 200);

        assert.ok(pair.logged('peer became active'));
        assert.ok(pair.logged('established TCP streaming connection with remote peer'));
        assert.ok(!pair.logged('lost TCP streaming connection with remote peer'), 'no stream broke');
      });
    });

    test('a stream on which raft says nothing outlives the read limit of 5 s', async () => {
      await withPair(version, async (pair) => {
        await pair.electsEtcd();
        const startMs = clock.nowMs();
        await until('6 s are over', () => clock.nowMs() - startMs > 6_000);
        await pair.put('k', 'v');
        assert.ok(!pair.logged('lost TCP streaming connection with remote peer'));
        assert.ok(!pair.logged('prober detected unhealthy status'), 'its probes are answered');
        assert.ok(pair.transport.activeSince(pair.etcdId) !== undefined);
      });
    });

    test('when we open no streams it posts', async () => {
      const withoutStreams = (dialer: PeerDialer): PeerDialer => ({
        request: (request, fresh) => dialer.request(request, fresh),
        upload: (request, body) => dialer.upload(request, body),
        openStream: () => ({ cancel() {} }),
      });
      await withPair(
        version,
        async (pair) => {
          await pair.electsEtcd();
          await pair.put('k', 'v');
          await until('the put is applied here', () => pair.appliedKeys().includes('k'));
        },
        { dialerOf: withoutStreams },
      );
    });

    test("over TLS, each with the other's certificate", async () => {
      await withPair(
        version,
        async (pair) => {
          await pair.electsEtcd();
          await pair.put('etcd-leads', 'x');
          await until('the put is applied here', () => pair.appliedKeys().includes('etcd-leads'));
          await pair.takesLeadership();
          await pair.put('we-lead', 'y');
          assert.equal(await pair.get('we-lead'), 'y');
          assert.ok(!pair.logged('rejected connection'));
        },
        { certificates: await makeCertificates() },
      );
    });

    test('what members ask each other', async () => {
      await withPair(version, async (pair) => {
        await pair.electsEtcd();
        await pair.put('foo', 'bar');
        const client = makePeerClient({ clock, dialer: new NodePeerDialer({ dialTimeoutMs: 1000 }) });
        const { id, peerUrls } = pair.member.members().find((member) => member.id === pair.etcdId) ?? assert.fail();
        const url = peerUrls[0] as string;
        const { clusterId, members } = await client.members(url, 5000);
        assert.equal(clusterId, pair.member.clusterId);
        assert.deepEqual(
          members.map((member) => member.id),
          pair.member.members().map((member) => member.id),
        );
        assert.match((await client.version(url, 5000)).server, new RegExp(`^${version.replace('.', '\\.')}\\.`));
        assert.equal(await client.isDowngradeEnabled(url, 5000), false);
        const hash = await client.hashKeys(url, 2, clusterId, 5000);
        assert.deepEqual([hash.revision, hash.hash, hash.compactRevision], [2, 3_305_255_506, -1]);
        if (version === '3.7')
          await assert.rejects(client.hashKeys(url, 99, clusterId, 5000), {
            code: 'peer/refused',
            message: /future revision/,
          });
        const lease = (await pair.post('lease/grant', { TTL: '60' })).ID as string;
        assert.deepEqual(await client.renewLease(url, BigInt(lease), 5000), { kind: 'found', lease: 60 });
        await pair.post('kv/put', { key: btoa('leased'), lease });
        const ttl = await client.leaseTimeToLive(url, BigInt(lease), true, 5000);
        assert.equal(ttl.kind, 'found');
        assert.deepEqual(ttl.kind === 'found' && [ttl.lease.grantedTtlSeconds, ttl.lease.keys.map(utf8FromBytes)], [
          60,
          ['leased'],
        ]);
        assert.deepEqual(await client.renewLease(url, 5n, 5000), { kind: 'not-found' });
        assert.deepEqual(await client.promote(url, id, '', 5000), { kind: 'not-learner' });
      });
    });
  });
}
