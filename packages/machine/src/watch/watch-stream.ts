import { latin1FromBytes, openEnd, type Timer } from '@quorate/base';
import { type EventBatch, Variant } from './event-batch.ts';
import { type ControlFields, cutBody } from './response-encoder.ts';
import type { WatchHub } from './watch-hub.ts';
import type { WatchOutput } from './watch-output.ts';
import { Watcher } from './watcher.ts';

/** The fields of an etcdserverpb.WatchCreateRequest. */
export interface WatchCreate {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly startRevision: number;
  readonly progressNotify: boolean;
  /** 0 NOPUT, 1 NODELETE; others are ignored. */
  readonly filters: readonly number[];
  readonly prevKv: boolean;
  /** 0 lets the stream choose. */
  readonly watchId: number;
  readonly fragment: boolean;
}

export interface StreamOptions {
  /** Asked with key and range end as the client sent them; a text refuses the watch with that reason. */
  readonly authorize?: (key: Uint8Array, rangeEnd: Uint8Array) => string | undefined;
  /** Told of each watch that the client was given. */
  readonly onCreated?: (watchId: number, request: WatchCreate) => void;
}

export const watchRefusal = {
  compacted: 'etcdserver: mvcc: required revision has been compacted',
  emptyRange: 'mvcc: watcher range is empty',
  duplicateId: 'mvcc: duplicate watch ID provided on the WatchStream',
} as const;

/** In a response that belongs to no watcher: a refused create, an answer to a progress request. */
export const noWatchId = -1;

/** Requests are to wait once so many answers are queued behind a full output. */
const queuedControlMax = 128;

interface KeyInterval {
  readonly key: string;
  readonly end: string;
}

/** `undefined` when the interval is empty (spec section 0: `\0` as range end means no end). */
function intervalOf(key: Uint8Array, rangeEnd: Uint8Array): KeyInterval | undefined {
  const from = key.length === 0 ? '\0' : latin1FromBytes(key);
  if (rangeEnd.length === 0) return { key: from, end: '' };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { key: from, end: openEnd };
  const end = latin1FromBytes(rangeEnd);
  return end <= from ? undefined : { key: from, end };
}

function variantOf(request: WatchCreate): number {
  let variant = request.prevKv ? Variant.previous : 0;
  for (const filter of request.filters) {
    if (filter === 0) variant |= Variant.noPut;
    else if (filter === 1) variant |= Variant.noDelete;
  }
  return variant;
}

/**
 * The watchers of one client stream. Feed it the client's requests in order. A request method returns false when answers queue
 * up behind a full output: read no more requests then until {@link isBacklogged} is false, which is so after the output drained.
 */
export class WatchStream {
  /** Of this stream's watchers, those in state `synced`; kept by the hub. */
  syncedCount = 0;
  /** Watchers in state `blocked`; kept by the hub. */
  readonly blocked = new Set<Watcher>();
  private readonly hub: WatchHub;
  private readonly output: WatchOutput;
  private readonly options: StreamOptions;
  private readonly watchers = new Map<number, Watcher>();
  private nextAutoId = 0;
  private isOutputFull = false;
  private isClosed = false;
  /** Answers that wait for the output; empty unless it is full. */
  private controls: Uint8Array[] = [];
  private progressTimer: Timer | undefined = undefined;
  private progressIntervalMs = 0;

  constructor(hub: WatchHub, output: WatchOutput, options: StreamOptions) {
    this.hub = hub;
    this.output = output;
    this.options = options;
    output.onDrain(() => this.drained());
  }

  /** The output takes no events now. */
  get isFull(): boolean {
    return this.isOutputFull;
  }

  /** The same, asked anew: many streams together may be too much where this one alone is not. */
  hasRoom(): boolean {
    if (!this.isOutputFull && !this.output.hasRoom()) this.isOutputFull = true;
    return !this.isOutputFull;
  }

  get isBacklogged(): boolean {
    return this.controls.length >= queuedControlMax;
  }

  get watcherCount(): number {
    return this.watchers.size;
  }

  create(request: WatchCreate): boolean {
    const current = this.hub.history.currentRevision;
    if (request.startRevision < 0) return this.refuse(watchRefusal.compacted);
    const denial = this.options.authorize?.(request.key, request.rangeEnd);
    if (denial !== undefined) return this.refuse(denial);
    const interval = intervalOf(request.key, request.rangeEnd);
    if (interval === undefined) return this.refuse(watchRefusal.emptyRange);
    if (request.watchId !== 0 && this.watchers.has(request.watchId)) return this.refuse(watchRefusal.duplicateId);
    const id = request.watchId === 0 ? this.takeAutoId() : request.watchId;
    const watcher = new Watcher(this, id, interval, {
      variant: variantOf(request),
      fragment: request.fragment,
      progressNotify: request.progressNotify,
      startRevision: request.startRevision,
      nextRevision: request.startRevision === 0 ? current + 1 : request.startRevision,
    });
    this.watchers.set(id, watcher);
    this.options.onCreated?.(id, request);
    this.control(current, id, { created: true });
    this.hub.register(watcher);
    if (request.progressNotify) this.startProgressTimer();
    return !this.isBacklogged;
  }

  cancel(watchId: number): boolean {
    const watcher = this.watchers.get(watchId);
    if (watcher === undefined) return !this.isBacklogged;
    this.watchers.delete(watchId);
    this.hub.unregister(watcher);
    this.control(this.hub.history.currentRevision, watchId, { canceled: true });
    return !this.isBacklogged;
  }

  /** Answers only when every watcher has all there is; else the client has to ask again (spec 4.3). */
  requestProgress(): boolean {
    const current = this.hub.history.currentRevision;
    if (this.watchers.size === 0 || this.syncedCount !== this.watchers.size) return !this.isBacklogged;
    for (const watcher of this.watchers.values()) if (watcher.startRevision > current) return !this.isBacklogged;
    this.control(current, noWatchId, {});
    return !this.isBacklogged;
  }

  /** Ends all its watchers without a word. Closing twice is fine. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const watcher of this.watchers.values()) this.hub.unregister(watcher);
    this.watchers.clear();
    this.controls = [];
    this.progressTimer?.cancel();
    this.progressTimer = undefined;
    this.hub.forgetStream(this);
  }

  /** For the hub: the output is not full, and the batch has events for this watcher. */
  sendEvents(watcher: Watcher, batch: EventBatch): void {
    batch.prepare(watcher.variant, watcher.id);
    const { head, tail } = batch;
    const count = batch.eventCount(watcher.variant);
    if (watcher.fragment && count > 1 && head.length + tail.length >= this.hub.options.fragmentBytes) {
      this.sendFragments(watcher, batch);
    } else if (!this.output.send(head, tail)) {
      this.isOutputFull = true;
    }
    watcher.isIdle = false;
    this.hub.countEvents(count);
  }

  /** For the hub: tells the client that the watcher is over. */
  sendCompacted(watcher: Watcher, compactRevision: number): void {
    this.control(0, watcher.id, { canceled: true, compactRevision });
  }

  private sendFragments(watcher: Watcher, batch: EventBatch): void {
    const headBytes = batch.fragmentHead(watcher.id, false).length;
    const pieces = cutBody(batch.body(watcher.variant), this.hub.options.fragmentBytes - headBytes);
    for (let i = 0; i < pieces.length; i++) {
      const head = batch.fragmentHead(watcher.id, i === pieces.length - 1);
      if (!this.output.send(head, pieces[i] as Uint8Array)) this.isOutputFull = true;
    }
  }

  /** The counter never goes back, so an id the client still knows is not given to another watcher. */
  private takeAutoId(): number {
    while (this.watchers.has(this.nextAutoId)) this.nextAutoId++;
    return this.nextAutoId++;
  }

  private refuse(cancelReason: string): boolean {
    this.control(this.hub.history.currentRevision, noWatchId, { created: true, canceled: true, cancelReason });
    return !this.isBacklogged;
  }

  private control(revision: number, watchId: number, fields: ControlFields): void {
    if (this.isClosed) return;
    const response = this.hub.encoder.control(revision, watchId, fields);
    if (this.isOutputFull) this.controls.push(response);
    else if (!this.output.send(response, emptyTail)) this.isOutputFull = true;
  }

  private drained(): void {
    if (this.isClosed) return;
    this.isOutputFull = false;
    let sent = 0;
    while (sent < this.controls.length && !this.isOutputFull) {
      if (!this.output.send(this.controls[sent++] as Uint8Array, emptyTail)) this.isOutputFull = true;
    }
    this.controls = sent === this.controls.length ? [] : this.controls.slice(sent);
    if (this.isOutputFull) return;
    for (const watcher of this.blocked) {
      this.blocked.delete(watcher);
      this.hub.unblock(watcher);
    }
  }

  private startProgressTimer(): void {
    if (this.progressTimer !== undefined || this.isClosed) return;
    if (this.progressIntervalMs === 0) {
      const jitter = this.hub.random.nextUint32() / 0x1_0000_0000;
      this.progressIntervalMs = this.hub.options.progressIntervalMs * (1 + jitter / 10);
    }
    this.progressTimer = this.hub.clock.setTimer(this.progressIntervalMs, () => this.progressTick());
  }

  /** Tells watchers that had nothing since the last tick how far they are (spec 4.3). */
  private progressTick(): void {
    this.progressTimer = undefined;
    const current = this.hub.history.currentRevision;
    let isWanted = false;
    for (const watcher of this.watchers.values()) {
      if (!watcher.progressNotify) continue;
      isWanted = true;
      const isDue = watcher.isIdle && watcher.state === 'synced' && current >= watcher.startRevision;
      watcher.isIdle = true;
      if (isDue && !this.isOutputFull) this.control(current, watcher.id, {});
    }
    if (isWanted) this.startProgressTimer();
  }
}

const emptyTail = new Uint8Array(0);
