import { etcdserverpb } from '@quorate/api';
import { assert } from '@quorate/base';
import type { RequestMetadata, StreamCall } from '@quorate/transport';
import { type Beginning, ClientWatcher } from './client-watcher.ts';
import type { SharedWatch, WatchQuestion } from './shared-watch.ts';
import type { WatchPool } from './watch-pool.ts';

const { WatchResponse } = etcdserverpb;
type WatchRequest = etcdserverpb.WatchRequest;
type ResponseHeader = etcdserverpb.ResponseHeader;

/** What a session needs beyond the watches. */
export interface WatchSessionDeps {
  readonly pool: WatchPool;
  /** Asks the servers, as the caller, for their header; fails with a gRPC status where the caller may not read there. */
  readonly currentHeader: (question: WatchQuestion, onHeader: (header: ResponseHeader | undefined) => void) => void;
}

/** The most requests of a stream that wait for their turn; the client is held back then. */
const waitingMax = 64;

/**
 * One client's watch stream. Requests are handled one after the other, so that answers come in the order of the requests. While the client
 * does not keep up its watchers leave what they share and come back alone, behind the last revision they were given.
 */
export class WatchSession {
  readonly call: StreamCall;
  readonly metadata: RequestMetadata;
  private readonly deps: WatchSessionDeps;
  private readonly watchers = new Map<number, ClientWatcher>();
  private readonly waiting: WatchRequest[] = [];
  private lastAutomaticId = -1;
  private isBusy = false;
  private isClosed = false;
  isBlocked = false;

  constructor(deps: WatchSessionDeps, call: StreamCall, metadata: RequestMetadata) {
    this.deps = deps;
    this.call = call;
    this.metadata = metadata;
    call.onDrain(() => this.drained());
  }

  /** @param request owned by the session. */
  handle(request: WatchRequest): void {
    this.waiting.push(request);
    if (this.waiting.length >= waitingMax) this.call.pause();
    this.goOn();
  }

  close(): void {
    this.isClosed = true;
    for (const watcher of this.watchers.values()) watcher.detach();
    this.watchers.clear();
    this.waiting.length = 0;
  }

  fail(code: number, message: string): void {
    this.close();
    this.call.fail(code, message);
  }

  /** Sends a response; what is in it may be shared with other sessions. */
  send(head: Uint8Array, body: Uint8Array): void {
    if (!this.call.writeShared(head, body)) this.isBlocked = true;
  }

  forget(watcher: ClientWatcher): void {
    watcher.detach();
    this.watchers.delete(watcher.id);
  }

  /** Opens a watch for one watcher that goes on by itself. */
  openAlone(question: WatchQuestion, startRevision: number): SharedWatch {
    return this.deps.pool.openAlone(question, startRevision);
  }

  /** The watch that a watcher alone may come back to. */
  findShared(question: WatchQuestion): SharedWatch | undefined {
    return this.deps.pool.find(question);
  }

  private goOn(): void {
    while (!this.isBusy && !this.isClosed) {
      const request = this.waiting.shift();
      if (request === undefined) return;
      if (this.waiting.length === waitingMax - 1) this.call.resume();
      if (request.createRequest !== undefined) this.create(request.createRequest);
      else if (request.cancelRequest !== undefined) this.cancel(request.cancelRequest.watchId);
      else if (request.progressRequest !== undefined) this.progress();
    }
  }

  private create(request: etcdserverpb.WatchCreateRequest): void {
    if (request.watchId !== 0 && this.watchers.has(request.watchId)) {
      this.refuse('mvcc: duplicate watch ID provided on the WatchStream');
      return;
    }
    const { key, rangeEnd, prevKv, progressNotify, fragment, filters } = request;
    const question = { key, rangeEnd, prevKv, progressNotify, fragment, filters, metadata: this.metadata };
    this.isBusy = true;
    this.createOn(question, request);
  }

  private createOn(question: WatchQuestion, request: etcdserverpb.WatchCreateRequest): void {
    const { startRevision } = request;
    const shared = this.deps.pool.find(question);
    if (shared === undefined) this.join(this.deps.pool.open(question, startRevision), startRevision, request);
    else if (startRevision !== 0 && startRevision <= shared.position) {
      this.join(this.openAlone(question, startRevision), startRevision, request);
    } else if (startRevision !== 0 || shared.position < 0) this.join(shared, startRevision, request);
    else this.joinFromNow(shared, request);
  }

  /** Answers when the watch is there. */
  private join(watch: SharedWatch, startRevision: number, request: etcdserverpb.WatchCreateRequest): void {
    watch.whenCreated((created) => {
      if (this.isClosed) watch.endIfUnused();
      else if ('refusal' in created) {
        this.sendWhole({ ...created.refusal, watchId: -1 });
        this.done();
      } else {
        const { header } = created;
        this.begin(watch, { fromRevision: startRevision > 0 ? startRevision : header.revision + 1, header }, request);
      }
    });
  }

  /** A watch that goes on may be older than the caller's "now". */
  private joinFromNow(shared: SharedWatch, request: etcdserverpb.WatchCreateRequest): void {
    this.deps.currentHeader(shared.question, (header) => {
      if (this.isClosed) return;
      const isStillThere = this.deps.pool.find(shared.question) === shared;
      if (header === undefined || !isStillThere) {
        // Whatever is wrong, the servers will say it to a watch of its own.
        this.join(this.openAlone(shared.question, 0), 0, request);
        return;
      }
      const revision = Math.max(header.revision, shared.position);
      this.begin(shared, { fromRevision: revision + 1, header: { ...header, revision } }, request);
    });
  }

  private begin(watch: SharedWatch, begin: Beginning, request: etcdserverpb.WatchCreateRequest): void {
    const watchId = request.watchId === 0 ? this.nextId() : request.watchId;
    this.sendWhole(WatchResponse.create({ header: begin.header, watchId, created: true }));
    const watcher = new ClientWatcher(this, watchId, watch, begin);
    this.watchers.set(watchId, watcher);
    watcher.attach();
    if (this.isBlocked) watcher.pause();
    this.done();
  }

  private done(): void {
    this.isBusy = false;
    this.goOn();
  }

  private nextId(): number {
    do this.lastAutomaticId++;
    while (this.watchers.has(this.lastAutomaticId));
    return this.lastAutomaticId;
  }

  private refuse(cancelReason: string): void {
    this.sendWhole(WatchResponse.create({ created: true, canceled: true, watchId: -1, cancelReason }));
  }

  private cancel(watchId: number): void {
    const watcher = this.watchers.get(watchId);
    if (watcher === undefined) return;
    const { header } = watcher;
    this.forget(watcher);
    this.sendWhole(WatchResponse.create({ header, watchId, canceled: true }));
  }

  /** One answer for all watchers of the stream, once each of them has been given all before it. */
  private progress(): void {
    const watches = new Set<SharedWatch>();
    for (const watcher of this.watchers.values()) {
      if (watcher.watch === undefined) return;
      watches.add(watcher.watch);
    }
    let least: ResponseHeader | undefined;
    let missing = watches.size;
    for (const watch of watches) {
      watch.requestProgress((header) => {
        if (least === undefined || header.revision < least.revision) least = header;
        if (--missing > 0 || this.isClosed || this.isBlocked) return;
        assert(least !== undefined, 'a progress notice has a header');
        if ([...this.watchers.values()].some((watcher) => watcher.fromRevision > (least?.revision ?? 0) + 1)) return;
        this.sendWhole(WatchResponse.create({ header: least, watchId: -1 }));
      });
    }
  }

  private sendWhole(response: etcdserverpb.WatchResponse): void {
    if (!this.call.write(WatchResponse.encode(response))) this.isBlocked = true;
    if (this.isBlocked) this.pauseAll();
  }

  /** Called when a message has been given to all: the client may have fallen behind by it. */
  pauseAll(): void {
    for (const watcher of this.watchers.values()) watcher.pause();
  }

  private drained(): void {
    this.isBlocked = false;
    for (const watcher of this.watchers.values()) watcher.resume();
  }
}
