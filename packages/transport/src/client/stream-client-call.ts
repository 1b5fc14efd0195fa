import { copyBytes } from '@quorate/base';
import { emptyMetadata, type Metadata } from '../grpc/metadata.ts';
import { GrpcStatus } from '../grpc/status.ts';
import { ClientCall } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';

/** How a stream ended. */
export interface StreamStatus {
  readonly code: number;
  readonly message: string;
  readonly trailers: Metadata;
}

/** A call with any number of messages either way. */
export interface ClientStream {
  onHeaders(callback: (metadata: Metadata) => void): void;
  /** Gets each message, a view valid only during the callback. */
  onMessage(callback: (message: Uint8Array) => void): void;
  /** The end, once, whoever brought it about. */
  onEnd(callback: (status: StreamStatus) => void): void;
  onDrain(callback: () => void): void;
  /** Sends a message, copied before it returns. False: over the high-water mark, wait for `onDrain` (it is sent all the same). */
  write(message: Uint8Array): boolean;
  /** Half-closes: no more messages from us. */
  end(): void;
  /** Gives the call up; `onEnd` gets status 1. */
  cancel(): void;
  /** No more messages are delivered until `resume`; the server is stopped by flow control. */
  pause(): void;
  resume(): void;
}

export class StreamClientCall extends ClientCall implements ClientStream {
  /** Written before there was a stream. */
  private early: Uint8Array[] = [];
  private ending = false;
  private overflowed = false;
  /** What came while paused: messages in order, then the status. */
  private held: Uint8Array[] = [];
  private heldStatus: StreamStatus | null = null;
  private delivering = false;
  private headersCallback: ((metadata: Metadata) => void) | null = null;
  private messageCallback: ((message: Uint8Array) => void) | null = null;
  private endCallback: ((status: StreamStatus) => void) | null = null;
  private drainCallback: (() => void) | null = null;

  onHeaders(argument: ((metadata: Metadata) => void) | Metadata): void {
    if (typeof argument === 'function') this.headersCallback = argument;
    else this.headersCallback?.(argument);
  }

  onMessage(callback: (message: Uint8Array) => void): void {
    this.messageCallback = callback;
  }

  onEnd(callback: (status: StreamStatus) => void): void {
    this.endCallback = callback;
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback;
  }

  onOpened(connection: ClientConnection): void {
    const early = this.early;
    this.early = [];
    for (const message of early) connection.sender.sendMessage(this, message, 0, message.length, false);
    if (this.ending) connection.sender.endStream(this);
    else if (this.overflowed) this.onDrained(this.queue?.bytes ?? 0);
  }

  protected isRepeatable(): boolean {
    // What was written is not kept.
    return false;
  }

  write(message: Uint8Array): boolean {
    if (this.finished || this.ending) return true;
    if (this.connection === null) {
      this.early.push(copyBytes(message));
      this.overflowed = true;
      return false;
    }
    this.connection.sender.sendMessage(this, message, 0, message.length, false);
    if ((this.queue?.bytes ?? 0) <= this.connection.options.streamHighWaterBytes) return true;
    this.overflowed = true;
    return false;
  }

  end(): void {
    if (this.finished || this.ending) return;
    this.ending = true;
    this.connection?.sender.endStream(this);
  }

  cancel(): void {
    this.abandon(GrpcStatus.cancelled, 'context canceled');
  }

  override onDrained(bytes: number): void {
    if (!this.overflowed || this.finished || this.connection === null) return;
    if (bytes * 2 > this.connection.options.streamHighWaterBytes) return;
    this.overflowed = false;
    this.drainCallback?.();
  }

  pause(): void {
    this.readingPaused = true;
  }

  resume(): void {
    if (!this.readingPaused) return;
    this.readingPaused = false;
    if (this.delivering) return;
    this.delivering = true;
    while (this.held.length > 0 && !this.readingPaused) this.messageCallback?.(this.held.shift() as Uint8Array);
    this.delivering = false;
    if (this.readingPaused) return;
    if (this.heldStatus !== null) this.endCallback?.(this.heldStatus);
    else if (!this.finished) this.connection?.receiver.creditStream(this);
  }

  protected onMessageBytes(message: Uint8Array, owned: boolean): void {
    if (this.readingPaused || this.held.length > 0) {
      // At most a stream window of them, as nothing more is credited.
      this.held.push(owned ? message : copyBytes(message));
      return;
    }
    this.messageCallback?.(message);
  }

  protected onStatus(code: number, message: string, trailers: Metadata): void {
    const status = { code, message, trailers: trailers ?? emptyMetadata };
    // An end that we brought about ourselves does not wait behind messages nobody wants.
    const waits = this.held.length > 0 && code !== GrpcStatus.cancelled && code !== GrpcStatus.deadlineExceeded;
    if (waits) this.heldStatus = status;
    else this.endCallback?.(status);
  }
}
