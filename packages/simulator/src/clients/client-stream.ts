import type { Method } from '@quorate/api';
import { GrpcStatus, type LocalStream } from '@quorate/transport';
import type { Machine } from '../cluster/machine.ts';
import type { Network } from '../network/network.ts';

/** Until both ends of a connection know that it is broken. */
const brokenAfterMs = 200;

export interface StreamHandlers<Response> {
  message(response: Response): void;
  /** Once; nothing comes after it. */
  end(code: number, text: string): void;
}

/** A streaming call from a client: what is sent comes in order, or the stream is at an end. */
export class ClientStream<Request, Response> {
  private readonly network: Network;
  private readonly client: string;
  private readonly machine: Machine;
  private readonly method: Method<Request, Response>;
  private readonly handlers: StreamHandlers<Response>;
  private serverEnd: LocalStream | undefined;
  /** Of the machine, that the server's end is part of. */
  private life = 0;
  private stopListening = (): void => {};
  private isOver = false;
  /** Something got lost: nothing comes through any more. */
  private isBroken = false;

  constructor(
    network: Network,
    client: string,
    machine: Machine,
    method: Method<Request, Response>,
    handlers: StreamHandlers<Response>,
    token?: string,
  ) {
    this.network = network;
    this.client = client;
    this.machine = machine;
    this.method = method;
    this.handlers = handlers;
    this.toServer(
      () => this.open(token),
      () => this.listen(),
    );
  }

  /** A machine that is held, and then goes down, never opens what came to it. */
  private listen(): void {
    this.stopListening = this.machine.onDown(() =>
      this.toClient(() => this.end(GrpcStatus.unavailable, 'connection reset')),
    );
  }

  /** On the machine. */
  private open(token: string | undefined): void {
    const { machine, method } = this;
    if (machine.grpc === undefined) {
      this.toClient(() => this.end(GrpcStatus.unavailable, 'connection refused'));
      return;
    }
    const metadata = token === undefined ? [] : ([['token', token]] as const);
    const stream = machine.grpc.local.stream(method.path, { metadata });
    this.serverEnd = stream;
    this.life = machine.currentLife;
    stream.onMessage((message) => {
      const bytes = message.slice();
      this.toClient(() => this.handlers.message(method.response.decode(bytes)));
    });
    stream.onEnd((status) => this.toClient(() => this.end(status.code, status.message)));
  }

  send(request: Request): void {
    const bytes = this.method.request.encode(request);
    this.toServer(() => this.withServer((end) => end.write(bytes)));
  }

  /** The client reads nothing for so long: what the server has for it waits there. */
  rest(forMs: number): void {
    this.toMachine((end) => end.pause());
    this.network.scheduler.after(forMs, () => this.toMachine((end) => end.resume()));
  }

  /** The client wants no more of it; its end is not told. */
  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopListening();
    this.toMachine((end) => end.cancel());
  }

  private end(code: number, text: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopListening();
    this.handlers.end(code, text);
  }

  private toServer(action: () => void, onArrival = () => {}): void {
    if (this.isOver || this.isBroken) return;
    const { machine, network, client } = this;
    const isSent = network.segment(client, machine.name, () => {
      if (!machine.isAlive) this.end(GrpcStatus.unavailable, 'connection refused');
      else {
        onArrival();
        machine.at(network.scheduler.nowMs, action);
      }
    });
    if (!isSent) this.breakOff();
  }

  private toClient(action: () => void): void {
    if (this.isOver || this.isBroken) return;
    const isSent = this.network.segment(this.machine.name, this.client, () => {
      if (!this.isOver) action();
    });
    if (!isSent) this.breakOff();
  }

  private toMachine(action: (end: LocalStream) => void): void {
    this.machine.at(this.network.scheduler.nowMs, () => this.withServer(action));
  }

  /** The end of an earlier life of the machine is gone. */
  private withServer(action: (end: LocalStream) => void): void {
    const { serverEnd, machine, life } = this;
    if (serverEnd !== undefined && machine.currentLife === life) action(serverEnd);
  }

  /** The connection is dead, which both ends find out in a while. */
  private breakOff(): void {
    this.isBroken = true;
    const { scheduler } = this.network;
    scheduler.after(brokenAfterMs, () => {
      if (this.isOver) return;
      this.toMachine((end) => end.cancel());
      this.end(GrpcStatus.unavailable, 'connection timed out');
    });
  }
}
