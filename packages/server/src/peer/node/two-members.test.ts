import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { CodedError, noMetrics, SeededRandom, silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { makeBootstrap } from '@quorate/machine';
import { createEntry, createMessage, type Message, MessageType } from '@quorate/raft';
import type { TlsSettings } from '../../config/tls-settings.ts';
import { selfSignedFiles } from '../../tls/self-signed.ts';
import { Authority, CertificateFolder } from '../../tls/testing/authority.ts';
import { tlsSettings } from '../../tls/testing/settings.ts';
import { TlsMaterial } from '../../tls/tls-material.ts';
import type { PeerLimits } from '../peer-limits.ts';
import { RaftMember } from '../testing/raft-member.ts';
import { countedSnapshot, RecordingSource } from '../testing/recording-source.ts';
import { type ListeningPeerTransport, makePeerTransport } from '../transport/peer-transport.ts';
import { NodePeerDialer } from './node-peer-dialer.ts';
import { listenPeers, type PeerListener } from './peer-listener.ts';

const clock = new NodeClock();
const a = 0xan;
const b = 0xbn;
const closers: (() => Promise<void> | void)[] = [];
const folder = mkdtempSync(join(tmpdir(), 'quorate-peers-'));

after(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface End {
  readonly source: RecordingSource;
  readonly transport: ListeningPeerTransport;
  readonly listener: PeerListener;
  readonly url: string;
  /** Streams that the other opened. */
  served: number;
}

interface EndOptions {
  readonly url?: string;
  readonly tls?: TlsMaterial;
  readonly limits?: Partial<PeerLimits>;
}

async function end(source: RecordingSource, options: EndOptions = {}): Promise<End> {
  const { url = 'http://127.0.0.1:0', tls, limits = {} } = options;
  const secure = tls === undefined ? {} : { tls };
  const listener = await listenPeers([url], { logger: silentLogger, ...secure });
  const dialer = new NodePeerDialer({ dialTimeoutMs: 2000, ...secure });
  const [bound] = listener.urls as [string];
  const transport = makePeerTransport(
    { clock, logger: silentLogger, metrics: noMetrics, dialer },
    { serverVersion: '3.7.1', peerUrls: [bound], limits },
    source,
    source,
  );
  const made: End = { source, transport, listener, url: bound, served: 0 };
  listener.serve({
    handle: async (request) => {
      const answer = await transport.handler.handle(request);
      if (answer.kind === 'stream') made.served++;
      return answer;
    },
  });
  closers.push(async () => {
    await transport.stop();
    dialer.close();
    await listener.close();
  });
  return made;
}

async function pair(options: EndOptions = {}, other: EndOptions = options): Promise<[End, End]> {
  const ends: [End, End] = [
    await end(new RecordingSource(a, 1n), options),
    await end(new RecordingSource(b, 1n), other),
  ];
  ends[0].transport.setPeer(b, [ends[1].url]);
  ends[1].transport.setPeer(a, [ends[0].url]);
  return ends;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = clock.nowMs() + 20_000;
  while (!holds()) {
    if (clock.nowMs() > endMs) throw new Error(`it never came true that ${what}`);
    await new Promise<void>((resolve) => clock.setTimer(5, resolve));
  }
}

/** All four streams stand. */
async function connected(ends: readonly End[]): Promise<void> {
  await until('both have opened their streams', () => ends.every((each) => each.served >= 2));
}

function vote(index: number): Message {
  return createMessage({ type: MessageType.MsgVote, from: a, to: b, term: 2, index });
}

function append(index: number, size = 100): Message {
  const entries = [createEntry(2, index + 1, 0, new Uint8Array(size).fill(index))];
  return createMessage({
    type: MessageType.MsgApp,
    from: a,
    to: b,
    term: 2,
    logTerm: 2,
    index,
    entries,
    commit: index,
  });
}

/** Sends until one arrives: streams may still be on their way up. */
async function arrives(ends: [End, End], message: Message): Promise<void> {
  const before = ends[1].source.messages.length;
  await until('a message arrives', () => {
    ends[0].transport.send([message]);
    return ends[1].source.messages.length > before;
  });
}

/** A way between two ends that can be cut. */
class Relay {
  readonly sockets = new Set<Socket>();
  isClosed = false;
  private readonly server: Server;

  constructor(target: string) {
    const { hostname, port } = new URL(target);
    this.server = createServer((socket) => {
      if (this.isClosed) {
        socket.destroy();
        return;
      }
      const onward = connect(Number(port), hostname);
      for (const each of [socket, onward]) {
        this.sockets.add(each);
        each.on('error', () => {});
        each.on('close', () => {
          this.sockets.delete(each);
          socket.destroy();
          onward.destroy();
        });
      }
      socket.pipe(onward).pipe(socket);
    });
  }

  async listen(): Promise<string> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    closers.push(() => {
      this.cut();
      this.server.close();
    });
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

describe('over loopback', { timeout: 60_000 }, () => {
  test('messages of both streams arrive in order', async () => {
    const ends = await pair();
    await connected(ends);
    const votes = Array.from({ length: 500 }, (_, i) => vote(i));
    const appends = Array.from({ length: 500 }, (_, i) => append(i, (i * 37) % 5000));
    for (let i = 0; i < 500; i += 10) ends[0].transport.send([...appends.slice(i, i + 10), ...votes.slice(i, i + 10)]);
    const { messages } = ends[1].source;
    await until('all are there', () => messages.length === 1000);
    assert.deepEqual(
      messages.filter((message) => message.type === MessageType.MsgVote),
      votes,
    );
    assert.deepEqual(
      messages.filter((message) => message.type === MessageType.MsgApp),
      appends,
    );
    assert.deepEqual(ends[0].source.unreachable, []);
  });

  test('cut connections are made again, and posts help meanwhile', async () => {
    const one = await end(new RecordingSource(a, 1n));
    const two = await end(new RecordingSource(b, 1n));
    const ends: [End, End] = [one, two];
    const [forth, back] = [new Relay(two.url), new Relay(one.url)];
    one.transport.setPeer(b, [await forth.listen()]);
    two.transport.setPeer(a, [await back.listen()]);
    await connected(ends);
    await arrives(ends, append(1));
    back.isClosed = true;
    back.cut();
    await until('the streams to b are gone', () => back.sockets.size === 0);
    two.source.messages.length = 0;
    await arrives(ends, append(2));
    assert.ok(two.source.messages.every((message) => message.index === 2));
    back.isClosed = false;
    await until('the streams to b stand again', () => back.sockets.size >= 4);
    await arrives(ends, append(3));
    forth.cut();
    back.cut();
    await until('both notice', () => forth.sockets.size >= 4 && back.sockets.size >= 4);
    await arrives(ends, append(4));
    await until('b is active', () => one.transport.activeSince(b) !== undefined);
  });

  test('a pooled connection that is closed just when it is used again is no failure', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      let requests = 0;
      socket.on('error', () => {});
      socket.on('data', () => {
        if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else socket.resetAndDestroy();
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const dialer = new NodePeerDialer({ dialTimeoutMs: 1000 });
    closers.push(
      () => dialer.close(),
      () => void server.close(),
    );
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (let i = 1; i <= 3; i++) {
      const reply = await dialer.request({ method: 'GET', url, path: '/', headers: {} }).reply;
      assert.deepEqual([reply.status, Buffer.from(reply.body).toString(), connections], [200, 'ok', i]);
    }
  });

  test('over unix sockets', async () => {
    const ends = await pair({ url: `unix://${join(folder, 'a.sock')}` }, { url: `unix://${join(folder, 'b.sock')}` });
    await connected(ends);
    await arrives(ends, vote(1));
  });

  test('two raft nodes elect a leader and agree', async () => {
    const bootstrap = makeBootstrap(
      (bytes) => createHash('sha1').update(bytes).digest(),
      [
        { name: 'a', peerUrls: ['http://a:1'] },
        { name: 'b', peerUrls: ['http://b:1'] },
      ],
      'tok',
    );
    const members = bootstrap.members.map(
      ({ id }, i) => new RaftMember({ memberId: id, bootstrap, clock, random: new SeededRandom(i) }),
    ) as [RaftMember, RaftMember];
    const ends = [await end(members[0]), await end(members[1])] as const;
    ends[0].transport.setPeer(members[1].memberId, [ends[1].url]);
    ends[1].transport.setPeer(members[0].memberId, [ends[0].url]);
    for (const [i, member] of members.entries()) {
      member.start((ends[i] as End).transport);
      member.tick();
    }
    closers.push(() => {
      for (const member of members) member.stop();
    });
    await until('one leads', () => members.some((member) => member.isLeader));
    const leader = members.find((member) => member.isLeader) as RaftMember;
    const follower = members.find((member) => member !== leader) as RaftMember;
    for (let i = 0; i < 100; i++) leader.propose(utf8ToBytes(`leader ${i}`));
    await until('the follower knows who leads', () => follower.leader === leader.memberId);
    follower.propose(utf8ToBytes('follower'));
    await until('all is applied on both', () => members.every((member) => member.applied.length >= 104));
    assert.deepEqual(members[0].applied, members[1].applied);
  });
});

describe('snapshots over loopback', { timeout: 120_000 }, () => {
  const mebibyte = 1024 * 1024;
  const confState = { voters: [a, b], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const message = createMessage({
    ...{ type: MessageType.MsgSnap, from: a, to: b, term: 2 },
    snapshot: { data: utf8ToBytes('{}'), metadata: { confState, index: 7, term: 2 } },
  });

  test('50 MiB stream through bounded memory at the pace of the receiver', async () => {
    const ends = await pair();
    await connected(ends);
    let made = 0;
    let taken = 0;
    let aheadMax = 0;
    const hashes = [createHash('sha256'), createHash('sha256')] as const;
    ends[0].source.snapshotOf = async () => ({
      message,
      sizeBytes: 50 * mebibyte,
      async *chunks() {
        // One buffer for all, as the contract allows.
        const chunk = Buffer.alloc(mebibyte / 4);
        for (let i = 0; i < 200; i++) {
          chunk.fill(i);
          hashes[0].update(chunk);
          made += chunk.length;
          yield chunk;
        }
      },
      close() {},
    });
    ends[1].source.takeSnapshot = async (_, database) => {
      for await (const chunk of database) {
        hashes[1].update(chunk);
        taken += chunk.length;
        aheadMax = Math.max(aheadMax, made - taken);
        if (taken % (8 * mebibyte) < chunk.length) await new Promise<void>((resolve) => clock.setTimer(1, resolve));
      }
    };
    ends[0].transport.send([message]);
    await until('it has gone out', () => ends[0].source.snapshotReports.length > 0);
    assert.deepEqual(ends[0].source.snapshotReports, ['11 finished']);
    assert.equal(taken, 50 * mebibyte);
    assert.equal(hashes[0].digest('hex'), hashes[1].digest('hex'));
    assert.ok(aheadMax < 10 * mebibyte, `the sender was ${(aheadMax / mebibyte).toFixed(1)} MiB ahead`);
  });

  test('a sender that stops in the middle is cut; nothing is kept', async () => {
    const ends = await pair({ limits: { stallMs: 200 } });
    let failure = '';
    ends[0].source.snapshotOf = async () => ({
      ...countedSnapshot(message, []),
      async *chunks() {
        yield Buffer.alloc(1000);
        await new Promise<never>(() => {});
      },
    });
    ends[1].source.takeSnapshot = async (_, database) => {
      try {
        for await (const chunk of database) assert.ok(chunk.length > 0);
      } catch (error) {
        failure = (error as Error).message;
        throw error;
      }
    };
    ends[0].transport.send([message]);
    await until('it has failed', () => ends[0].source.snapshotReports.length > 0);
    assert.deepEqual(ends[0].source.snapshotReports, ['11 failed']);
    assert.equal(failure, 'i/o timeout');
  });

  test('a receiver that takes its time between chunks is not', async () => {
    const ends = await pair({ limits: { stallMs: 100 } });
    ends[0].source.snapshotOf = async () => countedSnapshot(message, [Buffer.alloc(4 * mebibyte)]);
    ends[1].source.takeSnapshot = async (_, database) => {
      let pauses = 0;
      for await (const chunk of database) {
        assert.ok(chunk.length > 0);
        if (pauses++ < 2) await new Promise<void>((resolve) => clock.setTimer(150, resolve));
      }
    };
    ends[0].transport.send([message]);
    await until('it is over', () => ends[0].source.snapshotReports.length > 0);
    assert.deepEqual(ends[0].source.snapshotReports, ['11 finished']);
  });

  test('a receiver that refuses in the middle ends the sending', async () => {
    const ends = await pair();
    const outgoing = countedSnapshot(
      message,
      Array.from({ length: 200 }, () => Buffer.alloc(mebibyte / 4)),
    );
    ends[0].source.snapshotOf = async () => outgoing;
    ends[1].source.takeSnapshot = async (_, database) => {
      let chunks = 0;
      for await (const chunk of database) {
        assert.ok(chunk.length > 0);
        if (++chunks === 3) throw new CodedError('disk/full', 'no space left');
      }
    };
    ends[0].transport.send([message]);
    await until('it has failed', () => ends[0].source.snapshotReports.length > 0);
    assert.deepEqual(ends[0].source.snapshotReports, ['11 failed']);
    assert.equal(outgoing.closes, 1);
  });
});

describe('over TLS', { timeout: 60_000 }, () => {
  const files = new CertificateFolder();
  after(() => files.remove());
  const url = 'https://127.0.0.1:0';
  const authority = new Authority();
  const ca = files.write(authority.certificate);
  const good = authority.issueFiles(files, { commonName: 'good', hosts: ['127.0.0.1', 'peer.example'] });
  const open = (said: Partial<TlsSettings>) =>
    TlsMaterial.open(silentLogger, tlsSettings({ ...good, trustedCaFile: ca, ...said }), { dials: true });

  async function twoTries(ends: [End, End]): Promise<void> {
    for (const { transport } of ends) transport.send([vote(1)]);
    await until('a post has failed', () => ends[0].source.unreachable.length > 0);
  }

  test('with certificates of one authority, asked for both ways', async () => {
    const ends = await pair({ url, tls: await open({ clientCertAuth: true }) });
    await connected(ends);
    await arrives(ends, vote(1));
    await arrives(ends, append(1));
  });

  test('a client with a certificate of another authority does not get in', async () => {
    const foreign = await open(new Authority('other').issueFiles(files));
    const ends = await pair({ url, tls: foreign }, { url, tls: await open({}) });
    await twoTries(ends);
    assert.deepEqual(ends[1].source.messages, []);
    assert.equal(ends[0].transport.activeSince(b), undefined);
  });

  test('nor one without a certificate', async () => {
    const two = await end(new RecordingSource(b, 1n), { url, tls: await open({}) });
    const bare = await TlsMaterial.open(silentLogger, tlsSettings({ trustedCaFile: ca }), { dials: true });
    const dialer = new NodePeerDialer({ dialTimeoutMs: 2000, tls: bare });
    closers.push(() => dialer.close());
    await assert.rejects(dialer.request({ method: 'GET', url: two.url, path: '/version', headers: {} }).reply, {
      code: 'peer/unreachable',
    });
  });

  test('nor one whose certificate is for another address, unless nobody looks', async () => {
    const client = await open(authority.issueFiles(files, { hosts: ['10.9.8.7'] }));
    const strict = await pair({ url, tls: client }, { url, tls: await open({}) });
    await twoTries(strict);
    assert.deepEqual(strict[1].source.messages, []);
    const lax = await pair({ url, tls: client }, { url, tls: await open({ skipClientSanVerification: true }) });
    await arrives(lax, vote(1));
  });

  test('only common names and host names that are allowed, whoever dials', async () => {
    for (const [allowed, works] of [
      [{ allowedCommonNames: ['good'] }, true],
      [{ allowedCommonNames: ['bad'] }, false],
      [{ allowedHostnames: ['peer.example'] }, true],
      [{ allowedHostnames: ['127.0.0.1'] }, true],
      [{ allowedHostnames: ['other.example'] }, false],
    ] as const) {
      const choosy = await open(allowed);
      for (const [dials, serves] of [
        [await open({}), choosy],
        [choosy, await open({})],
      ] as const) {
        const ends = await pair({ url, tls: dials }, { url, tls: serves });
        if (works) await arrives(ends, vote(1));
        else await twoTries(ends);
        assert.equal(ends[1].source.messages.length > 0, works);
      }
    }
  });

  test('a revoked one is out', async () => {
    const serialNumber = Buffer.from('00a1b2', 'hex');
    const revoked = await open(authority.issueFiles(files, { serialNumber }));
    const crlFile = files.write(authority.revoke(serialNumber));
    const ends = await pair({ url, tls: revoked }, { url, tls: await open({ crlFile }) });
    await twoTries(ends);
    assert.deepEqual(ends[1].source.messages, []);
  });

  test('files that were renewed count for those who dial, too', async () => {
    const two = await end(new RecordingSource(b, 1n), { url, tls: await open({}) });
    const pair = new Authority('other').issueFiles(files);
    const tls = await open(pair);
    const dialer = new NodePeerDialer({ dialTimeoutMs: 2000, tls });
    closers.push(() => dialer.close());
    const ask = () => dialer.request({ method: 'GET', url: two.url, path: '/version', headers: {} }).reply;
    await assert.rejects(ask(), { code: 'peer/unreachable' });
    const { cert, key } = authority.issue();
    files.write(cert, basename(pair.certFile));
    files.write(key, basename(pair.keyFile));
    // This one looks for new files and does not wait for them.
    await assert.rejects(ask(), { code: 'peer/unreachable' });
    await tls.refresh();
    assert.equal((await ask()).status, 200);
  });

  test('members with certificates of their own making do not look at each other’s', async () => {
    const own = async (name: string) => {
      const made = await selfSignedFiles(silentLogger, {
        folder: join(files.path, name),
        hosts: ['10.9.8.7'],
        validityYears: 1,
      });
      const settings = tlsSettings({ ...made, autoTls: true, skipClientSanVerification: true });
      return TlsMaterial.open(silentLogger, settings, { dials: true });
    };
    const ends = await pair({ url, tls: await own('a') }, { url, tls: await own('b') });
    await connected(ends);
    await arrives(ends, vote(1));
  });

  test('an https URL needs a certificate', () =>
    assert.rejects(listenPeers(['https://127.0.0.1:0'], { logger: silentLogger }), { code: 'peer/listen' }));
});
