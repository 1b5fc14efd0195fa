import { etcdserverpb, type mvccpb, services } from '@quorate/api';
import type { Clock, Timer } from '@quorate/base';
import { GrpcStatus, type RequestMetadata, type StreamStatus } from '@quorate/transport';
import type { Namespace } from '../namespace.ts';
import type { Upstream, UpstreamStream } from '../upstream.ts';

const { WatchRequest, WatchResponse } = etcdserverpb;
const path = services.Watch.methods.Watch.path;
const pauseMinMs = 100;
const pauseMaxMs = 3000;

/** What is watched, and for whom: watchers for which all this is the same can share a watch. */
export interface WatchQuestion {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  readonly fragment: boolean;
  readonly filters: readonly etcdserverpb.FilterType[];
  readonly metadata: RequestMetadata;
}

/** One of those who share a watch. Callbacks come in the order of the server's messages. */
export interface Receiver {
  /** Events of earlier revisions are not for it. */
  readonly fromRevision: number;
  /** `body` is the encoded response without its watch id, with all events of the message. */
  onEvents(response: etcdserverpb.WatchResponse, body: Uint8Array): void;
  /** All events up to the header's revision have been delivered. */
  onProgress(header: etcdserverpb.ResponseHeader): void;
  /** The watch is over, for the reason in the response. */
  onCancelled(response: etcdserverpb.WatchResponse): void;
  /** The servers ended the stream in a way that a new one does not mend. */
  onFailed(status: StreamStatus): void;
}

export interface SharedWatchDeps {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly namespace: Namespace;
  /** It is over: nobody may join any more. */
  readonly onOver: (watch: SharedWatch) => void;
}

/** What came of the creation. */
export type Created =
  | { readonly header: etcdserverpb.ResponseHeader }
  | { readonly refusal: etcdserverpb.WatchResponse };

/**
 * One watch at the servers, its events given to any number of receivers. When its stream is lost it goes on behind the last revision it
 * has passed on, with whichever server answers.
 */
export class SharedWatch {
  readonly question: WatchQuestion;
  private readonly deps: SharedWatchDeps;
  private readonly receivers = new Set<Receiver>();
  private readonly progressAsked: ((header: etcdserverpb.ResponseHeader) => void)[] = [];
  private readonly creationAwaited: ((created: Created) => void)[] = [];
  private stream: UpstreamStream | undefined;
  private timer: Timer | undefined;
  private pauseMs = pauseMinMs;
  private header: etcdserverpb.ResponseHeader | undefined;
  private isOver = false;
  /** In the middle of a response that comes in fragments. */
  isBetweenFragments = false;
  /** Every event up to this revision has been passed on; -1 until the watch is created. */
  position = -1;
  private nextRevision: number;

  /** @param startRevision 0 for "from now on". */
  constructor(deps: SharedWatchDeps, question: WatchQuestion, startRevision: number) {
    this.deps = deps;
    this.question = question;
    this.nextRevision = startRevision;
    this.open();
  }

  /** Calls back once the servers have created the watch or refused to, at once if they have. */
  whenCreated(callback: (created: Created) => void): void {
    if (this.header !== undefined) callback({ header: this.header });
    else this.creationAwaited.push(callback);
  }

  get size(): number {
    return this.receivers.size;
  }

  join(receiver: Receiver): void {
    this.receivers.add(receiver);
  }

  /** Without receivers it ends. */
  leave(receiver: Receiver): void {
    this.receivers.delete(receiver);
    this.endIfUnused();
  }

  endIfUnused(): void {
    if (this.receivers.size === 0 && this.creationAwaited.length === 0) this.end();
  }

  /** Calls back when the servers say that everything up to some revision has been sent; not at all if they do not. */
  requestProgress(callback: (header: etcdserverpb.ResponseHeader) => void): void {
    this.progressAsked.push(callback);
    this.stream?.write(WatchRequest.encode(WatchRequest.create({ progressRequest: {} })));
  }

  private open(): void {
    const { question, deps } = this;
    const { key, rangeEnd } = deps.namespace.innerWatch(question);
    const stream = deps.upstream.stream(path, { metadata: question.metadata });
    this.stream = stream;
    this.isBetweenFragments = false;
    stream.onMessage((bytes) => this.handle(WatchResponse.decode(bytes)));
    stream.onEnd((status) => this.streamEnded(status));
    const createRequest = etcdserverpb.WatchCreateRequest.create({
      ...{ key, rangeEnd, startRevision: this.nextRevision },
      ...{ prevKv: question.prevKv, progressNotify: question.progressNotify, fragment: question.fragment },
      filters: [...question.filters],
    });
    stream.write(WatchRequest.encode(WatchRequest.create({ createRequest })));
  }

  private handle(response: etcdserverpb.WatchResponse): void {
    if (this.isOver) return;
    const { header } = response;
    if (response.canceled) this.cancelled(response);
    else if (header === undefined) return;
    else if (response.created) this.created(header);
    else if (response.events.length > 0) this.passOn(response, header);
    else this.progressed(response.watchId, header);
  }

  private created(header: etcdserverpb.ResponseHeader): void {
    this.pauseMs = pauseMinMs;
    if (this.header === undefined) {
      this.position = this.nextRevision > 0 ? this.nextRevision - 1 : header.revision;
      this.nextRevision = this.position + 1;
    }
    this.header = header;
    for (const callback of this.creationAwaited.splice(0)) callback({ header });
  }

  private passOn(response: etcdserverpb.WatchResponse, header: etcdserverpb.ResponseHeader): void {
    const { namespace } = this.deps;
    const events = namespace.isEmpty ? response.events : response.events.map((event) => namespace.outerEvent(event));
    const outer = WatchResponse.create({ header, events, fragment: response.fragment });
    const body = WatchResponse.encode(outer);
    this.isBetweenFragments = response.fragment;
    // The header of a watch that catches up is ahead of its events: these alone say how far it is.
    if (!response.fragment) this.advance(revisionOf(events.at(-1)));
    for (const receiver of [...this.receivers]) {
      // One that was told may have made others leave.
      if (this.receivers.has(receiver)) receiver.onEvents(outer, body);
    }
  }

  private progressed(watchId: number, header: etcdserverpb.ResponseHeader): void {
    this.advance(header.revision);
    if (watchId === -1) {
      for (const callback of this.progressAsked.splice(0)) callback(header);
      return;
    }
    for (const receiver of [...this.receivers]) receiver.onProgress(header);
  }

  private advance(revision: number): void {
    if (revision <= this.position) return;
    this.position = revision;
    this.nextRevision = revision + 1;
  }

  private cancelled(response: etcdserverpb.WatchResponse): void {
    this.end();
    if (this.header === undefined)
      for (const callback of this.creationAwaited.splice(0)) callback({ refusal: response });
    else for (const receiver of [...this.receivers]) receiver.onCancelled(response);
  }

  private streamEnded(status: StreamStatus): void {
    if (this.isOver) return;
    this.stream = undefined;
    if (isFinal(status, this.question.metadata)) {
      this.end();
      const refusal = WatchResponse.create({
        ...{ created: true, canceled: true, watchId: -1 },
        cancelReason: status.message,
      });
      for (const callback of this.creationAwaited.splice(0)) callback({ refusal });
      for (const receiver of [...this.receivers]) receiver.onFailed(status);
      return;
    }
    this.timer = this.deps.clock.setTimer(this.pauseMs, () => this.open());
    this.pauseMs = Math.min(this.pauseMs * 2, pauseMaxMs);
  }

  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.timer?.cancel();
    this.stream?.cancel();
    this.deps.onOver(this);
  }
}

/** Of an event, as of the key-value it carries. */
export function revisionOf(event: mvccpb.Event | undefined): number {
  return event?.kv?.modRevision ?? 0;
}

/** Whether opening the stream again would be of no use, or not what the caller asked for. */
function isFinal(status: StreamStatus, metadata: RequestMetadata): boolean {
  const { code } = status;
  if (code === GrpcStatus.unauthenticated || code === GrpcStatus.permissionDenied) return true;
  if (code === GrpcStatus.unimplemented || code === GrpcStatus.invalidArgument) return true;
  const needsLeader = metadata.some(([name, value]) => name === 'hasleader' && value === 'true');
  return needsLeader && status.message === 'etcdserver: no leader';
}
