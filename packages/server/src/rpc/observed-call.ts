import type { Call, StreamCall, UnaryCall } from '@quorate/transport';

/** What became of a call. */
export interface CallEnd {
  readonly code: number;
  readonly message: string;
  /** Of the answers. */
  readonly bytes: number;
}

const cancelled = 1;

/** A call as its handler sees it, whose end is told once. */
abstract class ObservedCall<C extends Call> implements Call {
  protected readonly inner: C;
  private readonly onEnded: (end: CallEnd) => void;
  private isEnded = false;
  private sentBytes = 0;
  private cancelCallback: (() => void) | undefined;

  constructor(inner: C, onEnded: (end: CallEnd) => void) {
    this.inner = inner;
    this.onEnded = onEnded;
    inner.onCancel(() => {
      this.ended(cancelled, 'the client went away, or its deadline passed');
      this.cancelCallback?.();
    });
  }

  get path(): string {
    return this.inner.path;
  }

  get metadata(): Call['metadata'] {
    return this.inner.metadata;
  }

  get peer(): Call['peer'] {
    return this.inner.peer;
  }

  get parent(): Call | undefined {
    return this.inner.parent;
  }

  get deadlineMs(): number {
    return this.inner.deadlineMs;
  }

  get cancelled(): boolean {
    return this.inner.cancelled;
  }

  onCancel(callback: () => void): void {
    if (this.inner.cancelled) callback();
    else this.cancelCallback = callback;
  }

  whenRoom(callback: () => void): void {
    this.inner.whenRoom(callback);
  }

  hold(bytes: number): void {
    this.inner.hold(bytes);
  }

  fail(code: number, message: string): void {
    this.inner.fail(code, message);
    this.ended(code, message);
  }

  protected sent(bytes: number): void {
    this.sentBytes += bytes;
  }

  protected sentAll(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.sent(chunk.length);
  }

  protected ended(code: number, message: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.onEnded({ code, message, bytes: this.sentBytes });
  }
}

export class ObservedUnaryCall extends ObservedCall<UnaryCall> implements UnaryCall {
  reply(source: Uint8Array, start: number, end: number): void {
    this.inner.reply(source, start, end);
    this.sent(end - start);
    this.ended(0, '');
  }

  replyChunks(chunks: readonly Uint8Array[]): void {
    this.sentAll(chunks);
    this.inner.replyChunks(chunks);
    this.ended(0, '');
  }
}

export class ObservedStreamCall extends ObservedCall<StreamCall> implements StreamCall {
  private readonly onReceived: (message: Uint8Array) => void;

  /** @param onReceived gets each message before the handler does, a view valid only during the callback. */
  constructor(inner: StreamCall, onReceived: (message: Uint8Array) => void, onEnded: (end: CallEnd) => void) {
    super(inner, onEnded);
    this.onReceived = onReceived;
  }

  onMessage(callback: (message: Uint8Array) => void): void {
    this.inner.onMessage((message) => {
      this.onReceived(message);
      callback(message);
    });
  }

  onEnd(callback: () => void): void {
    this.inner.onEnd(callback);
  }

  onDrain(callback: () => void): void {
    this.inner.onDrain(callback);
  }

  write(message: Uint8Array): boolean {
    this.sent(message.length);
    return this.inner.write(message);
  }

  writeShared(head: Uint8Array, body: Uint8Array): boolean {
    this.sent(head.length + body.length);
    return this.inner.writeShared(head, body);
  }

  writeChunks(chunks: readonly Uint8Array[]): boolean {
    this.sentAll(chunks);
    return this.inner.writeChunks(chunks);
  }

  sendHeaders(): void {
    this.inner.sendHeaders();
  }

  end(): void {
    this.inner.end();
    this.ended(0, '');
  }

  hasRoom(): boolean {
    return this.inner.hasRoom();
  }

  get queuedBytes(): number {
    return this.inner.queuedBytes;
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }
}
