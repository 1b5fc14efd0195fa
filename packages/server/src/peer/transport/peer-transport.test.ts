import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type LogFields, type Logger, silentLogger } from '@quorate/base';
import { createEntry, createMessage, type Message, type MessageInit, MessageType } from '@quorate/raft';
import { MetricsRegistry } from '../../metrics/registry.ts';
import { encodeMessage } from '../codec/message-codec.ts';
import { encodeSizedMessage } from '../codec/message-stream-codec.ts';
import type { PeerLimits } from '../peer-limits.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeNetwork, type FakeStream } from '../testing/fake-network.ts';
import { countedSnapshot, RecordingSource } from '../testing/recording-source.ts';
import { type ListeningPeerTransport, makePeerTransport } from './peer-transport.ts';

const a = 0xan;
const b = 0xbn;
const stranger = 0xcn;
const clusterId = 0xc1n;
const urlA = 'http://a:1';
const urlB = 'http://b:1';

/** From a to b. */
function message(type: MessageType, init: Omit<MessageInit, 'type'> = {}): Message {
  return createMessage({ type, from: a, to: b, term: 2, ...init });
}

function append(index: number, init: Omit<MessageInit, 'type'> = {}): Message {
  const entries = [createEntry(2, index + 1, 0, Uint8Array.of(index))];
  return message(MessageType.MsgApp, { logTerm: 2, index, entries, commit: index, ...init });
}

function snapshot(): Message {
  const confState = { voters: [a, b], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  return message(MessageType.MsgSnap, {
    snapshot: { data: Uint8Array.of(1), metadata: { confState, index: 9, term: 2 } },
  });
}

class Lines implements Logger {
  readonly lines: string[] = [];
  readonly debug = (): void => {};
  readonly info = (text: string): void => void this.lines.push(text);
  readonly warn = (text: string, _fields?: LogFields): void => void this.lines.push(text);
  readonly error = (text: string): void => void this.lines.push(text);

  count(text: string): number {
    return this.lines.filter((line) => line === text).length;
  }
}

interface Node {
  readonly source: RecordingSource;
  readonly transport: ListeningPeerTransport;
  readonly metrics: MetricsRegistry;
}

let clock: FakeClock;
let network: FakeNetwork;
let log: Lines;
let nodes: Node[];

function node(id: bigint, url: string, limits: Partial<PeerLimits> = {}, serverVersion = '3.7.1'): Node {
  const source = new RecordingSource(id, clusterId);
  const metrics = new MetricsRegistry();
  const logger = id === a ? log : silentLogger;
  const options = { serverVersion, peerUrls: [url], limits };
  const transport = makePeerTransport({ clock, logger, metrics, dialer: network }, options, source);
  network.handlers.set(url, transport.handler);
  const made = { source, transport, metrics };
  nodes.push(made);
  return made;
}

/** A pair that knows each other, with all four streams standing. */
async function connected(limits: Partial<PeerLimits> = {}): Promise<[Node, Node]> {
  const pair: [Node, Node] = [node(a, urlA, limits), node(b, urlB, limits)];
  pair[0].transport.setPeer(b, [urlB]);
  pair[1].transport.setPeer(a, [urlA]);
  // The first attempt of a came before b knew it.
  await clock.advance(150);
  assert.equal(network.streams.filter((stream) => stream.isOpen).length, 4);
  return pair;
}

/** The stream on which a sends to b. */
function streamTo(kind: 'msgapp' | 'message'): FakeStream {
  const [stream] = network.openStreams(`/raft/stream/${kind}/b`);
  assert.ok(stream, `b has a ${kind} stream open`);
  return stream;
}

function value(of: Node, metric: string): string | undefined {
  return new RegExp(`^${metric.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(of.metrics.expose())?.[1];
}

beforeEach(() => {
  clock = new FakeClock();
  network = new FakeNetwork(clock);
  log = new Lines();
  nodes = [];
});

afterEach(async () => {
  for (const { transport } of nodes) await transport.stop();
  assert.equal(clock.timerCount, 0, 'a stopped transport leaves no timer');
});

describe('which way a message goes', () => {
  test('appends on their stream, all else on the other, posts when none stands', async () => {
    const [one, two] = await connected();
    const posts = network.count('/raft');
    one.transport.send([append(4), message(MessageType.MsgHeartbeat, { commit: 3 })]);
    await clock.settle();
    assert.deepEqual(two.source.messages, [append(4), message(MessageType.MsgHeartbeat, { commit: 3 })]);
    assert.ok(streamTo('msgapp').written > 10 && streamTo('message').written > 10);
    assert.equal(network.count('/raft'), posts);

    network.hangs = (request) => request.path.startsWith('/raft/stream/');
    streamTo('msgapp').cut();
    one.transport.send([append(5)]);
    await clock.settle();
    assert.deepEqual(two.source.messages.at(-1), append(5), 'an append goes on the other stream');
    streamTo('message').cut();
    one.transport.send([append(6)]);
    await clock.settle();
    assert.deepEqual(two.source.messages.at(-1), append(6));
    assert.equal(network.count('/raft'), posts + 1);
  });

  test('nothing goes to nobody, to itself, to the removed or to the unknown', async () => {
    const [one, two] = await connected();
    one.source.removed.add(b);
    one.transport.send([append(1), message(MessageType.MsgApp, { to: 0n }), message(MessageType.MsgApp, { to: a })]);
    one.transport.send([message(MessageType.MsgApp, { to: stranger })]);
    await clock.settle();
    assert.deepEqual(two.source.messages, []);
    assert.deepEqual(one.source.unreachable, []);
  });

  test('of several acknowledgements in a batch the last goes, one to each leader', async () => {
    const [one, two] = await connected();
    const acks = [1, 2, 3].map((index) => message(MessageType.MsgAppResp, { index }));
    const heartbeat = message(MessageType.MsgHeartbeatResp);
    const other = message(MessageType.MsgAppResp, { to: stranger, index: 9 });
    one.transport.send([acks[0] as Message, heartbeat, acks[1] as Message, acks[2] as Message, other]);
    await clock.settle();
    assert.deepEqual(two.source.messages, [heartbeat, acks[2]]);
  });

  test('what raft may not hear does not reach it', async () => {
    const [, two] = await connected();
    const stream = streamTo('message');
    const forged = createMessage({
      type: MessageType.MsgStorageAppendResp,
      from: 0xffff_ffff_ffff_ffffn,
      to: b,
      index: 99,
    });
    const misled = message(MessageType.MsgHeartbeat, { to: stranger });
    const local = message(MessageType.MsgHup);
    const future = message(40 as MessageType);
    two.source.removed.add(0xdn);
    const removed = message(MessageType.MsgHeartbeat, { from: 0xdn });
    for (const each of [forged, misled, local, future, removed, snapshot()]) stream.write(encodeSizedMessage(each));
    await clock.settle();
    assert.deepEqual(two.source.messages, []);
    stream.write(encodeSizedMessage(message(MessageType.MsgTimeoutNow)));
    await clock.settle();
    assert.equal(two.source.messages.length, 1);
  });
});

describe('streams', () => {
  test('the headers of a request for one', async () => {
    await connected();
    const request = network.requests.find((each) => each.path === '/raft/stream/msgapp/a');
    assert.deepEqual(request?.headers, {
      'X-Server-From': 'a',
      'X-Server-Version': '3.7.1',
      'X-Min-Cluster-Version': '3.0.0',
      'X-Etcd-Cluster-Id': 'c1',
      'X-Peerurls': urlA,
      'X-Raft-To': 'b',
    });
  });

  test('each is opened again, at most every 100 ms, with the next URL after a failure', async () => {
    const one = node(a, urlA);
    one.transport.setPeer(b, ['http://b:2', urlB]);
    await clock.advance(1000);
    const dials = network.requests.filter((request) => request.path === '/raft/stream/msgapp/a');
    assert.ok(dials.length >= 10 && dials.length <= 11, `${dials.length} attempts in a second`);
    for (const [i, dial] of dials.entries()) assert.ok(i === 0 || dial.atMs - (dials[i - 1]?.atMs ?? 0) >= 100);
    assert.deepEqual(new Set(dials.map((dial) => dial.url)), new Set([urlB, 'http://b:2']));
  });

  test('one that broke after a while is opened again at once', async () => {
    const [one] = await connected();
    await clock.advance(2000);
    const before = network.count('/raft/stream/msgapp/b');
    streamTo('msgapp').cut();
    await clock.advance(1);
    assert.equal(network.count('/raft/stream/msgapp/b'), before + 1);
    assert.equal(network.openStreams('/raft/stream/msgapp/b').length, 1);
    assert.ok(one.transport.activeSince(b) !== undefined);
  });

  test('signs of life every 1.667 s keep them open', async () => {
    const [one, two] = await connected();
    const streams = [...network.streams];
    const before = streamTo('msgapp').written;
    await clock.advance(60_000);
    assert.ok(streams.every((stream) => stream.isOpen));
    assert.equal(streamTo('msgapp').written - before, 36);
    assert.deepEqual([...one.source.messages, ...two.source.messages], []);
  });

  test('a reader that hears nothing for 5 s opens another, which replaces the old one', async () => {
    const [one, two] = await connected();
    const old = streamTo('message');
    const opened = network.count('/raft/stream/message/b');
    old.isStuck = true;
    await clock.advance(4_700);
    assert.equal(network.count('/raft/stream/message/b'), opened);
    await clock.advance(2_000);
    assert.equal(network.count('/raft/stream/message/b'), opened + 1);
    assert.ok(!old.isOpen);
    one.transport.send([message(MessageType.MsgHeartbeat)]);
    await clock.settle();
    assert.equal(two.source.messages.length, 1);
  });

  test('a new stream of the same peer ends the one before', async () => {
    const [one, two] = await connected();
    const old = streamTo('msgapp');
    one.transport.send([append(1)]);
    // b has started again: it dials without a has seen its end.
    const events = { answered() {}, data() {}, ended() {} };
    const headers = network.requests.find((each) => each.path === '/raft/stream/msgapp/b')?.headers ?? {};
    network.openStream({ method: 'GET', url: urlA, path: '/raft/stream/msgapp/b', headers }, events);
    await clock.settle();
    assert.ok(!old.isOpen);
    assert.equal(log.count('closed TCP streaming connection with remote peer'), 1);
    assert.equal(two.source.messages.length, 1);
  });

  test('bytes that are no message end the stream, and it is opened again', async () => {
    const [, two] = await connected();
    await clock.advance(1000);
    const old = streamTo('msgapp');
    old.write(Uint8Array.of(9));
    await clock.advance(1);
    assert.ok(!old.isOpen);
    assert.ok(streamTo('msgapp').isOpen);
    assert.equal(value(two, 'etcd_network_peer_received_failures_total{From="a"}'), '1');
  });

  for (const [version, works] of [
    ['3.7.9', true],
    ['3.4.23', true],
    ['2.1.0', true],
    ['2.0.9', false],
    ['nonsense', false],
    [undefined, false],
  ] as const) {
    test(`a member that answers with version ${version} is ${works ? 'taken' : 'refused'}`, async () => {
      const one = node(a, urlA);
      network.handlers.set(urlB, { handle: () => assert.fail('the network answers') });
      const headers: Record<string, string> = version === undefined ? {} : { 'X-Server-Version': version };
      const attach = () => ({ flushed() {}, closed() {} });
      network.answers = () => ({ kind: 'stream', headers, attach });
      one.transport.setPeer(b, [urlB]);
      await clock.settle();
      assert.equal(one.transport.activeSince(b) !== undefined, works);
    });
  }
});

describe('when the other does not keep up', () => {
  test('4096 messages wait, more are dropped and raft hears once that the peer is unreachable', async () => {
    const [one, two] = await connected({ streamBufferBytes: 100 });
    streamTo('msgapp').isStuck = true;
    const burst = Array.from({ length: 5000 }, (_, i) => append(i));
    one.transport.send(burst);
    await clock.settle();
    assert.deepEqual(one.source.unreachable, [b]);
    assert.equal(log.count('dropped internal Raft message since sending buffer is full'), 1);
    const dropped = Number(value(one, 'etcd_network_peer_sent_failures_total{To="b"}'));
    assert.ok(dropped > 890 && dropped < 905, `${dropped} dropped`);
    streamTo('msgapp').isStuck = false;
    streamTo('msgapp').flush();
    await clock.settle();
    assert.deepEqual(two.source.messages, burst.slice(0, 5000 - dropped), 'what waited comes in order');
  });

  test('nothing is told after a stop, when the node behind may be gone', async () => {
    const [one] = await connected({ streamBufferBytes: 100 });
    streamTo('msgapp').isStuck = true;
    one.transport.send(Array.from({ length: 5000 }, (_, i) => append(i)));
    await one.transport.stop();
    await clock.settle();
    assert.deepEqual(one.source.unreachable, []);
  });

  test('bytes with the socket stay below the bound and one message', async () => {
    const [one] = await connected({ streamBufferBytes: 10_000 });
    const stream = streamTo('msgapp');
    stream.isStuck = true;
    const entries = [createEntry(2, 1, 0, new Uint8Array(3000))];
    one.transport.send(Array.from({ length: 100 }, () => append(0, { entries })));
    assert.ok(stream.queuedBytes >= 10_000 && stream.queuedBytes < 13_200, `${stream.queuedBytes} bytes`);
  });

  test('a socket that takes nothing for 5 s is given up, and what waits is told to raft', async () => {
    const [one, two] = await connected({ streamBufferBytes: 100 });
    // Only the writer's own limit shall act.
    two.transport.removePeer(a);
    one.transport.setPeer(b, [urlB]);
    await clock.advance(10);
    const events = { answered() {}, data() {}, ended() {} };
    const headers = network.requests.find((each) => each.path === '/raft/stream/msgapp/b')?.headers ?? {};
    network.openStream({ method: 'GET', url: urlA, path: '/raft/stream/msgapp/b', headers }, events);
    await clock.settle();
    const stream = streamTo('msgapp');
    stream.isStuck = true;
    one.source.unreachable.length = 0;
    one.transport.send([append(1), append(2), append(3)]);
    await clock.advance(4_000);
    assert.ok(stream.isOpen);
    await clock.advance(4_000);
    assert.ok(!stream.isOpen);
    assert.deepEqual(one.source.unreachable, [b]);
  });

  test('a stream that closes with messages waiting is told to raft; an idle one that is replaced is not', async () => {
    const [one] = await connected();
    streamTo('message').isStuck = true;
    one.transport.send([message(MessageType.MsgHeartbeat)]);
    one.transport.removePeer(b);
    await clock.settle();
    assert.deepEqual(one.source.unreachable, [b]);
  });
});

describe('posts', () => {
  test('four under way and 64 waiting; more are dropped', async () => {
    const [one, two] = [node(a, urlA), node(b, urlB)];
    network.hangs = (request) => request.path.startsWith('/raft/stream/');
    one.transport.setPeer(b, [urlB]);
    const votes = Array.from({ length: 70 }, (_, i) => message(MessageType.MsgVote, { index: i }));
    one.transport.send(votes);
    await clock.settle();
    assert.deepEqual(one.source.unreachable, [b]);
    assert.equal(two.source.messages.length, 68);
    assert.ok(one.transport.activeSince(b) !== undefined, 'a post that was taken makes active');
    const post = network.requests.find((request) => request.path === '/raft');
    assert.equal(post?.headers['Content-Type'], 'application/protobuf');
    assert.deepEqual(post?.body, encodeMessage(votes[0] as Message));
    assert.equal(post?.headers['X-Raft-To'], undefined);
  });

  test('one that fails is told to raft, and the next goes to another URL', async () => {
    const [one, two] = [node(a, urlA), node(b, urlB)];
    network.hangs = (request) => request.path.startsWith('/raft/stream/');
    one.transport.setPeer(b, ['http://a-first:1', urlB]);
    one.transport.send([message(MessageType.MsgVote)]);
    await clock.settle();
    assert.deepEqual(one.source.unreachable, [b]);
    one.transport.send([message(MessageType.MsgVote)]);
    await clock.settle();
    assert.equal(two.source.messages.length, 1);
    assert.equal(value(one, 'etcd_network_peer_sent_failures_total{To="b"}'), '1');
  });

  for (const [status, text, told] of [
    [403, '', 1],
    [412, 'cluster ID mismatch', 0],
    [500, 'error processing raft message', 0],
  ] as const) {
    test(`answered with ${status} ${text}`, async () => {
      const one = node(a, urlA);
      network.handlers.set(urlB, { handle: () => assert.fail('the network answers') });
      network.hangs = (request) => request.path.startsWith('/raft/stream/');
      network.answers = () => ({ kind: 'whole', status, headers: {}, body: `${text}\n` });
      one.transport.setPeer(b, [urlB]);
      one.transport.send([message(MessageType.MsgVote), message(MessageType.MsgVote)]);
      await clock.settle();
      assert.equal(one.source.toldRemoved, told);
      assert.deepEqual(one.source.unreachable, [b]);
    });
  }
});

describe('snapshots', () => {
  test('go as one request: message, then database; how it went is told to raft', async () => {
    const [one, two] = await connected();
    const outgoing = countedSnapshot(snapshot(), [new Uint8Array(1000), new Uint8Array(2000)]);
    one.source.snapshotOf = async () => outgoing;
    one.transport.send([snapshot()]);
    await clock.settle();
    assert.deepEqual(one.source.snapshotReports, ['11 finished']);
    assert.equal(two.source.databaseBytes, 3000);
    assert.equal(outgoing.closes, 1);
    assert.equal(value(one, 'etcd_network_snapshot_send_success{To="b"}'), '1');
    assert.equal(value(two, 'etcd_network_snapshot_receive_success{From="a"}'), '1');
    assert.equal(value(two, 'etcd_network_snapshot_receive_inflights_total{From="a"}'), '0');
  });

  test('one that is refused or cannot be opened has failed', async () => {
    const [one, two] = await connected();
    one.transport.send([snapshot()]);
    await clock.settle();
    assert.deepEqual(one.source.snapshotReports, ['11 failed']);
    assert.deepEqual(one.source.unreachable, [b]);
    one.source.snapshotOf = async (of) => countedSnapshot(of, [new Uint8Array(10)]);
    two.source.takeSnapshot = () => Promise.reject(new Error('no space'));
    one.transport.send([snapshot()]);
    await clock.settle();
    assert.deepEqual(one.source.snapshotReports, ['11 failed', '11 failed']);
    assert.equal(value(one, 'etcd_network_snapshot_send_failures{To="b"}'), '2');
    assert.equal(value(two, 'etcd_network_snapshot_receive_failures{From="a"}'), '1');
  });

  test('one to a member that is not known as a peer has failed', async () => {
    const one = node(a, urlA);
    one.transport.addRemote(b, [urlB]);
    one.transport.send([snapshot()]);
    await clock.settle();
    assert.deepEqual(one.source.snapshotReports, ['11 failed']);
    assert.equal(network.requests.length, 0);
  });

  test('a second one has failed while the first is under way; a removed peer is told nothing', async () => {
    const [one] = await connected();
    one.source.snapshotOf = async (of) => countedSnapshot(of, [new Uint8Array(10)]);
    network.hangs = (request) => request.path === '/raft/snapshot';
    one.transport.send([snapshot()]);
    await clock.settle();
    one.transport.send([snapshot()]);
    await clock.settle();
    assert.deepEqual(one.source.snapshotReports, ['11 failed']);
    one.transport.removePeer(b);
    await clock.settle();
    assert.deepEqual(one.source.snapshotReports, ['11 failed']);
  });
});

describe('who is active', () => {
  test('since a stream stands; not after a failure; still after a proper end', async () => {
    const [one] = await connected();
    const since = one.transport.activeSince(b);
    assert.ok(since !== undefined && since <= clock.nowMs());
    assert.equal(value(one, 'etcd_network_active_peers{Local="a",Remote="b"}'), '1');
    network.openStreams('/raft/stream/message/a')[0]?.close();
    await clock.settle();
    assert.equal(one.transport.activeSince(b), since);
    network.down.add(urlB);
    network.hangs = (request) => request.url === urlA;
    for (const stream of [...network.streams]) stream.cut();
    await clock.advance(1000);
    assert.equal(one.transport.activeSince(b), undefined);
    assert.equal(value(one, 'etcd_network_active_peers{Local="a",Remote="b"}'), '0');
    assert.equal(value(one, 'etcd_network_disconnected_peers_total{Local="a",Remote="b"}'), '1');
    assert.equal(log.count('peer became inactive (message send to peer failed)'), 1, 'no flood');
    network.down.clear();
    await clock.advance(200);
    assert.equal(log.count('peer became active'), 2);
    assert.ok((one.transport.activeSince(b) ?? 0) > since);
  });

  test('a peer that is removed is not, and its streams end', async () => {
    const [one] = await connected();
    one.transport.removePeer(b);
    await clock.settle();
    assert.equal(one.transport.activeSince(b), undefined);
    assert.equal(
      network.openStreams('/raft/stream/msgapp/b').length + network.openStreams('/raft/stream/msgapp/a').length,
      0,
    );
    assert.equal(value(one, 'etcd_network_known_peers{Local="a",Remote="b"}'), '0');
    assert.equal(value(one, 'etcd_network_active_peers{Local="a",Remote="b"}'), '0');
  });

  test('new URLs are used from the next attempt on', async () => {
    const [one] = await connected();
    one.transport.setPeer(b, ['http://b:7']);
    network.requests.length = 0;
    for (const stream of network.openStreams('/raft/stream/msgapp/a')) stream.cut();
    await clock.advance(200);
    assert.ok(network.requests.some((request) => request.url === 'http://b:7'));
    assert.ok(network.requests.every((request) => request.url !== urlB));
  });

  test('URLs that cannot be used are refused without harm', async () => {
    const one = node(a, urlA);
    one.transport.setPeer(b, ['nonsense']);
    one.transport.addRemote(b, ['http://x:1/path']);
    one.transport.send([append(1)]);
    await clock.settle();
    assert.equal(network.requests.length, 0);
  });
});

describe('the removed and the unknown', () => {
  test('410 on a stream stops the member, told once', async () => {
    const [one, two] = [node(a, urlA), node(b, urlB)];
    two.source.removed.add(a);
    one.transport.setPeer(b, [urlB]);
    await clock.advance(1000);
    assert.equal(one.source.toldRemoved, 1);
  });

  test('a sender that is no member is answered by post, at the URLs it says', async () => {
    const [one, two] = [node(a, urlA), node(b, urlB)];
    // a knows b, b has not heard of a yet.
    one.transport.setPeer(b, [urlB]);
    await clock.settle();
    const answer = createMessage({ type: MessageType.MsgAppResp, from: b, to: a, term: 2, index: 1 });
    two.transport.send([answer]);
    await clock.settle();
    assert.deepEqual(one.source.messages, [answer]);
    assert.equal(network.count('/raft/stream/msgapp/b'), 0, 'b opens no streams to it');
  });

  test('a stranger with URLs that are none, and more strangers than there may be', async () => {
    const two = node(b, urlB, { remotesMax: 2 });
    const headers = (from: string, urls: string) => ({
      ...{ 'X-Server-From': from, 'X-Server-Version': '3.7.1', 'X-Min-Cluster-Version': '3.0.0' },
      ...{ 'X-Etcd-Cluster-Id': 'c1', 'X-Peerurls': urls },
    });
    const body = encodeMessage(message(MessageType.MsgVote, { from: stranger }));
    const post = (from: string, urls: string) =>
      network.request({ method: 'POST', url: urlB, path: '/raft', headers: headers(from, urls), body }).reply;
    const replies = [post('c', ':// ,x'), post('d', 'http://d:1'), post('e', 'http://e:1'), post('f', 'http://f:1')];
    await clock.settle();
    assert.deepEqual(
      (await Promise.all(replies)).map((reply) => reply.status),
      [204, 204, 204, 204],
    );
    network.requests.length = 0;
    for (const to of [0xcn, 0xdn, 0xen, 0xfn])
      two.transport.send([createMessage({ type: MessageType.MsgVote, from: b, to })]);
    await clock.settle();
    assert.deepEqual(
      network.requests.map((request) => request.url),
      ['http://d:1', 'http://e:1'],
    );
  });
});

describe('probes', () => {
  test('two every 4 s; a metric, and a line while they fail', async () => {
    const [one] = await connected();
    network.requests.length = 0;
    await clock.advance(8_100);
    assert.equal(network.requests.filter((each) => each.path === '/raft/probing' && each.url === urlB).length, 4);
    assert.equal(value(one, 'etcd_network_peer_round_trip_time_seconds_count{To="b"}'), '2');
    assert.equal(log.count('prober detected unhealthy status'), 0);
    network.down.add(urlB);
    await clock.advance(33_000);
    assert.ok(log.count('prober detected unhealthy status') >= 2);
  });
});
