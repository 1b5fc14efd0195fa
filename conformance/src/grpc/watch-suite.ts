import { SeededRandom } from '@quorate/base';
import type { Options } from '../options.ts';
import type { Report } from '../support/report.ts';
import { scratchDir } from '../support/server.ts';
import { sleep } from '../support/text.ts';
import { canonicalMessage } from './canonical.ts';
import type { Connection, DuplexCall } from './connection.ts';
import { Generator, type StoreView } from './generator.ts';
import { runPart, type ServerPair, type SideName } from './pair.ts';
import type { Message } from './services.ts';
import { createWatcher, syncWatchers, transcribe, type WatchSpec } from './watch-transcript.ts';

const WAIT_MS = 15_000;
const OPEN = Buffer.from([0]);
const sideNames: readonly SideName[] = ['reference', 'underTest'];

function key(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** The same watch stream on both servers. */
class StreamPair {
  readonly specs = new Map<string, WatchSpec>();
  private readonly calls: Record<SideName, DuplexCall>;

  constructor(pair: ServerPair) {
    this.calls = {
      reference: pair.connection('reference').duplex('Watch.Watch'),
      underTest: pair.connection('underTest').duplex('Watch.Watch'),
    };
  }

  async create(request: WatchSpec): Promise<string | undefined> {
    const ids = await Promise.all(sideNames.map((side) => createWatcher(this.calls[side], { ...request })));
    // Differing ids show in the control transcript; events are then compared under the reference's.
    if (ids[0] !== undefined) this.specs.set(ids[0], request);
    return ids[0];
  }

  async sync(revision: number): Promise<void> {
    const done = await Promise.all(sideNames.map((side) => syncWatchers(this.calls[side], revision)));
    done.forEach((synced, index) => {
      if (!synced) throw new Error(`${sideNames[index]}: watchers did not reach revision ${revision}`);
    });
  }

  async cancelWatcher(id: string): Promise<void> {
    await Promise.all(
      sideNames.map(async (side) => {
        const call = this.calls[side];
        call.send({ cancel_request: { watch_id: id } });
        const canceled = (message: Message): boolean => message.canceled === true && message.watch_id === id;
        await call.until(() => call.received.some(canceled), WAIT_MS);
      }),
    );
  }

  compare(pair: ServerPair, name: string): void {
    const reference = transcribe(this.calls.reference.received, this.specs);
    const underTest = transcribe(this.calls.underTest.received, this.specs);
    if (reference.problems.length > 0)
      throw new Error(`the reference breaks a promise: ${reference.problems.join('; ')}`);
    const asked = [...this.specs].map(([id, spec]) => `watcher ${id}: ${canonicalMessage(spec).replaceAll('\n', '')}`);
    pair.check(`${name}: created and cancelled`, reference.control, underTest.control, asked.join('\n'));
    pair.check(`${name}: events`, reference.events, underTest.events, asked.join('\n'));
    pair.check(`${name}: promises kept`, '', underTest.problems.join('\n'), asked.join('\n'));
  }

  close(): void {
    for (const side of sideNames) this.calls[side].cancel();
  }
}

function randomSpec(generator: Generator, start: number): WatchSpec {
  const interval = generator.interval(
    generator.pick(['a', 'b', 'ab', 'k/', 'k/2', 't/', 't/c', '\xff', '\0', 'z'].map(key)),
  );
  return {
    ...interval,
    start_revision: start,
    filters: generator.pick([[], [], [], [0], [1], [0, 1], [7]]),
    prev_kv: generator.chance(50),
    fragment: generator.chance(30),
  };
}

async function write(pair: ServerPair, generator: Generator, view: StoreView, name: string): Promise<void> {
  const call = generator.write();
  if (call.method === 'KV.Compact') return;
  const answer = await pair.unary(name, call.method, call.request);
  const header = answer.ok ? (answer.message.header as Message | null) : null;
  if (header !== null) view.revision = Math.max(view.revision, Number(header.revision));
}

const LIVE_STREAMS = 5;
const LIVE_WRITES = 700;

/** Watchers come and go while random writes run; at the end each must have seen the same. */
async function liveWatches(pair: ServerPair, seed: number): Promise<void> {
  const view: StoreView = { revision: 1, compactRevision: 0 };
  const generator = new Generator(new SeededRandom(seed + 2), view);
  const streams = Array.from({ length: LIVE_STREAMS }, () => new StreamPair(pair));
  for (let index = 0; index < LIVE_WRITES; index++) {
    await write(pair, generator, view, `live: seed ${seed} write ${index}`);
    if (index % 6 !== 0) continue;
    // The last stream has no watcher of the future, so that it can be synced, and its watchers cancelled, at any time.
    const slot = generator.below(streams.length);
    const stream = streams[slot] as StreamPair;
    const isLast = slot === streams.length - 1;
    const form = generator.below(10);
    const start =
      form < 3 ? 0 : form < 8 || isLast ? 1 + generator.below(view.revision) : view.revision + generator.below(6);
    const id = await stream.create(randomSpec(generator, start));
    if (isLast && id !== undefined && generator.chance(50)) {
      await stream.sync(view.revision);
      await stream.cancelWatcher(id);
    }
  }
  for (let index = 0; index < 10; index++) {
    await pair.unary('live: last writes', 'KV.Put', { key: key('a'), value: key(`last ${index}`) });
    view.revision++;
  }
  for (const [index, stream] of streams.entries()) {
    await stream.sync(view.revision);
    stream.compare(pair, `live: seed ${seed} stream ${index}`);
    stream.close();
  }
}

/** Every response over a store at rest, word for word: batches, header revisions, fragments. */
async function quietWatch(pair: ServerPair, name: string, request: Message, revision: number): Promise<void> {
  const transcripts = await pair.both(async (connection) => {
    const call = connection.duplex('Watch.Watch');
    const id = await createWatcher(call, request);
    const canceled = (): boolean => call.received.some((message) => message.canceled === true);
    const asked = Date.now();
    if (id !== undefined && Number(request.start_revision) <= revision) {
      while (!canceled() && Date.now() - asked < WAIT_MS) {
        call.send({ progress_request: {} });
        if (await call.until(() => call.received.some((message) => message.watch_id === '-1') || canceled(), 100))
          break;
      }
    }
    call.cancel();
    // How often progress was asked for differs.
    const seen = call.received.filter((message) => message.watch_id !== '-1' || message.created === true);
    const sizes = seen.map((message) => `${(message.events as Message[]).length} events`);
    return `${sizes.join(', ')}\n${seen.map((message) => canonicalMessage(message)).join('\n')}`;
  });
  pair.check(name, transcripts.reference, transcripts.underTest, canonicalMessage(request));
}

/** History after a compaction, from every start around it. */
async function historyWatches(pair: ServerPair, seed: number): Promise<void> {
  const view: StoreView = { revision: 1, compactRevision: 0 };
  const generator = new Generator(new SeededRandom(seed + 3), view);
  for (let index = 0; index < 300; index++) {
    await write(pair, generator, view, `history: seed ${seed} write ${index}`);
  }
  const compacted = Math.floor(view.revision * 0.4);
  await pair.unary('history: compact', 'KV.Compact', { revision: compacted, physical: true });
  const starts = [
    1,
    compacted - 1,
    compacted,
    compacted + 1,
    compacted + 2,
    view.revision,
    view.revision + 1,
    view.revision + 5,
  ];
  const all = { key: OPEN, range_end: OPEN };
  const requests: Message[] = starts.flatMap((start_revision) => [
    { ...all, start_revision },
    { ...all, start_revision, prev_kv: true },
  ]);
  for (let index = 0; index < 60; index++) {
    const start = compacted + generator.below(view.revision - compacted + 1);
    requests.push({ ...randomSpec(generator, start) });
  }
  for (let at = 0; at < requests.length; at += 10) {
    await Promise.all(
      requests
        .slice(at, at + 10)
        .map((request, index) => quietWatch(pair, `history: seed ${seed} watch ${at + index}`, request, view.revision)),
    );
  }
}

const BATCH_WRITES = 2300;

/** More than a thousand revisions behind: batches of a thousand. */
async function batchedHistory(pair: ServerPair): Promise<void> {
  await pair.both(async (connection) => {
    for (let at = 0; at < BATCH_WRITES; at += 100) {
      await Promise.all(
        Array.from({ length: 100 }, () => connection.unary('KV.Put', { key: key('same'), value: key('v') })),
      );
    }
  });
  const revision = BATCH_WRITES + 1;
  for (const start_revision of [1, 2, 3, 1302, 1303, 2301]) {
    await quietWatch(pair, `batches: start ${start_revision}`, { key: key('same'), start_revision }, revision);
    await quietWatch(
      pair,
      `batches: start ${start_revision}, filtered`,
      { key: key('same'), start_revision, filters: [0] },
      revision,
    );
  }
}

/** Above this no fragment may be, unless it holds a single event. */
const FRAGMENT_BYTES_MAX = 1572864 + 512 * 1024;

function eventBytes(message: Message): number {
  return (message.events as Message[]).reduce((sum, event) => {
    const previous = event.prev_kv as Message | null;
    const values = [(event.kv as Message).value as Buffer, (previous?.value as Buffer | undefined) ?? Buffer.alloc(0)];
    return sum + values.reduce((bytes, value) => bytes + value.length, 0);
  }, 0);
}

/** Large histories: how responses are cut between revisions is free, what they hold and where fragments end is not. */
async function largeWatch(pair: ServerPair, name: string, spec: WatchSpec, revision: number): Promise<void> {
  const transcripts = await pair.both(async (connection) => {
    const call = connection.duplex('Watch.Watch');
    const id = (await createWatcher(call, { ...spec })) ?? 'refused';
    await syncWatchers(call, revision);
    call.cancel();
    const large = call.received.filter(
      (message) => (message.events as Message[]).length > 1 && eventBytes(message) > FRAGMENT_BYTES_MAX,
    );
    const transcript = transcribe(call.received, new Map([[id, spec]]));
    const oversized = spec.fragment && large.length > 0 ? [`${large.length} responses above the limit`] : [];
    const cut = spec.fragment ? '' : call.received.some((message) => message.fragment === true) ? 'fragments' : '';
    return { ...transcript, problems: [...transcript.problems, ...oversized, ...(cut === '' ? [] : [cut])] };
  });
  const { reference, underTest } = transcripts;
  pair.check(`${name}: created`, reference.control, underTest.control);
  pair.check(`${name}: events`, reference.events, underTest.events);
  pair.check(`${name}: promises kept`, reference.problems.join('\n'), underTest.problems.join('\n'));
}

/** Responses above the message limit, whole and in fragments. */
async function fragments(pair: ServerPair): Promise<void> {
  for (let revision = 0; revision < 6; revision++) {
    const success = Array.from({ length: 10 }, (_, index) => ({
      request_put: { key: key(`big/${index}`), value: Buffer.alloc(120_000 + revision * 999 + index * 77, 97 + index) },
    }));
    await pair.unary(`fragments: txn ${revision}`, 'KV.Txn', { success });
  }
  const big = { key: key('big/'), range_end: key('big0'), filters: [] };
  for (const fragment of [false, true]) {
    for (const prev_kv of [false, true]) {
      for (const start_revision of [1, 4, 7]) {
        const spec = { ...big, start_revision, fragment, prev_kv };
        await largeWatch(pair, `fragments: ${JSON.stringify({ start_revision, fragment, prev_kv })}`, spec, 7);
      }
    }
  }
  // The same for events as they happen: one revision is one response, whole or in fragments.
  const stream = new StreamPair(pair);
  await stream.create({ ...big, start_revision: 0, prev_kv: true, fragment: true });
  await pair.unary('fragments: delete all', 'KV.DeleteRange', { key: big.key, range_end: big.range_end });
  await stream.sync(8);
  stream.compare(pair, 'fragments: live');
  stream.close();
}

/** Requests on one stream whose answers must come in this order and words. */
async function watchErrors(pair: ServerPair): Promise<void> {
  await pair.unary('errors: put', 'KV.Put', { key: key('a'), value: key('1') });
  const requests: readonly Message[] = [
    { create_request: { key: key('a') } },
    { create_request: { key: key('a'), start_revision: -1 } },
    { create_request: { key: key('b'), range_end: key('a') } },
    { create_request: { key: key('b'), range_end: key('b') } },
    { create_request: { key: key('a'), range_end: OPEN } },
    { create_request: { key: key('a'), watch_id: 7 } },
    { create_request: { key: key('a'), watch_id: 7 } },
    { create_request: { key: key('a'), watch_id: -3 } },
    { create_request: { key: key('') } },
    { cancel_request: { watch_id: 4711 } },
    { cancel_request: { watch_id: 7 } },
    { create_request: { key: key('a'), watch_id: 7 } },
    {},
    { cancel_request: { watch_id: 0 } },
    { cancel_request: { watch_id: 0 } },
    { create_request: { key: key('z') } },
    { progress_request: {} },
  ];
  const transcripts = await pair.both(async (connection) => {
    const call = connection.duplex('Watch.Watch');
    const lines: string[] = [];
    for (const request of requests) {
      const before = call.received.length;
      call.send(request);
      await call.until(() => call.received.length > before, 400);
      const came = call.received.slice(before).map((message) => canonicalMessage(message).replaceAll('\n', ''));
      lines.push(`${canonicalMessage(request).replaceAll('\n', '')}\n  => ${came.join('\n  => ') || 'nothing'}`);
    }
    call.halfClose();
    const before = call.received.length;
    await connection.unary('KV.Put', { key: key('z'), value: key('after half-close') });
    // Two watchers see it: that of z and that of a to the end.
    await call.until(() => call.received.length >= before + 2, WAIT_MS);
    const after = call.received.slice(before).map((message) => canonicalMessage(message, ['watch_id']));
    lines.push('after half-close', ...after.sort());
    call.cancel();
    return lines.join('\n');
  });
  pair.check('errors: one stream', transcripts.reference, transcripts.underTest);
  const silent = await pair.both(async (connection) => {
    const call = connection.duplex('Watch.Watch');
    call.send({ progress_request: {} });
    const answered = await call.until(() => call.received.length > 0, 500);
    call.cancel();
    return answered ? 'answered' : 'silent';
  });
  pair.check('errors: progress without watchers', silent.reference, silent.underTest);
}

const PROGRESS_INTERVAL_MS = 200;

async function countProgress(connection: Connection, request: Message): Promise<string> {
  const call = connection.duplex('Watch.Watch');
  await createWatcher(call, request);
  await sleep(PROGRESS_INTERVAL_MS * 6);
  call.cancel();
  const notices = call.received.filter(
    (message) => message.created === false && (message.events as Message[]).length === 0,
  );
  const revisions = new Set(notices.map((message) => (message.header as Message).revision));
  // The timer is not in step on two servers: only "none" or "several" counts.
  return notices.length === 0
    ? 'none'
    : `${notices.length >= 3 ? 'several' : 'few'} at revision ${[...revisions].join()}`;
}

async function progressNotices(pair: ServerPair): Promise<void> {
  await pair.unary('progress: put', 'KV.Put', { key: key('a'), value: key('1') });
  const requests: readonly Message[] = [
    { key: key('b'), progress_notify: true },
    { key: key('b') },
    { key: key('b'), progress_notify: true, start_revision: 50 },
    { key: key('b'), progress_notify: true, start_revision: 1 },
  ];
  await Promise.all(
    requests.map(async (request, index) => {
      const counts = await pair.both((connection) => countProgress(connection, request));
      pair.check(`progress: notices ${index}`, counts.reference, counts.underTest, canonicalMessage(request));
    }),
  );
}

export async function runWatchSuite(options: Options, report: Report): Promise<void> {
  const directory = scratchDir('watch');
  const part = (name: string, args: readonly string[], body: (pair: ServerPair) => Promise<void>): Promise<void> =>
    runPart(`watch ${name}`, options, report, directory, args, body);
  await part('live', [], (pair) => liveWatches(pair, options.seed));
  await part('history', [], (pair) => historyWatches(pair, options.seed));
  await part('batches', [], batchedHistory);
  await part('fragments', [], fragments);
  await part('errors', [], watchErrors);
  await part('progress', [`--watch-progress-notify-interval=${PROGRESS_INTERVAL_MS}ms`], progressNotices);
}
