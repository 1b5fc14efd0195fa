import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { etcdserverpb, leasepb } from '@quorate/api';
import { CodedError, noMetrics, silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createMessage, MessageType } from '@quorate/raft';
import { encodeMessage } from '../codec/message-codec.ts';
import { encodeSizedMessage } from '../codec/message-stream-codec.ts';
import { RecordingSource } from '../testing/recording-source.ts';
import { type ListeningPeerTransport, makePeerTransport } from '../transport/peer-transport.ts';
import { NodePeerDialer } from './node-peer-dialer.ts';
import { listenPeers, type PeerListener } from './peer-listener.ts';

/*
 * What the peer port answers, byte for byte as etcd 3.7.1 was seen to (and 3.4.23, where it knows the path).
 */

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Question {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

const me = 0xbn;
const peer = 0xan;
const cluster = 'c1';
/** Of a well-behaved peer. */
const known = {
  'X-Server-From': 'a',
  'X-Server-Version': '3.4.23',
  'X-Min-Cluster-Version': '3.0.0',
  'X-Etcd-Cluster-ID': cluster,
};
const plain = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
const withCluster = { 'x-etcd-cluster-id': cluster };
const onStream = { ...withCluster, 'x-server-version': '3.7.1' };

const clock = new NodeClock();
const agent = new Agent({ keepAlive: true });
const dialer = new NodePeerDialer({ dialTimeoutMs: 1000 });
let source: RecordingSource;
let transport: ListeningPeerTransport;
let listener: PeerListener;
let port: number;

before(async () => {
  listener = await listenPeers(['http://127.0.0.1:0'], { logger: silentLogger });
  port = Number(new URL(listener.urls[0] as string).port);
});

const deps = { clock, logger: silentLogger, metrics: noMetrics, dialer };
const options = { serverVersion: '3.7.1', peerUrls: ['http://127.0.0.1:1'], limits: { stallMs: 200 } };

beforeEach(async () => {
  await transport?.stop();
  source = new RecordingSource(me, BigInt(`0x${cluster}`));
  transport = makePeerTransport(deps, options, source, source);
  transport.setPeer(peer, ['http://127.0.0.1:1']);
  listener.serve(transport.handler);
});

after(async () => {
  await transport.stop();
  dialer.close();
  agent.destroy();
  await listener.close();
});

function ask({ method = 'GET', path, headers = {}, body }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const sent = httpRequest(
      { agent, host: '127.0.0.1', port, method, path, headers: { ...headers, ...length } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('latin1');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The answer is that, with these headers and no others but date and length. */
async function expectAnswer(question: Question, status: number, headers: Record<string, string>, body: string) {
  const answer = await ask(question);
  const { date, 'content-length': length, ...rest } = answer.headers;
  assert.deepEqual({ status: answer.status, headers: rest, body: answer.body }, { status, headers, body });
  assert.ok(date !== undefined);
  assert.equal(length, status === 204 ? undefined : String(body.length));
}

function message(init: { to?: bigint; from?: bigint; type?: MessageType } = {}) {
  return createMessage({ type: MessageType.MsgVote, from: peer, to: me, term: 2, ...init });
}

describe('methods and paths', () => {
  for (const [path, allow] of [
    ['/raft', 'POST'],
    ['/raft/snapshot', 'POST'],
    ['/members/promote/5', 'POST'],
    ['/leases', undefined],
    ['/leases/internal', undefined],
  ] as const) {
    test(`GET ${path} is not allowed`, () =>
      expectAnswer({ path }, 405, allow === undefined ? plain : { ...plain, allow }, 'Method Not Allowed\n'));
  }
  for (const path of ['/raft/stream/x', '/members', '/members/hashkv', '/version', '/downgrade/enabled']) {
    test(`POST ${path} is not allowed`, () =>
      expectAnswer({ method: 'POST', path }, 405, { ...plain, allow: 'GET' }, 'Method Not Allowed\n'));
  }
  for (const path of ['/', '/other', '/members/', '/raft/x', '/raft/', '/version/']) {
    test(`there is no ${path}`, () => expectAnswer({ path }, 404, plain, '404 page not found\n'));
  }

  test('an application that is no etcd answers for raft alone', async () => {
    listener.serve(makePeerTransport(deps, options, source).handler);
    for (const path of [
      '/members',
      '/members/hashkv',
      '/members/promote/5',
      '/version',
      '/leases',
      '/downgrade/enabled',
    ])
      await expectAnswer({ path }, 404, plain, '404 page not found\n');
    assert.equal((await ask({ path: '/raft/probing' })).status, 200);
    await expectAnswer({ path: '/raft' }, 405, { ...plain, allow: 'POST' }, 'Method Not Allowed\n');
  });

  test('a query is not looked at, and probes take any method', async () => {
    assert.equal((await ask({ path: '/members?x=1' })).status, 200);
    for (const method of ['GET', 'POST', 'PUT']) {
      const answer = await ask({ method, path: '/raft/probing' });
      assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
      assert.match(answer.body, /^\{"OK":true,"Now":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"\}\n$/);
      const now = Date.parse((JSON.parse(answer.body) as { Now: string }).Now);
      assert.ok(Math.abs(now - Date.now()) < 5000);
    }
    assert.equal((await ask({ method: 'HEAD', path: '/raft/probing' })).body, '');
  });
});

describe('who may send raft messages, in the order of the checks', () => {
  const paths = [
    ['GET', '/raft/stream/nonsense/zz', onStream],
    ['POST', '/raft', withCluster],
    ['POST', '/raft/snapshot', withCluster],
  ] as const;
  for (const [method, path, extra] of paths) {
    const refused = { ...plain, ...extra };
    test(`${path}: no version, one that is too old, a minimum that is too new`, async () => {
      await expectAnswer({ method, path }, 412, refused, 'incompatible version\n');
      for (const versions of [
        { 'X-Server-Version': '2.3.8' },
        { 'X-Min-Cluster-Version': '3.8.0' },
        { 'X-Min-Cluster-Version': '4.0.0' },
      ]) {
        const headers = { ...known, ...versions, 'X-Etcd-Cluster-ID': 'other' };
        await expectAnswer({ method, path, headers }, 412, refused, 'incompatible version\n');
      }
    });
    test(`${path}: a version that is none cuts the connection`, async () => {
      await assert.rejects(ask({ method, path, headers: { ...known, 'X-Server-Version': '3.5' } }), {
        code: 'ECONNRESET',
      });
    });
    test(`${path}: another cluster`, async () => {
      for (const id of ['c2', 'C1', '0c1', '']) {
        const headers = { ...known, 'X-Etcd-Cluster-ID': id };
        await expectAnswer({ method, path, headers }, 412, refused, 'cluster ID mismatch\n');
      }
    });
  }

  test('streams: path, sender, removed, unknown, addressee', async () => {
    const refused = { ...plain, ...onStream };
    const stream = (path: string, headers: Record<string, string> = {}) => ({
      path: `/raft/stream/${path}`,
      headers: { ...known, 'X-Raft-To': 'b', ...headers },
    });
    for (const path of ['', 'other/a', 'msgapp', 'msgapp/a/b', 'msgappv2/a'])
      await expectAnswer(stream(path), 404, refused, 'invalid path\n');
    for (const path of ['msgapp/', 'message/xyz', 'message/11111111111111111'])
      await expectAnswer(stream(path), 404, refused, 'invalid from\n');
    source.removed.add(0xdn);
    await expectAnswer(stream('message/d', { 'X-Raft-To': '1' }), 410, refused, 'removed member\n');
    await expectAnswer(stream('message/e', { 'X-Raft-To': '1' }), 404, refused, 'error sender not found\n');
    for (const to of ['c', '0b', 'B', ''])
      await expectAnswer(stream('message/a', { 'X-Raft-To': to }), 412, refused, 'to field mismatch\n');
  });

  test('a stream that is granted begins at once', async () => {
    const socket = connect(port, '127.0.0.1');
    const headers = Object.entries({ ...known, 'X-Raft-To': 'b' }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET /raft/stream/msgapp/a HTTP/1.1\r\nHost: x\r\n${headers.join('')}\r\n`);
    let text = '';
    while (!text.includes('\r\n\r\n')) text += ((await once(socket, 'data')) as [Buffer])[0].toString('latin1');
    const lines = text
      .split('\r\n\r\n')[0]
      ?.split('\r\n')
      .filter((line) => !line.startsWith('Date: '));
    assert.deepEqual(lines, [
      'HTTP/1.1 200 OK',
      'X-Etcd-Cluster-Id: c1',
      'X-Server-Version: 3.7.1',
      'Transfer-Encoding: chunked',
    ]);
    socket.destroy();
  });
});

describe('POST /raft', () => {
  const post = (body: Uint8Array | string, headers: Record<string, string> = {}): Question => ({
    method: 'POST',
    path: '/raft',
    headers: { ...known, ...headers },
    body,
  });

  test('a message is taken', async () => {
    await expectAnswer(post(encodeMessage(message())), 204, withCluster, '');
    assert.deepEqual(source.messages, [message()]);
  });

  test('what is none is not', async () => {
    await expectAnswer(post('\x0a'), 400, { ...plain, ...withCluster }, 'error unmarshalling raft message\n');
  });

  test('one that raft may not hear is swallowed', async () => {
    await expectAnswer(post(encodeMessage(message({ type: MessageType.MsgBeat }))), 204, withCluster, '');
    assert.deepEqual(source.messages, []);
  });

  test('for another member, or from a removed one: 500, never 403, and the connection ends', async () => {
    source.removed.add(0xdn);
    for (const wrong of [message({ to: 0xcn }), message({ from: 0xdn })]) {
      const headers = { ...plain, ...withCluster, connection: 'close' };
      await expectAnswer(post(encodeMessage(wrong)), 500, headers, 'error processing raft message\n');
    }
    assert.deepEqual(source.messages, []);
  });

  test('a body that stops is given up', async () => {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const headers = { ...known, 'Content-Length': '100' };
      const sent = httpRequest({ host: '127.0.0.1', port, method: 'POST', path: '/raft', headers, agent: false });
      sent.on('response', (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      sent.on('error', reject);
      sent.write('half');
    });
    assert.deepEqual([answer.status, answer.body], [400, 'error reading raft message\n']);
  });

  test('URLs of a sender that make no sense do no harm', async () => {
    for (const urls of ['://', 'http://[::1', ',', '\xff\xfe', 'http://x:1,nonsense'])
      assert.equal(
        (await ask(post(encodeMessage(message()), { 'X-Server-From': 'e', 'X-PeerURLs': urls }))).status,
        204,
      );
  });
});

describe('POST /raft/snapshot', () => {
  const snapshotHeaders = { ...plain, ...withCluster, connection: 'close' };
  const post = (body: Uint8Array | string): Question => ({
    method: 'POST',
    path: '/raft/snapshot',
    headers: known,
    body,
  });
  const confState = { voters: [peer, me], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = createMessage({
    ...{ type: MessageType.MsgSnap, from: peer, to: me, term: 2 },
    snapshot: { data: utf8ToBytes('{}'), metadata: { confState, index: 7, term: 2 } },
  });

  test('the answer comes when the database is taken', async () => {
    await expectAnswer(
      post(Buffer.concat([encodeSizedMessage(snapshot), Buffer.alloc(100_000)])),
      204,
      withCluster,
      '',
    );
    assert.equal(source.databaseBytes, 100_000);
  });

  test('no message, another message', async () => {
    const tooLarge = Buffer.from('0000000004000001', 'hex');
    for (const [body, reason] of [
      ['abc', 'unexpected EOF'],
      [tooLarge, 'the message is too large'],
      [Buffer.from('0000000000000001ff', 'hex'), 'message: truncated at byte 1'],
    ] as const)
      await expectAnswer(post(body), 400, snapshotHeaders, `failed to decode raft message (${reason})\n`);
    await expectAnswer(post(encodeSizedMessage(message())), 400, snapshotHeaders, 'wrong raft message type\n');
  });

  test('for another member', async () => {
    const stray = encodeSizedMessage({ ...snapshot, to: 0xcn });
    const text = 'failed to process raft message (cannot process message to mismatch member)\n';
    await expectAnswer(post(stray), 500, snapshotHeaders, text);
  });

  test('a database that cannot be kept: the sender reads why, also while it is sending', async () => {
    source.takeSnapshot = () => Promise.reject(new CodedError('disk/full', 'no space left'));
    const body = Buffer.concat([encodeSizedMessage(snapshot), Buffer.alloc(3_000_000)]);
    await expectAnswer(post(body), 500, snapshotHeaders, 'failed to save KV snapshot (no space left)\n');
  });
});

describe('what members ask each other', () => {
  test('GET /members', async () => {
    source.memberList = [
      {
        id: 2_825_987_797_056_917_605n,
        peerUrls: ['http://127.0.0.1:23802'],
        name: 'b',
        clientUrls: [],
        isLearner: false,
      },
      {
        id: 14_627_081_221_937_520_288n,
        peerUrls: ['http://127.0.0.1:23801'],
        name: '',
        clientUrls: ['http://127.0.0.1:23791'],
        isLearner: true,
      },
    ];
    await expectAnswer(
      { path: '/members' },
      200,
      { ...withCluster, 'content-type': 'application/json' },
      '[{"id":2825987797056917605,"peerURLs":["http://127.0.0.1:23802"],"name":"b"},' +
        '{"id":14627081221937520288,"peerURLs":["http://127.0.0.1:23801"],"isLearner":true,"clientURLs":["http://127.0.0.1:23791"]}]\n',
    );
  });

  test('GET /version, decided or not', async () => {
    const headers = { 'content-type': 'application/json' };
    const path = '/version';
    await expectAnswer({ path }, 200, headers, '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}');
    source.version = undefined;
    await expectAnswer(
      { path },
      200,
      headers,
      '{"etcdserver":"3.7.1","etcdcluster":"not_decided","storage":"unknown"}',
    );
  });

  test('POST /members/promote', async () => {
    const post = (id: string): Question => ({
      method: 'POST',
      path: `/members/promote/${id}`,
      headers: { Authorization: 't.1' },
    });
    const refused = { ...plain, ...withCluster };
    const asked: string[] = [];
    const outcomes = [
      [{ kind: 'not-found' }, 404, refused, 'membership: ID not found\n'],
      [
        { kind: 'not-ready' },
        412,
        refused,
        'etcdserver: can only promote a learner member which is in sync with leader\n',
      ],
      [{ kind: 'not-learner' }, 412, refused, 'membership: can only promote a learner member\n'],
      [{ kind: 'promoted', members: [] }, 200, { ...withCluster, 'content-type': 'application/json' }, '[]\n'],
      [
        { kind: 'retry', reason: 'no leader' },
        500,
        { ...withCluster, 'content-type': 'application/json' },
        '{"message":"Internal Server Error"}',
      ],
    ] as const;
    for (const [outcome, status, headers, body] of outcomes) {
      source.promotion = async (id, authorization) => {
        asked.push(`${id} ${authorization}`);
        return outcome;
      };
      await expectAnswer(post('18446744073709551615'), status, headers, body);
    }
    assert.deepEqual(new Set(asked), new Set(['18446744073709551615 t.1']));
    for (const id of ['xx', '', '-1', '18446744073709551616', 'a/b'])
      await expectAnswer(post(id), 404, refused, `member ${id} not found in cluster\n`);
  });

  test('GET /members/hashkv with a body', async () => {
    const get = (body: string, headers: Record<string, string> = {}) => ({ path: '/members/hashkv', headers, body });
    source.hash = async (revision) => ({
      ...{ currentRevision: 2, revision, hash: 3_305_255_506, compactRevision: -1, hashRevision: 2 },
    });
    await expectAnswer(
      get('{"revision":2}'),
      200,
      { ...withCluster, 'content-type': 'application/json' },
      '{"header":{"revision":2},"hash":3305255506,"compact_revision":-1,"hash_revision":2}',
    );
    assert.equal((await ask(get('{}', { 'X-Etcd-Cluster-ID': cluster }))).status, 200);
    await expectAnswer(get('{}', { 'X-Etcd-Cluster-ID': '5' }), 412, plain, 'cluster ID mismatch\n');
    for (const body of ['x', '', '[]', '{"revision":"x"}'])
      await expectAnswer(get(body), 400, plain, 'error unmarshalling request\n');
    source.hash = () => Promise.reject(new CodedError('mvcc/future', 'mvcc: required revision is a future revision'));
    await expectAnswer(get('{"revision":9}'), 400, plain, 'mvcc: required revision is a future revision\n');
  });

  test('GET /downgrade/enabled', async () => {
    const path = '/downgrade/enabled';
    await expectAnswer({ path }, 200, { ...withCluster, 'content-type': 'text/plain' }, 'false');
    source.downgrade = async () => true;
    await expectAnswer({ path }, 200, { ...withCluster, 'content-type': 'text/plain' }, 'true');
    source.downgrade = () => Promise.reject(new Error('etcdserver: no leader'));
    await expectAnswer({ path }, 500, { ...plain, ...withCluster }, 'failed linearized read: etcdserver: no leader\n');
  });

  const protobuf = { 'content-type': 'application/protobuf' };

  test('POST /leases', async () => {
    const post = (body: Uint8Array | string) => ({ method: 'POST', path: '/leases', body });
    const request = Buffer.from('08b424', 'hex');
    source.renewal = async (id) => Number(id);
    const answer = etcdserverpb.LeaseKeepAliveResponse.encode(
      etcdserverpb.LeaseKeepAliveResponse.create({ id: 4660n, ttl: 4660 }),
    );
    await expectAnswer(post(request), 200, protobuf, Buffer.from(answer).toString('latin1'));
    await expectAnswer(post('\x0a'), 400, plain, 'error unmarshalling request\n');
    await expectAnswer(post('x'.repeat(70_000)), 413, { ...plain, connection: 'close' }, 'request body too large\n');
    for (const [code, status, text] of [
      ['peer/not-found', 404, 'lease not found'],
      ['peer/not-primary', 400, 'not a primary lessor'],
      ['peer/lagging', 408, 'waiting for node to catch up its applied index has timed out'],
    ] as const) {
      source.renewal = () => Promise.reject(new CodedError(code, 'why'));
      await expectAnswer(post(request), status, plain, `${text}\n`);
    }
  });

  test('POST /leases/internal; never 200 without the inner message', async () => {
    const post = (body: Uint8Array | string) => ({ method: 'POST', path: '/leases/internal', body });
    const asked: unknown[] = [];
    source.timeToLive = async (id, wantsKeys) => {
      asked.push([id, wantsKeys]);
      return { ttlSeconds: 5, grantedTtlSeconds: 60, keys: [utf8ToBytes('k')] };
    };
    const answer = await ask(post(Buffer.from('0a0308b424', 'hex')));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/protobuf');
    const { leaseTimeToLiveResponse } = leasepb.LeaseInternalResponse.decode(Buffer.from(answer.body, 'latin1'));
    assert.deepEqual(
      [leaseTimeToLiveResponse?.id, leaseTimeToLiveResponse?.ttl, leaseTimeToLiveResponse?.grantedTtl],
      [4660n, 5, 60],
    );
    await ask(post(Buffer.from('0a0508b4241001', 'hex')));
    assert.deepEqual(asked, [
      [4660n, false],
      [4660n, true],
    ]);
    await expectAnswer(post(''), 400, plain, 'error unmarshalling request\n');
    source.timeToLive = () => Promise.reject(new CodedError('peer/not-primary', 'not a primary lessor'));
    await expectAnswer(post(Buffer.from('0a0308b424', 'hex')), 500, plain, 'not a primary lessor\n');
  });

  test('what breaks inside is logged, not told', async () => {
    source.renewal = () => Promise.reject(new Error('secret'));
    const answer = await ask({ method: 'POST', path: '/leases', body: Buffer.from('08b424', 'hex') });
    assert.deepEqual([answer.status, answer.body], [500, '{"message":"Internal Server Error"}']);
  });
});

test('requests that come before the member can answer wait for it', async () => {
  const early = await listenPeers(['http://127.0.0.1:0'], { logger: silentLogger });
  const earlyPort = Number(new URL(early.urls[0] as string).port);
  const agent = new Agent({ keepAlive: false });
  let status = 0;
  const answered = new Promise<void>((resolve, reject) => {
    const sent = httpRequest({ agent, host: '127.0.0.1', port: earlyPort, path: '/version' }, (response) => {
      response.resume();
      status = response.statusCode ?? 0;
      resolve();
    });
    sent.on('error', reject);
    sent.end();
  });
  // What is no HTTP is answered at once, and after all that came before.
  const stray = connect(earlyPort, '127.0.0.1');
  stray.write('nonsense\r\n\r\n');
  const [refusal] = (await once(stray, 'data')) as [Buffer];
  assert.match(refusal.toString(), /^HTTP\/1\.1 400 /);
  stray.destroy();
  assert.equal(status, 0);
  early.serve(transport.handler);
  await answered;
  assert.equal(status, 200);
  await early.close();
});
