import { concatBytes, copyBytes } from '@quorate/base';
import type { ByteStream, ByteStreamHandler, Peer } from '../http2/byte-stream.ts';
import type { ManualClock } from './manual-clock.ts';

/** A byte stream whose other end is the test: it keeps what is written and feeds what it is told. */
export class CapturedStream implements ByteStream {
  readonly peer: Peer = { address: '192.0.2.1:4711', secure: false, certificate: null };
  /** When false, writes stay pending until {@link take}: a reader that does not read. */
  drains = true;
  readingPaused = false;
  ended = false;
  destroyed = false;
  writes = 0;
  pendingBytes = 0;
  private readonly clock: ManualClock;
  private handler: ByteStreamHandler | null = null;
  private output: Uint8Array[] = [];
  private writing = false;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  setHandler(handler: ByteStreamHandler): void {
    this.handler = handler;
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.writing) throw new Error('write while one is pending');
    this.writing = true;
    this.writes++;
    for (const chunk of chunks) {
      this.output.push(copyBytes(chunk));
      this.pendingBytes += chunk.length;
    }
    if (this.drains) this.clock.defer(() => this.finishWrite());
  }

  /** Reads at last: the pending write is done. */
  finishWrite(): void {
    if (!this.writing) return;
    this.writing = false;
    this.pendingBytes = 0;
    if (!this.destroyed) this.handler?.onWritten();
  }

  pauseReading(): void {
    this.readingPaused = true;
  }

  resumeReading(): void {
    this.readingPaused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** True when the connection was closed one way or the other. */
  get closed(): boolean {
    return this.ended || this.destroyed;
  }

  /** Lets the connection read these bytes. */
  feed(bytes: Uint8Array): void {
    this.handler?.onData(bytes);
  }

  /** The other end has gone. */
  close(): void {
    this.handler?.onClose('peer gone');
  }

  /** Everything written so far, and forgets it. */
  takeOutput(): Uint8Array {
    const all = concatBytes(this.output);
    this.output = [];
    return all;
  }
}
