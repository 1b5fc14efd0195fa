import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import type { Message, Method } from './services.ts';

/** What a call came to. */
export type Answer =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly code: string; readonly details: string };

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface StreamAnswer {
  readonly messages: readonly Message[];
  readonly end: { readonly code: string; readonly details: string };
}

const CALL_TIMEOUT_MS = 20_000;

function codeName(code: number): string {
  return status[code] ?? String(code);
}

function toMetadata(fields: Readonly<Record<string, string>> = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
  return metadata;
}

/** Raw calls to one server. */
export class Connection {
  private readonly client: Client;
  private readonly methods: ReadonlyMap<string, Method>;

  constructor(endpoint: string, methods: ReadonlyMap<string, Method>) {
    this.methods = methods;
    this.client = new Client(endpoint, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Two connections to different servers, or to one that came back, must never be shared.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
      'grpc.enable_retries': 0,
    });
  }

  private method(name: string): Method {
    const method = this.methods.get(name);
    if (method === undefined) throw new Error(`no method ${name}`);
    return method;
  }

  unary(name: string, request: Message, options: CallOptions = {}): Promise<Answer> {
    const method = this.method(name);
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        toMetadata(options.metadata),
        { deadline: Date.now() + (options.timeoutMs ?? CALL_TIMEOUT_MS) },
        (error: ServiceError | null, message?: Message) => {
          if (error !== null) resolve({ ok: false, code: codeName(error.code), details: error.details });
          else resolve({ ok: true, message: message ?? {} });
        },
      );
    });
  }

  serverStream(name: string, request: Message, options: CallOptions = {}): Promise<StreamAnswer> {
    const method = this.method(name);
    return new Promise((resolve) => {
      const messages: Message[] = [];
      const call = this.client.makeServerStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        toMetadata(options.metadata),
        { deadline: Date.now() + (options.timeoutMs ?? CALL_TIMEOUT_MS) },
      );
      call.on('data', (message: Message) => messages.push(message));
      // The status event tells the same and always comes.
      call.on('error', () => undefined);
      call.on('status', (end: StatusObject) => {
        resolve({ messages, end: { code: codeName(end.code), details: end.details } });
      });
    });
  }

  duplex(name: string, options: CallOptions = {}): DuplexCall {
    const method = this.method(name);
    return new DuplexCall(
      this.client.makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        toMetadata(options.metadata),
      ),
    );
  }

  close(): void {
    this.client.close();
  }
}

/** A bidirectional call that keeps all it received. */
export class DuplexCall {
  readonly received: Message[] = [];
  private readonly call: ClientDuplexStream<Message, Message>;
  private readonly listeners = new Set<() => void>();
  private endValue: { readonly code: string; readonly details: string } | undefined;

  constructor(call: ClientDuplexStream<Message, Message>) {
    this.call = call;
    call.on('data', (message: Message) => {
      this.received.push(message);
      this.notify();
    });
    call.on('error', () => undefined);
    call.on('status', (end: StatusObject) => {
      this.endValue = { code: codeName(end.code), details: end.details };
      this.notify();
    });
  }

  get end(): { readonly code: string; readonly details: string } | undefined {
    return this.endValue;
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }

  send(message: Message): void {
    this.call.write(message);
  }

  halfClose(): void {
    this.call.end();
  }

  cancel(): void {
    this.call.cancel();
  }

  /** Resolves true when `holds` is true, false when the call ended or the time ran out before. */
  until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (value: boolean): void => {
        clearTimeout(timer);
        this.listeners.delete(check);
        resolve(value);
      };
      const check = (): void => {
        if (holds()) done(true);
        else if (this.endValue !== undefined) done(false);
      };
      const timer = setTimeout(() => done(holds()), timeoutMs);
      this.listeners.add(check);
      check();
    });
  }
}
