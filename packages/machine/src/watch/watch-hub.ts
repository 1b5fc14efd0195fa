import { assert, type Clock, type Counter, type Gauge, type Metrics, noMetrics, type Random } from '@quorate/base';
import type { ChangeSink, History, StoreEvent } from '../mvcc/contract.ts';
import { CatchUp, type CatchUpHost } from './catch-up.ts';
import { EventBatch } from './event-batch.ts';
import { type Interest, InterestIndex } from './interest-index.ts';
import { ResponseEncoder } from './response-encoder.ts';
import type { HeaderWriter } from './response-header.ts';
import type { WatchOutput } from './watch-output.ts';
import { type StreamOptions, WatchStream } from './watch-stream.ts';
import type { Watcher } from './watcher.ts';

export interface WatchHubDeps {
  readonly history: History;
  readonly clock: Clock;
  /** Spreads the progress timers of the streams. */
  readonly random: Random;
  readonly writeHeader: HeaderWriter;
  readonly metrics?: Metrics;
}

export interface WatchHubOptions {
  /** A response of at least so many bytes is cut for watchers that asked for fragments: max-request-bytes + 512 KiB. */
  readonly fragmentBytes?: number;
  /** Time between progress notifications; up to a tenth is added, drawn once a stream. */
  readonly progressIntervalMs?: number;
  /** Longest stretch of catch-up in one turn of the event loop. */
  readonly sliceMs?: number;
  /** Most changes read and handed out in a slice; bounds it where the clock stands still, as in a simulation. */
  readonly changesPerSliceMax?: number;
  /** Most revisions in one response of catch-up. */
  readonly revisionsPerBatchMax?: number;
  /**
   * Key-value bytes, previous ones included, of one response of catch-up that has more than one revision. A stream whose client
   * reads nothing may hold one response whatever the others hold: it is what each of many such streams costs.
   */
  readonly batchBytesMax?: number;
}

const defaults: Required<WatchHubOptions> = {
  fragmentBytes: 2 * 1024 * 1024,
  progressIntervalMs: 10 * 60 * 1000,
  sliceMs: 2,
  changesPerSliceMax: 8192,
  revisionsPerBatchMax: 1000,
  batchBytesMax: 64 * 1024,
};

/**
 * All watchers of a member. The store tells it of each write transaction; it sends the events on at once to the watchers that
 * are synced, and brings the others up from the history. It keeps no events itself: a watcher whose stream is full falls
 * behind and reads again later, so a slow client costs no memory here and loses nothing.
 */
export class WatchHub implements ChangeSink, CatchUpHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly encoder: ResponseEncoder;
  readonly options: Required<WatchHubOptions>;
  private currentHistory: History;
  /** Of the last transaction told: watchers that were synced then have everything up to it. */
  private toldRevision: number;
  private readonly index = new InterestIndex<Watcher>();
  private readonly batch: EventBatch;
  private readonly catchUp: CatchUp;
  private readonly streams = new Set<WatchStream>();
  /** Scratch of {@link changed}. */
  private readonly hits: Interest<Watcher>[] = [];
  private readonly found: Interest<Watcher>[] = [];

  private watcherCount = 0;
  private syncedCount = 0;
  private behindCount = 0;
  private readonly streamGauge: Gauge;
  private readonly watcherGauge: Gauge;
  private readonly slowGauge: Gauge;
  private readonly eventCounter: Counter;

  constructor(deps: WatchHubDeps, options: WatchHubOptions = {}) {
    this.clock = deps.clock;
    this.random = deps.random;
    this.options = { ...defaults, ...options };
    this.currentHistory = deps.history;
    this.toldRevision = deps.history.currentRevision;
    this.encoder = new ResponseEncoder(deps.writeHeader);
    this.batch = new EventBatch(this.encoder);
    this.catchUp = new CatchUp(deps.clock, this, new EventBatch(this.encoder), this.options);
    const metrics = deps.metrics ?? noMetrics;
    this.streamGauge = metrics.gauge('etcd_debugging_mvcc_watch_stream_total', 'Open watch streams');
    this.watcherGauge = metrics.gauge('etcd_debugging_mvcc_watcher_total', 'Watchers');
    this.slowGauge = metrics.gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watchers that are behind');
    this.eventCounter = metrics.counter('etcd_debugging_mvcc_events_total', 'Events delivered to the watch sender');
  }

  get history(): History {
    return this.currentHistory;
  }

  /** Whether a write has to be told: those behind read it from the history. */
  get hasWatchers(): boolean {
    return this.syncedCount > 0;
  }

  /** A new stream without watchers. Close it when its call ends. */
  openStream(output: WatchOutput, options: StreamOptions = {}): WatchStream {
    const stream = new WatchStream(this, output, options);
    this.streams.add(stream);
    this.streamGauge.set(this.streams.size);
    return stream;
  }

  /** Closes every stream. Their calls are for the RPC layer to end. */
  close(): void {
    for (const stream of this.streams) stream.close();
  }

  changed(revision: number, events: readonly StoreEvent[]): void {
    assert(revision > this.toldRevision, 'the store tells of revisions in ascending order');
    this.toldRevision = revision;
    const hits = this.hits;
    if (events.length === 1) {
      this.index.collect((events[0] as StoreEvent).key, hits);
      if (hits.length === 0) return;
      for (const interest of hits) this.deliver(interest, revision, events);
    } else {
      this.spread(events);
      for (const interest of hits) {
        this.deliver(interest, revision, interest.events);
        interest.events = [];
      }
    }
    hits.length = 0;
  }

  compacted(revision: number): void {
    this.catchUp.compacted(revision);
    for (const stream of this.streams) {
      for (const watcher of stream.blocked) {
        if (watcher.nextRevision >= revision) continue;
        stream.blocked.delete(watcher);
        this.becomeCompacted(watcher);
      }
    }
  }

  /**
   * The store was exchanged for a leader's snapshot. Watchers stay; what they missed they read from the new history, and
   * those for whom that is compacted are cancelled.
   */
  restore(history: History): void {
    this.currentHistory = history;
    const told = this.toldRevision;
    this.toldRevision = history.currentRevision;
    const synced: Watcher[] = [];
    this.index.forEach((interest) => {
      for (const watcher of interest.items) synced.push(watcher);
    });
    this.catchUp.restart();
    for (const watcher of synced) {
      watcher.nextRevision = Math.max(watcher.nextRevision, told + 1);
      if (watcher.nextRevision > history.currentRevision) continue;
      this.leaveSynced(watcher);
      this.catchUp.add(watcher);
    }
    this.compacted(history.compactRevision);
  }

  /** A stream's new watcher, whose created response is sent: from `nextRevision` on it gets everything. */
  register(watcher: Watcher): void {
    this.watcherCount++;
    this.watcherGauge.set(this.watcherCount);
    if (watcher.nextRevision > this.currentHistory.currentRevision) {
      this.enterSynced(watcher);
      return;
    }
    this.behindCount++;
    this.catchUpFrom(watcher);
    this.slowGauge.set(this.behindCount);
  }

  /** Forgets a watcher whose client cancelled it or left. */
  unregister(watcher: Watcher): void {
    if (watcher.state === 'synced') this.leaveSynced(watcher);
    else if (watcher.state === 'blocked') watcher.stream.blocked.delete(watcher);
    else this.catchUp.remove(watcher);
    if (watcher.state !== 'compacted') this.behindCount--;
    watcher.state = 'closed';
    this.watcherCount--;
    this.watcherGauge.set(this.watcherCount);
    this.slowGauge.set(this.behindCount);
  }

  /** The watcher's stream has room again. */
  unblock(watcher: Watcher): void {
    if (watcher.nextRevision > this.currentHistory.currentRevision) this.becomeSynced(watcher);
    else this.catchUpFrom(watcher);
  }

  forgetStream(stream: WatchStream): void {
    this.streams.delete(stream);
    this.streamGauge.set(this.streams.size);
  }

  countEvents(count: number): void {
    this.eventCounter.add(count);
  }

  becomeSynced(watcher: Watcher): void {
    this.behindCount--;
    this.slowGauge.set(this.behindCount);
    this.enterSynced(watcher);
  }

  becomeBlocked(watcher: Watcher, nextRevision: number): void {
    watcher.nextRevision = Math.max(watcher.nextRevision, nextRevision);
    watcher.state = 'blocked';
    watcher.stream.blocked.add(watcher);
  }

  becomeCompacted(watcher: Watcher): void {
    this.behindCount--;
    this.slowGauge.set(this.behindCount);
    watcher.state = 'compacted';
    watcher.stream.sendCompacted(watcher, this.currentHistory.compactRevision);
  }

  private catchUpFrom(watcher: Watcher): void {
    if (watcher.nextRevision < this.currentHistory.compactRevision) this.becomeCompacted(watcher);
    else this.catchUp.add(watcher);
  }

  private enterSynced(watcher: Watcher): void {
    watcher.state = 'synced';
    watcher.interest = this.index.add(watcher.key, watcher.end, watcher);
    watcher.stream.syncedCount++;
    this.syncedCount++;
  }

  /** The watcher is behind now and in no list. */
  private leaveSynced(watcher: Watcher): void {
    assert(watcher.interest !== undefined, 'a synced watcher is in the index');
    this.index.remove(watcher.interest, watcher);
    watcher.interest = undefined;
    watcher.stream.syncedCount--;
    this.syncedCount--;
    this.behindCount++;
  }

  /** Gives each interest its events of the revision and gathers those that got any. */
  private spread(events: readonly StoreEvent[]): void {
    const { hits, found } = this;
    for (const event of events) {
      found.length = 0;
      this.index.collect(event.key, found);
      for (const interest of found) {
        if (interest.events.length === 0) hits.push(interest);
        interest.events.push(event);
      }
    }
  }

  private deliver(interest: Interest<Watcher>, revision: number, events: readonly StoreEvent[]): void {
    const batch = this.batch;
    const watchers = interest.items;
    batch.begin(this.currentHistory, events, undefined, revision);
    for (let i = watchers.length - 1; i >= 0; i--) {
      const watcher = watchers[i] as Watcher;
      if (watcher.nextRevision > revision) continue;
      if (batch.body(watcher.variant).length > 0) {
        if (watcher.stream.isFull) {
          this.leaveSynced(watcher);
          this.becomeBlocked(watcher, revision);
          this.slowGauge.set(this.behindCount);
          continue;
        }
        watcher.stream.sendEvents(watcher, batch);
      }
      watcher.nextRevision = revision + 1;
    }
    batch.end();
  }
}
