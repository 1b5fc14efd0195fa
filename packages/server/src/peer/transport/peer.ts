import { type Message, MessageType, messageTypeName } from '@quorate/raft';
import type { PeerSink, PeerSinkEvents } from '../peer-edge.ts';
import { Activity } from './activity.ts';
import { IncomingStream } from './incoming-stream.ts';
import { OutgoingStream } from './outgoing-stream.ts';
import type { PeerContext } from './peer-context.ts';
import { Pipeline } from './pipeline.ts';
import { Prober } from './prober.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import type { StreamKind } from './stream-kind.ts';
import { UrlPicker } from './url-picker.ts';

/** All that goes to and comes from one member of the cluster: two streams in each direction, posts, snapshots, probes. */
export class Peer {
  readonly id: bigint;
  readonly activity: Activity;
  private readonly context: PeerContext;
  private readonly picker: UrlPicker;
  private readonly outgoing: Readonly<Record<StreamKind, OutgoingStream>>;
  private readonly incoming: readonly IncomingStream[];
  private readonly pipeline: Pipeline;
  private readonly snapshots: SnapshotSender;
  private probers: readonly Prober[];

  constructor(context: PeerContext, id: bigint, urls: readonly string[], onMessage: (message: Message) => void) {
    this.context = context;
    this.id = id;
    const activity = new Activity(context, id);
    const picker = new UrlPicker(urls);
    this.activity = activity;
    this.picker = picker;
    this.outgoing = {
      msgapp: new OutgoingStream(context, id, 'msgapp', activity),
      message: new OutgoingStream(context, id, 'message', activity),
    };
    const parts = { activity, picker, onMessage };
    this.incoming = [
      new IncomingStream(context, id, 'msgapp', parts),
      new IncomingStream(context, id, 'message', parts),
    ];
    this.pipeline = new Pipeline(context, id, activity, picker);
    this.snapshots = new SnapshotSender(context, id, activity, picker);
    this.probers = newProbers(context, id, urls);
  }

  start(): void {
    for (const stream of this.incoming) stream.start();
    for (const prober of this.probers) prober.start();
  }

  /** What is under way goes on at the old URLs; the next attempt takes the new ones. False when they are the old ones. */
  update(urls: readonly string[]): boolean {
    if (!this.picker.update(urls)) return false;
    for (const prober of this.probers) prober.stop();
    this.probers = newProbers(this.context, this.id, urls);
    for (const prober of this.probers) prober.start();
    return true;
  }

  /** The peer has opened a stream. */
  attach(kind: StreamKind, sink: PeerSink): PeerSinkEvents {
    return this.outgoing[kind].attach(sink);
  }

  send(message: Message): void {
    const channel = this.channelFor(message);
    if (!channel.offer(message)) this.drop(message);
  }

  stop(): void {
    for (const stream of this.incoming) stream.stop();
    for (const prober of this.probers) prober.stop();
    this.outgoing.msgapp.detach();
    this.outgoing.message.detach();
    this.pipeline.stop();
    this.snapshots.stop();
    this.activity.forget();
  }

  private channelFor(message: Message): { offer(message: Message): boolean } {
    const { msgapp, message: any } = this.outgoing;
    if (message.type === MessageType.MsgSnap) return this.snapshots;
    if (message.type === MessageType.MsgApp && msgapp.isAttached) return msgapp;
    return any.isAttached ? any : this.pipeline;
  }

  private drop(message: Message): void {
    const { local, metrics, reports, warnings } = this.context;
    metrics.sentFailures(this.id).add(1);
    reports.reportUnreachable(this.id);
    if (message.type === MessageType.MsgSnap) reports.reportSnapshot(this.id, 'failed');
    warnings.warn(`${this.id}`, 'dropped internal Raft message since sending buffer is full', {
      'message-type': messageTypeName(message.type),
      'local-member-id': local.memberId,
      'remote-peer-id': this.id,
      'remote-peer-active': this.activity.sinceMs !== undefined,
    });
  }
}

/** etcd probes over both kinds of connection it has: one for each stream, and pooled ones. */
function newProbers(context: PeerContext, id: bigint, urls: readonly string[]): readonly Prober[] {
  return [
    new Prober(context, id, 'ROUND_TRIPPER_SNAPSHOT', urls),
    new Prober(context, id, 'ROUND_TRIPPER_RAFT_MESSAGE', urls),
  ];
}

/** A sender that is no member here: known by its headers, or because this member is joining. Reached by posts alone. */
export class Remote {
  private readonly context: PeerContext;
  private readonly id: bigint;
  private readonly activity: Activity;
  private readonly pipeline: Pipeline;

  constructor(context: PeerContext, id: bigint, urls: readonly string[]) {
    this.context = context;
    this.id = id;
    this.activity = new Activity(context, id);
    this.pipeline = new Pipeline(context, id, this.activity, new UrlPicker(urls));
  }

  send(message: Message): void {
    if (!this.pipeline.offer(message)) this.context.metrics.sentFailures(this.id).add(1);
  }

  stop(): void {
    this.pipeline.stop();
    this.activity.forget();
  }
}
