import { createHash } from 'node:crypto';
import { SeededRandom } from '@quorate/base';
import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { sleep } from '../support/text.ts';
import { canonicalAnswer, canonicalMessage } from './canonical.ts';
import type { Connection } from './connection.ts';
import { Generator, type StoreView } from './generator.ts';
import { runPart, type ServerPair } from './pair.ts';
import type { Message } from './services.ts';
import { joinChunks } from './ties.ts';

const WAIT_MS = 10_000;
const OPEN = Buffer.from([0]);

function key(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/**
 * Whether a stream has a sort target without an order. etcd then sorts each chunk, and goes on behind the key that came last: keys come twice,
 * or never, and are counted so. Ours come in the order of keys.
 */
function isSortedByChunk({ sort_order: order, sort_target: target }: Message): boolean {
  return order === 0 && target !== 0;
}

/** Chunks may be cut anywhere: what they join to must be the same, and the same as the unary answer. */
async function compareStream(pair: ServerPair, name: string, request: Message): Promise<void> {
  const answers = await pair.both((connection) => connection.serverStream('KV.RangeStream', request));
  const context = `KV.RangeStream ${canonicalMessage(request)}`;
  pair.check(`${name}: end`, JSON.stringify(answers.reference.end), JSON.stringify(answers.underTest.end), context);
  if (answers.reference.end.code !== 'OK') return;
  const reference = joinChunks(answers.reference.messages);
  const underTest = joinChunks(answers.underTest.messages);
  const isSorted = isSortedByChunk(request);
  if (!isSorted) pair.check(`${name}: joined`, reference.text, underTest.text, context);
  pair.check(`${name}: chunks`, reference.problems.join('\n'), underTest.problems.join('\n'), context);
  const same = isSorted ? { ...request, sort_target: 0 } : request;
  const unary = await pair.connection('underTest').unary('KV.Range', same);
  if (unary.ok) pair.check(`${name}: as the unary answer`, canonicalMessage(unary.message), underTest.text, context);
}

async function rangeStreams(pair: ServerPair, seed: number): Promise<void> {
  const view: StoreView = { revision: 1, compactRevision: 0 };
  const generator = new Generator(new SeededRandom(seed + 1), view);
  for (let index = 0; index < 120; index++) {
    const call = generator.write();
    if (call.method === 'KV.Compact') continue;
    const answer = await pair.unary(`range stream: fill ${index}`, call.method, call.request);
    const header = answer.ok ? (answer.message.header as Message | null) : null;
    if (header !== null) view.revision = Math.max(view.revision, Number(header.revision));
  }
  for (let index = 0; index < 60; index++) {
    // Enough keys for several chunks (the first holds ten).
    await pair.unary('range stream: many', 'KV.Put', {
      key: key(`many/${index}`),
      value: Buffer.alloc(index * 50, 'x'),
    });
  }
  for (let index = 0; index < 150; index++) {
    await compareStream(pair, `range stream ${index}`, generator.range(undefined, { sorted: index % 10 === 0 }));
  }
  await compareStream(pair, 'range stream: all', { key: OPEN, range_end: OPEN });
}

interface SnapshotFacts {
  readonly problems: readonly string[];
  readonly version: string;
}

/** A snapshot must end with the SHA-256 of all before it, count down its bytes and be a bbolt file. */
async function readSnapshot(connection: Connection): Promise<SnapshotFacts> {
  const answer = await connection.serverStream('Maintenance.Snapshot', {});
  const problems: string[] = [];
  if (answer.end.code !== 'OK') problems.push(`ended with ${answer.end.code} ${answer.end.details}`);
  const blobs = answer.messages.map((message) => message.blob as Buffer);
  const total = blobs.reduce((sum, blob) => sum + blob.length, 0);
  const digest = blobs.at(-1) ?? Buffer.alloc(0);
  const body = Buffer.concat(blobs.slice(0, -1));
  if (!createHash('sha256').update(body).digest().equals(digest))
    problems.push('the last blob is not the sha256 of the rest');
  if (body.length % 512 !== 0) problems.push(`${body.length} bytes are no whole number of 512-byte blocks`);
  if (body.readUInt32LE(16) !== 0xed0c_daed) problems.push('no bbolt magic number in page 0');
  let sent = 0;
  answer.messages.forEach((message, index) => {
    const blob = blobs[index] as Buffer;
    sent += blob.length;
    const expected = index === blobs.length - 1 ? 0 : total - 32 - sent;
    if (Number(message.remaining_bytes) !== expected)
      problems.push(`message ${index}: remaining_bytes ${message.remaining_bytes}, not ${expected}`);
    if (blob.length > 32 * 1024) problems.push(`message ${index}: blob of ${blob.length} bytes`);
  });
  return { problems, version: String(answer.messages[0]?.version) };
}

async function snapshots(pair: ServerPair): Promise<void> {
  const facts = await pair.both(readSnapshot);
  pair.check('snapshot', JSON.stringify(facts.reference), JSON.stringify(facts.underTest));
  pair.require('snapshot is whole', facts.underTest.problems.length === 0, facts.underTest.problems.join('\n'));
}

async function keepAlives(pair: ServerPair): Promise<void> {
  await pair.unary('keep-alive: grant', 'Lease.LeaseGrant', { ID: 501, TTL: 600 });
  const transcripts = await pair.both(async (connection) => {
    const call = connection.duplex('Lease.LeaseKeepAlive');
    for (const id of [501, 999, 501, 0, -4]) call.send({ ID: id });
    await call.until(() => call.received.length >= 5, WAIT_MS);
    await connection.unary('Lease.LeaseRevoke', { ID: 501 });
    call.send({ ID: 501 });
    await call.until(() => call.received.length >= 6, WAIT_MS);
    call.halfClose();
    await call.until(() => call.end !== undefined, WAIT_MS);
    return `${call.received.map((message) => canonicalMessage(message)).join('\n')}\n${JSON.stringify(call.end)}`;
  });
  pair.check('keep-alive stream', transcripts.reference, transcripts.underTest);
}

const EXPIRY_TTL_SECONDS = 2;
const EXPIRY_LATE_MS = 2500;

/** Keys of an expired lease go in one revision, in key order, not before their time and not much after. */
async function leaseExpiry(pair: ServerPair): Promise<void> {
  const outcomes = await pair.both(async (connection) => {
    const watch = connection.duplex('Watch.Watch');
    watch.send({ create_request: { key: key('exp/'), range_end: key('exp0'), prev_kv: true } });
    await watch.until(() => watch.received.length >= 1, WAIT_MS);
    await connection.unary('Lease.LeaseGrant', { ID: 601, TTL: EXPIRY_TTL_SECONDS });
    const granted = Date.now();
    for (const name of ['exp/b', 'exp/a', 'exp/c']) {
      await connection.unary('KV.Put', { key: key(name), value: key(name), lease: 601 });
    }
    const deleted = (): Message | undefined =>
      watch.received.find((message) => (message.events as Message[]).some((event) => event.type === 1));
    await watch.until(() => deleted() !== undefined, WAIT_MS);
    const took = Date.now() - granted;
    watch.cancel();
    const late = took > EXPIRY_TTL_SECONDS * 1000 + EXPIRY_LATE_MS;
    const early = took < EXPIRY_TTL_SECONDS * 1000 - 100;
    const text = canonicalMessage(deleted() ?? {});
    return { text: `${text}\n${early ? `early: ${took} ms` : late ? `late: ${took} ms` : 'in time'}` };
  });
  pair.check('lease expiry', outcomes.reference.text, outcomes.underTest.text);
  await pair.unary('lease expiry: lease is gone', 'Lease.LeaseTimeToLive', { ID: 601, keys: true });
  await pair.unary('lease expiry: keys are gone', 'KV.Range', { key: key('exp/'), range_end: key('exp0') });
}

async function locks(pair: ServerPair): Promise<void> {
  await pair.unary('lock: unknown lease', 'Lock.Lock', { name: key('L'), lease: 4711 });
  for (const id of [701, 702, 703]) await pair.unary('lock: lease', 'Lease.LeaseGrant', { ID: id, TTL: 600 });
  await pair.unary('lock: first', 'Lock.Lock', { name: key('L'), lease: 701 });
  await pair.unary('lock: first again', 'Lock.Lock', { name: key('L'), lease: 701 });
  const second = await pair.both(async (connection) => {
    const waiting = connection.unary('Lock.Lock', { name: key('L'), lease: 702 });
    // A lock that is held must not be given away: the other answer has to come first.
    const early = await Promise.race([waiting.then(() => true), sleep(300).then(() => false)]);
    await connection.unary('Lock.Unlock', { key: key('L/2bd') });
    return `${early ? 'too early' : 'waited'} ${canonicalMessage(await waiting)}`;
  });
  pair.check('lock: second waits', second.reference, second.underTest);
  await pair.unary('lock: unlock a missing key', 'Lock.Unlock', { key: key('L/none') });
  await pair.unary('election: no leader', 'Election.Leader', { name: key('E') });
  const campaign = await pair.unary('election: campaign', 'Election.Campaign', {
    name: key('E'),
    lease: 701,
    value: key('one'),
  });
  await pair.unary('election: leader', 'Election.Leader', { name: key('E') });
  if (campaign.ok) {
    const leader = campaign.message.leader as Message;
    await pair.unary('election: proclaim', 'Election.Proclaim', { leader, value: key('two') });
    await pair.unary('election: leader after', 'Election.Leader', { name: key('E') });
    await pair.unary('election: resign', 'Election.Resign', { leader });
    await pair.unary('election: proclaim after resigning', 'Election.Proclaim', { leader, value: key('three') });
  }
  await pair.unary('election: no leader again', 'Election.Leader', { name: key('E') });
  await electionEdges(pair);
  await observers(pair);
}

/** What an observer hears before the first leader, while one leads and when the next does; and a waiting caller who goes away. */
async function observers(pair: ServerPair): Promise<void> {
  const heard = await pair.both(async (connection) => {
    const observed = connection.serverStream('Election.Observe', { name: key('O') }, { timeoutMs: 2_000 });
    const pause = () => sleep(150);
    await pause();
    const first = await connection.unary('Election.Campaign', { name: key('O'), lease: 702, value: key('1') });
    await pause();
    await connection.unary('Election.Campaign', { name: key('O'), lease: 702, value: key('2') });
    await pause();
    const next = connection.unary('Election.Campaign', { name: key('O'), lease: 703, value: key('3') });
    await pause();
    if (first.ok) await connection.unary('Election.Resign', { leader: first.message.leader as Message });
    await next;
    const { messages, end } = await observed;
    // Which side of the call notices first that its time is over is chance.
    const isOver = end.code === 'DEADLINE_EXCEEDED' || end.code === 'CANCELLED';
    return [...messages.map((message) => canonicalMessage(message)), isOver ? 'over' : end.code].join('\n');
  });
  pair.check('election: observe', heard.reference, heard.underTest);
  const left = await pair.both(async (connection) => {
    await connection.unary('Lock.Lock', { name: key('W'), lease: 702 });
    const gone = await connection.unary('Lock.Lock', { name: key('W'), lease: 703 }, { timeoutMs: 300 });
    const queue = () => connection.unary('KV.Range', { key: key('W/'), range_end: key('W0') });
    let now = await queue();
    for (let i = 0; i < 50 && now.ok && now.message.count !== '1'; i++) {
      await sleep(20);
      now = await queue();
    }
    return `${gone.ok ? 'granted' : 'not granted'}\n${canonicalAnswer(now)}`;
  });
  pair.check('lock: a caller who goes away leaves the queue', left.reference, left.underTest);
}

async function electionEdges(pair: ServerPair): Promise<void> {
  await pair.unary('lock: unlock without a key', 'Lock.Unlock', {});
  await pair.unary('election: unknown lease', 'Election.Campaign', { name: key('E'), lease: 4711 });
  for (const method of ['Proclaim', 'Resign']) {
    await pair.unary(`election: ${method} without a leader`, `Election.${method}`, { value: key('x') });
  }
  const first = await pair.unary('election: stand', 'Election.Campaign', {
    name: key('F'),
    lease: 701,
    value: key('1'),
  });
  await pair.unary('election: the same again', 'Election.Campaign', { name: key('F'), lease: 701, value: key('1') });
  await pair.unary('election: another value', 'Election.Campaign', { name: key('F'), lease: 701, value: key('2') });
  await pair.unary('election: the value now', 'Election.Leader', { name: key('F') });
  const second = await pair.both(async (connection) => {
    const waiting = connection.unary('Election.Campaign', { name: key('F'), lease: 702, value: key('3') });
    const early = await Promise.race([waiting.then(() => true), sleep(300).then(() => false)]);
    await connection.unary('Lease.LeaseRevoke', { ID: 701 });
    return `${early ? 'too early' : 'waited'} ${canonicalMessage(await waiting)}`;
  });
  pair.check('election: the next when the lease ends', second.reference, second.underTest);
  await pair.unary('election: the leader then', 'Election.Leader', { name: key('F') });
  if (!first.ok) return;
  const leader = first.message.leader as Message;
  await pair.unary('election: resign what another has', 'Election.Resign', { leader });
  await pair.unary('election: the leader still', 'Election.Leader', { name: key('F') });
}

/** Requests that crash the real etcd: ours must answer anything and live on. */
async function survival(pair: ServerPair): Promise<void> {
  const connection = pair.connection('underTest');
  const requests: readonly (readonly [string, Message])[] = [
    ['Maintenance.Alarm', { action: 9, memberID: 123, alarm: 1 }],
    [
      'KV.Txn',
      {
        success: [
          { request_delete_range: { key: key('a'), range_end: OPEN } },
          { request_put: { key: key('survivor'), ignore_value: true } },
        ],
      },
    ],
  ];
  await connection.unary('KV.Put', { key: key('survivor'), value: key('v') });
  for (const [method, request] of requests) {
    await connection.unary(method, request);
    const alive = await connection.unary('KV.Range', { key: key('a') });
    pair.require(`survives ${method} ${canonicalMessage(request)}`, alive.ok, alive.ok ? '' : alive.details);
  }
}

export async function runStreamParts(options: Options, report: Report, directory: string): Promise<void> {
  await runPart('grpc range stream', options, report, directory, [], (pair) => rangeStreams(pair, options.seed));
  await runPart('grpc streams', options, report, directory, [], async (pair) => {
    await keepAlives(pair);
    await leaseExpiry(pair);
    await snapshots(pair);
  });
  await runPart('grpc locks', options, report, directory, [], locks);
  if (options.serverUnderTest !== 'quorate') {
    report.skip('grpc survival', 'its requests crash the real etcd');
    return;
  }
  await runPart('grpc survival', options, report, directory, [], survival);
}
