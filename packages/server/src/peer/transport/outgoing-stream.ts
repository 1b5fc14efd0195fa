import type { Counter, Timer } from '@quorate/base';
import type { Message } from '@quorate/raft';
import type { StreamEncoder } from '../codec/stream-codec.ts';
import type { PeerSink, PeerSinkEvents } from '../peer-edge.ts';
import type { Activity } from './activity.ts';
import type { PeerContext } from './peer-context.ts';
import { newEncoder, type StreamKind, streamName } from './stream-kind.ts';

/** One connection that the peer opened and reads from. */
interface Connection {
  readonly sink: PeerSink;
  /** Its state belongs to the connection. */
  readonly encoder: StreamEncoder;
  /** The network took something since the last sign of life. */
  hasFlushed: boolean;
  /** Signs of life in a row at which bytes waited and none had been taken. */
  stalls: number;
}

/**
 * The writing end of a stream. Messages wait here, not encoded, while the socket's buffer is full: what waits is bounded in number, what
 * is in the buffer in bytes.
 */
export class OutgoingStream {
  private readonly context: PeerContext;
  private readonly id: bigint;
  private readonly kind: StreamKind;
  private readonly activity: Activity;
  private connection: Connection | undefined;
  private waiting: Message[] = [];
  /** Of `waiting`, those that are written. */
  private head = 0;
  private sentBytes: Counter | undefined;
  private heartbeat: Timer | undefined;

  constructor(context: PeerContext, id: bigint, kind: StreamKind, activity: Activity) {
    this.context = context;
    this.id = id;
    this.kind = kind;
    this.activity = activity;
  }

  get isAttached(): boolean {
    return this.connection !== undefined;
  }

  /** Takes a connection into use in place of the one before. */
  attach(sink: PeerSink): PeerSinkEvents {
    const { logger, local } = this.context;
    const fields = {
      'stream-writer-type': streamName(this.kind),
      'local-member-id': local.memberId,
      'remote-peer-id': this.id,
    };
    if (this.detach()) logger.warn('closed TCP streaming connection with remote peer', fields);
    const connection: Connection = { sink, encoder: newEncoder(this.kind), hasFlushed: false, stalls: 0 };
    this.connection = connection;
    this.activity.activate();
    logger.info('established TCP streaming connection with remote peer', fields);
    this.scheduleHeartbeat();
    return {
      flushed: () => {
        connection.hasFlushed = true;
        if (connection === this.connection) this.pump(connection);
      },
      closed: () => {
        if (connection === this.connection) this.lose('the peer closed the connection');
      },
    };
  }

  /** False when there is no room for it; there must be a connection. */
  offer(message: Message): boolean {
    const { connection } = this;
    if (connection === undefined || this.waiting.length - this.head >= this.context.limits.streamQueueMax) return false;
    this.waiting.push(message);
    this.pump(connection);
    return true;
  }

  /** Ends the connection; returns whether there was one. */
  detach(): boolean {
    const { connection } = this;
    if (connection === undefined) return false;
    const isBehind = this.waiting.length > this.head || connection.sink.queuedBytes > 0;
    this.connection = undefined;
    this.heartbeat?.cancel();
    this.waiting = [];
    this.head = 0;
    connection.sink.close();
    if (isBehind) this.context.reports.reportUnreachable(this.id);
    return true;
  }

  private pump({ sink, encoder }: Connection): void {
    const { limits } = this.context;
    let bytes = 0;
    while (this.head < this.waiting.length && sink.queuedBytes < limits.streamBufferBytes) {
      const encoded = encoder.encode(this.waiting[this.head++] as Message);
      bytes += encoded.length;
      sink.write(encoded);
    }
    if (this.head === this.waiting.length) {
      this.waiting.length = 0;
      this.head = 0;
    } else if (this.head >= limits.streamQueueMax) {
      this.waiting = this.waiting.slice(this.head);
      this.head = 0;
    }
    if (bytes > 0) this.countSent(bytes);
  }

  private countSent(bytes: number): void {
    this.sentBytes ??= this.context.metrics.sentBytes(this.id);
    this.sentBytes.add(bytes);
  }

  private scheduleHeartbeat(): void {
    const { clock, limits } = this.context;
    this.heartbeat = clock.setTimer(limits.heartbeatMs, () => this.beat());
  }

  /** The reader gives up when it hears nothing; we do when it takes nothing. */
  private beat(): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { limits } = this.context;
    const { sink, encoder } = connection;
    if (sink.queuedBytes === 0) {
      connection.stalls = 0;
      const bytes = encoder.encodeHeartbeat();
      sink.write(bytes);
      this.countSent(bytes.length);
    } else if (connection.hasFlushed) connection.stalls = 0;
    else if (++connection.stalls * limits.heartbeatMs >= limits.writeStallMs) {
      this.lose('write timeout');
      return;
    }
    connection.hasFlushed = false;
    this.scheduleHeartbeat();
  }

  private lose(reason: string): void {
    const { logger, local, metrics, reports } = this.context;
    this.activity.deactivate('write', streamName(this.kind), reason);
    metrics.sentFailures(this.id).add(1);
    this.detach();
    reports.reportUnreachable(this.id);
    logger.warn('lost TCP streaming connection with remote peer', {
      'stream-writer-type': streamName(this.kind),
      'local-member-id': local.memberId,
      'remote-peer-id': this.id,
      error: reason,
    });
  }
}
