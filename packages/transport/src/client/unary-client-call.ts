import { copyBytes } from '@quorate/base';
import type { Metadata } from '../grpc/metadata.ts';
import { GrpcStatus } from '../grpc/status.ts';
import { ClientCall } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';
import type { CallOptions } from './client-options.ts';

/** The end of a unary call: status 0 with the answer (owned), or another status with its message. */
export type UnaryCallback = (code: number, message: string, answer: Uint8Array | null) => void;

export class UnaryClientCall extends ClientCall {
  private readonly request: Uint8Array;
  private readonly callback: UnaryCallback;
  private answer: Uint8Array | null = null;

  constructor(
    path: string,
    request: Uint8Array,
    options: CallOptions,
    deadlineMs: number,
    forget: (call: ClientCall) => void,
    callback: UnaryCallback,
  ) {
    super(path, options, deadlineMs, forget);
    this.request = request;
    this.callback = callback;
  }

  onOpened(connection: ClientConnection): void {
    connection.sender.sendMessage(this, this.request, 0, this.request.length, true);
  }

  protected isRepeatable(): boolean {
    return true;
  }

  protected onHeaders(): void {}

  protected onMessageBytes(message: Uint8Array, owned: boolean): void {
    if (this.answer !== null) this.abandon(GrpcStatus.internal, 'cardinality violation: more than one answer');
    else this.answer = owned ? message : copyBytes(message);
  }

  protected onStatus(code: number, message: string, _trailers: Metadata): void {
    if (code === GrpcStatus.ok && this.answer === null) {
      this.callback(GrpcStatus.internal, 'cardinality violation: no answer', null);
    } else {
      this.callback(code, message, code === GrpcStatus.ok ? this.answer : null);
    }
  }
}
