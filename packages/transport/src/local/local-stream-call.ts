import { concatBytes, copyBytes } from '@quorate/base';
import type { ClientStream, StreamStatus } from '../client/stream-client-call.ts';
import { emptyMetadata, type Metadata } from '../grpc/metadata.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { StreamCall, StreamHandler } from '../server/calls.ts';
import type { Route } from '../server/route.ts';
import { LocalCall, type LocalHost } from './local-call.ts';
import { MessagePipe } from './message-pipe.ts';

/** The caller's end of a stream within the process. */
export type LocalStream = Omit<ClientStream, 'onHeaders'>;

/** A stream call from within the process, as its handler sees it. */
export class LocalStreamCall extends LocalCall implements StreamCall {
  /** The caller's end. */
  readonly caller: LocalStream;
  private readonly requests: MessagePipe;
  private readonly answers: MessagePipe;
  private messageCallback: ((message: Uint8Array) => void) | null = null;
  private endCallback: (() => void) | null = null;
  private status: StreamStatus = { code: GrpcStatus.ok, message: '', trailers: emptyMetadata };

  constructor(host: LocalHost, route: Route, metadata: Metadata, deadlineMs: number) {
    super(host, route, metadata, deadlineMs);
    const { streamHighWaterBytes } = host.options;
    this.requests = new MessagePipe(host.clock, streamHighWaterBytes);
    this.answers = new MessagePipe(host.clock, streamHighWaterBytes);
    this.requests.onMessage = (message) => this.deliver(message);
    this.requests.onEnd = () => this.deliverEnd();
    this.caller = callerOf(this, this.requests, this.answers, () => this.status);
  }

  /** Hands the call to the handler. */
  open(): void {
    if (!this.isLate()) (this.route.stream as StreamHandler)(this);
  }

  onMessage(callback: (message: Uint8Array) => void): void {
    this.messageCallback = callback;
  }

  onEnd(callback: () => void): void {
    this.endCallback = callback;
  }

  onDrain(callback: () => void): void {
    this.answers.onDrain = callback;
  }

  get queuedBytes(): number {
    return this.answers.queuedBytes;
  }

  hasRoom(): boolean {
    return this.finished || this.answers.hasRoom();
  }

  /** The caller does not ask for headers. */
  sendHeaders(): void {}

  write(message: Uint8Array): boolean {
    return this.send(copyBytes(message));
  }

  writeShared(head: Uint8Array, body: Uint8Array): boolean {
    return this.send(concatBytes([head, body]));
  }

  writeChunks(chunks: readonly Uint8Array[]): boolean {
    return this.send(concatBytes(chunks));
  }

  private send(message: Uint8Array): boolean {
    if (this.finished) return true;
    this.route.sent.add(1);
    this.host.counters.sent.add(message.length);
    return this.answers.write(message);
  }

  end(): void {
    if (this.finished) return;
    this.settle(GrpcStatus.ok);
    this.answers.end();
  }

  pause(): void {
    this.requests.pause();
  }

  resume(): void {
    this.requests.resume();
  }

  override onDeadline(): void {
    this.giveUp(GrpcStatus.deadlineExceeded, 'context deadline exceeded');
  }

  /** Ends the call for a caller that wants no more of it: the end does not wait behind messages. */
  giveUp(code: number, message: string): void {
    this.answers.drop();
    this.abandon(code, message);
  }

  private deliver(message: Uint8Array): void {
    if (this.finished || this.isTooLarge(message)) return;
    this.countReceived(message);
    this.messageCallback?.(message);
  }

  private deliverEnd(): void {
    if (this.finished) return;
    // As on the wire, where etcd counts the receive that finds the end, too.
    this.route.received.add(1);
    this.endCallback?.();
  }

  protected override settle(code: number): void {
    super.settle(code);
    this.requests.close();
  }

  protected override tell(code: number, message: string): void {
    this.status = { ...this.status, code, message };
    this.answers.end();
  }
}

function callerOf(
  call: LocalStreamCall,
  requests: MessagePipe,
  answers: MessagePipe,
  status: () => StreamStatus,
): LocalStream {
  return {
    onMessage: (callback) => {
      answers.onMessage = callback;
    },
    onEnd: (callback) => {
      answers.onEnd = () => callback(status());
    },
    onDrain: (callback) => {
      requests.onDrain = callback;
    },
    write: (message) => requests.write(copyBytes(message)),
    end: () => requests.end(),
    cancel: () => call.giveUp(GrpcStatus.cancelled, 'context canceled'),
    pause: () => answers.pause(),
    resume: () => answers.resume(),
  };
}
