import { type Clock, type Logger, utf8ToBytes } from '@quorate/base';
import type { ByteStream, ByteStreamHandler, Peer } from './byte-stream.ts';
import type { Flushable, FlushScheduler } from './flush-scheduler.ts';
import { sendGoaway } from './frame-writer.ts';
import type { Http2Limits } from './limits.ts';
import { Output } from './output.ts';
import type { SlabPool } from './slab-pool.ts';
import type { StreamBytes } from './stream-bytes.ts';

export interface Http2Deps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly slabs: SlabPool;
  readonly flusher: FlushScheduler;
  /** Of all connections together. */
  readonly streamBytes: StreamBytes;
}

/**
 * The life of a connection around its frames: gathering and flushing output, stopping to read when the peer does not, and the ways to
 * an end. `isOpen` turns false once, at the first of them; `isGone` when the byte stream is closed too.
 */
export abstract class ConnectionCore implements ByteStreamHandler, Flushable {
  readonly peer: Peer;
  readonly clock: Clock;
  readonly limits: Http2Limits;
  readonly output: Output;
  /** When bytes came last, on the clock. */
  lastReadMs: number;
  /** Neither ended by us nor gone. */
  isOpen = true;
  /** Why it ended. */
  closeReason = 'connection lost';
  protected readonly logger: Logger;
  protected readonly startedMs: number;
  /** The peer's SETTINGS have come. */
  protected sawSettings = false;
  /** The highest id that the peer opened a stream with. */
  protected lastPeerStreamId = 0;
  private readonly stream: ByteStream;
  private readonly flusher: FlushScheduler;
  private dirty = false;
  private readingPaused = false;
  private writeStartedMs = 0;
  private endedMs = Number.POSITIVE_INFINITY;
  private lingerMs: number;
  private gone = false;

  constructor(deps: Http2Deps, stream: ByteStream, limits: Http2Limits) {
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.flusher = deps.flusher;
    this.limits = limits;
    this.stream = stream;
    this.peer = stream.peer;
    this.output = new Output(deps.slabs);
    this.lingerMs = limits.lingerMs;
    this.startedMs = deps.clock.nowMs();
    this.lastReadMs = this.startedMs;
    stream.setHandler(this);
  }

  abstract onData(chunk: Uint8Array): void;
  /** Moves what waits for room in the output. */
  protected abstract pumpWaiting(): void;
  /** Aborts every stream. */
  protected abstract abortStreams(): void;
  /** The connection is over; all streams have been aborted. */
  protected abstract onConnectionEnd(): void;

  /** Stops reading while the peer leaves too much of our output unread. */
  protected checkOutput(): void {
    if (!this.output.writing || this.readingPaused || this.output.gatheredBytes <= this.limits.outputBytesMax) return;
    this.readingPaused = true;
    this.stream.pauseReading();
  }

  onWritten(): void {
    this.output.written();
    if (this.gone) return;
    this.pumpWaiting();
    this.flush();
    if (!this.isOpen && !this.output.writing) {
      this.endedMs = this.clock.nowMs();
      this.lingerMs = this.limits.lingerMs;
      this.stream.end();
      return;
    }
    if (this.readingPaused && this.output.gatheredBytes <= this.limits.outputBytesMax / 2) {
      this.readingPaused = false;
      this.stream.resumeReading();
    }
  }

  onEnd(): void {
    this.terminate('the peer closed the connection');
    if (!this.gone) this.stream.end();
  }

  onClose(reason: string): void {
    if (this.gone) return;
    this.gone = true;
    this.terminate(reason);
  }

  /** Asks for a flush at the end of the turn. Call after every write to `output`. */
  touch(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.flusher.add(this);
  }

  flush(): void {
    this.dirty = false;
    if (this.gone || this.output.writing || this.output.isEmpty) return;
    this.writeStartedMs = this.clock.nowMs();
    this.output.flush(this.stream);
  }

  /** Ends the connection for a breach of the protocol or a limit: GOAWAY, then close. */
  connectionError(code: number, why: string): void {
    if (!this.isOpen) return;
    sendGoaway(this.output, this.lastPeerStreamId, code, utf8ToBytes(why.slice(0, 200)));
    this.logger.debug('http2 connection error', { peer: this.peer.address, code, reason: why });
    this.end(why);
  }

  /** Flushes what is gathered and closes. */
  end(reason: string): void {
    if (!this.isOpen) return;
    this.terminate(reason);
    this.flush();
    if (!this.output.writing) this.stream.end();
    // Reading goes on, into nothing, so that the close does not turn into a TCP reset that eats our GOAWAY.
    if (this.readingPaused) this.stream.resumeReading();
  }

  /** The same after a graceful close: the last answers have as long to go out as any others. */
  protected endGracefully(reason: string): void {
    this.lingerMs = this.limits.stallMs;
    this.end(reason);
    if (!this.output.writing) this.lingerMs = this.limits.lingerMs;
  }

  /** Cuts the connection. */
  destroy(reason: string): void {
    this.terminate(reason);
    this.gone = true;
    this.stream.destroy();
  }

  private terminate(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.closeReason = reason;
    this.endedMs = this.clock.nowMs();
    this.abortStreams();
    this.onConnectionEnd();
  }

  /** True once there is no more to do with it: it can be forgotten. */
  get isGone(): boolean {
    return this.gone;
  }

  /** Looks at the clock-bound limits; called every second or so. */
  housekeep(nowMs: number): void {
    if (!this.isOpen) {
      if (!this.gone && nowMs - this.endedMs >= this.lingerMs) this.destroy('lingered');
    } else if (!this.sawSettings && nowMs - this.startedMs >= this.limits.prefaceMs) {
      this.destroy('no HTTP/2 preface in time');
    } else if (this.output.writing && nowMs - this.writeStartedMs >= this.limits.stallMs) {
      this.destroy('the peer does not read');
    }
  }
}
