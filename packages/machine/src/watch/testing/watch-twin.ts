import { nextBelow, SeededRandom } from '@quorate/base';
import { EventType, type StoreEvent } from '../../mvcc/contract.ts';
import { makeHeaderWriter } from '../response-header.ts';
import { WatchHub } from '../watch-hub.ts';
import { noWatchId, type WatchStream } from '../watch-stream.ts';
import { ManualClock } from './manual-clock.ts';
import { MvccTwinStore } from './mvcc-twin-store.ts';
import { type NaiveOperation, NaiveStore } from './naive-store.ts';
import { modRevisionOf, nameOf, type SeenResponse, TestOutput } from './watch-response.ts';

const fragmentBytes = 120;

interface TwinWatcher {
  readonly id: number;
  readonly key: string;
  readonly end: string;
  readonly fromRevision: number;
  readonly startRevision: number;
  readonly filters: readonly number[];
  readonly prevKv: boolean;
  readonly fragment: boolean;
  isCreated: boolean;
  cancelRequested: boolean;
  isOver: boolean;
  isInFragments: boolean;
  /** `key@revision`, `-` before a delete, in the order in which they came. */
  readonly got: string[];
  lastRevision: number;
}

interface TwinStream {
  readonly stream: WatchStream;
  readonly output: TestOutput;
  readonly watchers: Map<number, TwinWatcher>;
  lastHeaderRevision: number;
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Does random things to a hub over a naive store and checks everything the clients get (semantics 4). */
export class WatchTwin {
  private readonly random: SeededRandom;
  private readonly clock = new ManualClock();
  private store: NaiveStore;
  private readonly isReal: boolean;
  private readonly hub: WatchHub;
  private readonly streams: TwinStream[] = [];
  readonly counts = { events: 0, progress: 0, compacted: 0, fragments: 0, batches: 0 };

  /** @param isReal over the real store; else over the naive one, which also takes part in snapshots */
  constructor(seed: number, isReal: boolean) {
    this.random = new SeededRandom(seed);
    this.isReal = isReal;
    this.store = isReal ? new MvccTwinStore(this.clock, this.random) : new NaiveStore();
    this.clock.stepMs = this.below(2) === 0 ? 0 : 0.7;
    this.hub = new WatchHub(
      {
        history: this.store.history,
        clock: this.clock,
        random: this.random,
        writeHeader: makeHeaderWriter(0xc437_c30f_b21f_c940n, 7n, () => 2),
      },
      {
        fragmentBytes,
        revisionsPerBatchMax: 1 + this.below(8),
        batchBytesMax: 600,
        progressIntervalMs: 1000,
        changesPerSliceMax: 2 + this.below(30),
      },
    );
    this.store.setSink(this.hub);
    for (let i = 0; i < 4; i++) this.openStream();
  }

  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) {
      this.step();
      if (this.isReal) await this.letCompactionRun();
    }
    for (const stream of this.streams) stream.output.capacity = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      for (const stream of this.streams) this.take(stream, Number.POSITIVE_INFINITY);
      this.clock.settle();
    }
    check(this.isReal || !this.clock.hasDeferred, 'the catch-up comes to rest');
    for (const stream of this.streams) this.checkComplete(stream);
    this.hub.close();
  }

  /** The real store deletes in batches, with promises and pauses between them. */
  private async letCompactionRun(): Promise<void> {
    for (let i = 0; i < 4; i++) await Promise.resolve();
    if (this.below(3) === 0) this.clock.advance(10);
  }

  private below(bound: number): number {
    return nextBelow(this.random, bound);
  }

  private openStream(): void {
    const output = new TestOutput(this.below(3) === 0 ? 1 + this.below(4) : Number.POSITIVE_INFINITY);
    const stream = this.hub.openStream(output);
    this.streams.push({ stream, output, watchers: new Map(), lastHeaderRevision: 0 });
  }

  private step(): void {
    const stream = this.streams[this.below(this.streams.length)] as TwinStream;
    const dice = this.below(100);
    if (dice < 40) this.write();
    else if (dice < 60) this.clock.turn();
    else if (dice < 72) this.take(stream, 1 + this.below(6));
    else if (dice < 82) this.create(stream);
    else if (dice < 86) this.cancel(stream);
    else if (dice < 91) stream.stream.requestProgress();
    else if (dice < 94) this.clock.advance(300);
    else if (dice < 97) this.compact();
    else if (dice < 98) this.restore();
    else this.reopen(stream);
  }

  private key(): string {
    return (
      String.fromCharCode(97 + this.below(4)) + (this.below(2) === 0 ? '' : String.fromCharCode(97 + this.below(3)))
    );
  }

  private write(): void {
    const keys = new Set<string>();
    const count = this.below(3) === 0 ? 1 + this.below(5) : 1;
    while (keys.size < count) keys.add(this.key());
    const operations: NaiveOperation[] = [...keys].map((key) =>
      this.below(4) === 0 ? { delete: key } : { put: key, value: 'x'.repeat(this.below(40)) },
    );
    this.store.write(operations);
  }

  private compact(): void {
    const { compactRevision, currentRevision } = this.store;
    const low = Math.max(compactRevision, 0);
    if (low < currentRevision) this.store.compact(low + 1 + this.below(currentRevision - low));
  }

  /** A snapshot of a leader that is ahead by some writes this member never saw one by one. */
  private restore(): void {
    if (this.isReal) return;
    this.store = this.store.copy();
    for (let i = this.below(20); i > 0; i--) this.write();
    if (this.below(2) === 0) this.compact();
    this.store.setSink(this.hub);
    this.hub.restore(this.store);
  }

  private reopen(old: TwinStream): void {
    old.stream.close();
    this.streams.splice(this.streams.indexOf(old), 1);
    this.openStream();
  }

  private create(twin: TwinStream): void {
    const current = this.store.currentRevision;
    const startRevision = this.below(2) === 0 ? 0 : 1 + this.below(current + 5);
    const key = this.key();
    const form = this.below(5);
    const end = form < 2 ? '' : form === 2 ? '\0' : `${key}\xff`.slice(0, 2);
    if (end !== '' && end !== '\0' && end <= key) return;
    const options = {
      startRevision,
      progressNotify: this.below(2) === 0,
      filters: this.below(3) === 0 ? [this.below(3)] : [],
      prevKv: this.below(2) === 0,
      fragment: this.below(2) === 0,
    };
    let id = 0;
    while (twin.watchers.has(id)) id++;
    twin.watchers.set(id, {
      id,
      key,
      end,
      fromRevision: startRevision === 0 ? current + 1 : startRevision,
      isCreated: false,
      cancelRequested: false,
      isOver: false,
      isInFragments: false,
      got: [],
      lastRevision: 0,
      ...options,
    });
    const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
    twin.stream.create({ key: bytes(key), rangeEnd: bytes(end), watchId: 0, ...options });
  }

  private cancel(twin: TwinStream): void {
    const watchers = [...twin.watchers.values()].filter((watcher) => !watcher.cancelRequested);
    const watcher = watchers[this.below(Math.max(1, watchers.length))];
    if (watcher === undefined) return;
    watcher.cancelRequested = true;
    twin.stream.cancel(watcher.id);
  }

  private take(twin: TwinStream, count: number): void {
    for (const response of twin.output.take(count)) this.check(twin, response);
  }

  private check(twin: TwinStream, response: SeenResponse): void {
    if (response.revision !== 0) {
      check(response.revision >= twin.lastHeaderRevision, 'header revisions of a stream never go back');
      twin.lastHeaderRevision = response.revision;
    }
    if (response.watchId === noWatchId) {
      this.counts.progress++;
      for (const watcher of twin.watchers.values()) this.checkProgress(watcher, response.revision);
      return;
    }
    const watcher = twin.watchers.get(response.watchId);
    check(watcher !== undefined, `a response for unknown watcher ${response.watchId}`);
    check(!watcher.isInFragments || response.events.length > 0, 'nothing comes between fragments');
    if (response.created) {
      check(!watcher.isCreated, 'created once');
      watcher.isCreated = true;
      return;
    }
    check(watcher.isCreated && (!watcher.isOver || response.canceled), 'only a live watcher gets responses');
    if (response.canceled) {
      if (response.compactRevision !== 0) this.checkCompacted(watcher, response);
      else check(watcher.cancelRequested, 'only asked-for watchers are cancelled');
      watcher.isOver = true;
      return;
    }
    if (response.events.length === 0) {
      this.counts.progress++;
      this.checkProgress(watcher, response.revision);
    } else this.checkEvents(watcher, response);
  }

  private checkCompacted(watcher: TwinWatcher, response: SeenResponse): void {
    this.counts.compacted++;
    check(response.revision === 0, 'a compaction cancel has no revision');
    check(response.compactRevision > watcher.lastRevision, 'what was needed next is compacted');
    check(response.compactRevision > watcher.fromRevision, 'the start was compacted');
  }

  private checkEvents(watcher: TwinWatcher, response: SeenResponse): void {
    this.counts.batches++;
    if (response.fragment) this.counts.fragments++;
    check(watcher.fragment || !response.fragment, 'fragments only where asked for');
    if (watcher.fragment && response.events.length > 1) check(response.bytes < fragmentBytes, 'a fragment is small');
    for (const { type, keyValue, previous } of response.events) {
      this.counts.events++;
      const revision = modRevisionOf(keyValue);
      check(revision <= response.revision, 'the header is not behind the events');
      check(
        revision > watcher.lastRevision ||
          (watcher.isInFragments && revision === watcher.lastRevision) ||
          response.events.length > 1,
        'one revision is not spread over responses',
      );
      const name = nameOf(keyValue);
      watcher.got.push(type === EventType.delete ? `-${name}` : name);
      const before = this.store.everKeyValueAt(name.slice(0, name.lastIndexOf('@')), revision - 1);
      if (previous !== undefined) {
        check(watcher.prevKv && before !== undefined, 'a previous value where there is one');
        check(nameOf(previous) === nameOf(before), 'the right previous value');
      } else if (watcher.prevKv && before !== undefined)
        check(revision - 1 < this.store.compactRevision, 'the previous value is left out only when compacted');
    }
    const last = response.events[response.events.length - 1];
    watcher.lastRevision = last === undefined ? 0 : modRevisionOf(last.keyValue);
    watcher.isInFragments = response.fragment;
  }

  /** All that the watcher is to see up to `revision`, by the naive store. */
  private expected(watcher: TwinWatcher, to: number): string[] {
    const wanted = (event: StoreEvent) => {
      if (watcher.filters.includes(event.type)) return false;
      if (watcher.end === '') return event.key === watcher.key;
      return event.key >= watcher.key && (watcher.end === '\0' || event.key < watcher.end);
    };
    return this.store.changes
      .filter(({ revision, event }) => revision >= watcher.fromRevision && revision <= to && wanted(event))
      .map(({ event }) => (event.type === EventType.delete ? '-' : '') + nameOf(event.keyValue));
  }

  private checkProgress(watcher: TwinWatcher, revision: number): void {
    if (!watcher.isCreated || watcher.isOver || watcher.cancelRequested) return;
    check(revision >= watcher.startRevision, 'no progress before the start');
    const expected = this.expected(watcher, revision);
    check(watcher.got.join() === expected.join(), `progress ${revision}: got ${watcher.got}, want ${expected}`);
  }

  private checkComplete(twin: TwinStream): void {
    for (const watcher of twin.watchers.values()) {
      check(watcher.isCreated && !watcher.isInFragments, 'every watcher was created');
      const expected = this.expected(watcher, this.store.currentRevision);
      const whole = expected.join();
      if (watcher.isOver) expected.length = watcher.got.length;
      check(
        watcher.got.join() === expected.join(),
        `watcher ${watcher.id} from ${watcher.fromRevision}: got ${watcher.got}, want ${whole}`,
      );
    }
  }
}
