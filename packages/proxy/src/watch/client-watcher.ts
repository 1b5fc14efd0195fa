import { etcdserverpb } from '@quorate/api';
import { emptyBytes } from '@quorate/base';
import type { StreamStatus } from '@quorate/transport';
import { type Receiver, revisionOf, type SharedWatch } from './shared-watch.ts';
import type { WatchSession } from './watch-session.ts';

const { WatchResponse } = etcdserverpb;

/** Where a watcher begins. */
export interface Beginning {
  readonly fromRevision: number;
  readonly header: etcdserverpb.ResponseHeader;
}

/** A watcher as a client sees it, fed by a watch that it shares or has alone. */
export class ClientWatcher implements Receiver {
  readonly id: number;
  /** Undefined while the client does not keep up. */
  watch: SharedWatch | undefined;
  /** The next revision it wants. */
  fromRevision: number;
  /** The last that it was sent. */
  header: etcdserverpb.ResponseHeader | undefined;
  private readonly session: WatchSession;
  private readonly question: SharedWatch['question'];
  private readonly head: Uint8Array;

  constructor(session: WatchSession, id: number, watch: SharedWatch, begin: Beginning) {
    this.session = session;
    this.id = id;
    this.watch = watch;
    this.question = watch.question;
    this.fromRevision = begin.fromRevision;
    this.header = begin.header;
    // Put before a shared response it adds the watch id: fields of a message may come in any order.
    this.head = WatchResponse.encode(WatchResponse.create({ watchId: id }));
  }

  attach(): void {
    this.watch?.join(this);
    this.catchUp();
  }

  detach(): void {
    this.watch?.leave(this);
    this.watch = undefined;
  }

  onEvents(response: etcdserverpb.WatchResponse, body: Uint8Array): void {
    const { fromRevision, session } = this;
    this.header = response.header;
    const isWhole = revisionOf(response.events[0]) >= fromRevision;
    const events = isWhole ? response.events : response.events.filter((event) => revisionOf(event) >= fromRevision);
    if (isWhole) session.send(this.head, body);
    else if (events.length > 0) session.send(this.head, WatchResponse.encode({ ...response, events }));
    if (!response.fragment) this.advance();
  }

  onProgress(header: etcdserverpb.ResponseHeader): void {
    this.header = header;
    if (header.revision + 1 < this.fromRevision) return;
    this.session.send(this.head, WatchResponse.encode(WatchResponse.create({ header })));
    this.advance();
  }

  onCancelled(response: etcdserverpb.WatchResponse): void {
    const { session, id } = this;
    session.forget(this);
    session.send(emptyBytes, WatchResponse.encode({ ...response, watchId: id }));
  }

  onFailed(status: StreamStatus): void {
    this.session.fail(status.code, status.message);
  }

  /** The client does not keep up: what is sent from now on would only be kept here. */
  pause(): void {
    if (this.watch === undefined || this.watch.isBetweenFragments) return;
    this.detach();
  }

  resume(): void {
    if (this.watch !== undefined) return;
    this.startAlone();
  }

  private advance(): void {
    const { watch, session } = this;
    if (watch !== undefined && watch.position >= this.fromRevision) this.fromRevision = watch.position + 1;
    if (session.isBlocked) session.pauseAll();
    else this.catchUp();
  }

  private startAlone(): void {
    const watch = this.session.openAlone(this.question, this.fromRevision);
    this.watch = watch;
    watch.join(this);
    watch.whenCreated((created) => {
      if (this.watch !== watch) return;
      if ('refusal' in created) this.onCancelled({ ...created.refusal, created: false });
      else this.catchUp();
    });
  }

  /** Alone and as far as those who share: joins them. */
  private catchUp(): void {
    const { watch } = this;
    if (watch === undefined || watch.isBetweenFragments) return;
    const shared = this.session.findShared(this.question);
    if (shared === undefined || shared === watch || shared.isBetweenFragments || shared.position < 0) return;
    if (this.fromRevision <= shared.position) return;
    watch.leave(this);
    this.watch = shared;
    shared.join(this);
  }
}
