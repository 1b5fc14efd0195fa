import { type Clock, CodedError, concatBytes, emptyBytes, utf8ToBytes } from '@quorate/base';
import type {
  PeerAnswer,
  PeerDialer,
  PeerExchange,
  PeerHandler,
  PeerReply,
  PeerRequest,
  PeerSink,
  PeerSinkEvents,
  PeerStreamEvents,
} from '../peer-edge.ts';

/** A stream that stands, seen from between its ends. */
export class FakeStream implements PeerSink {
  readonly request: PeerRequest;
  /** All that was written to it. */
  written = 0;
  isOpen = true;
  /** While set, the network takes nothing. */
  isStuck = false;
  private readonly clock: Clock;
  private readonly reader: PeerStreamEvents;
  private writer: PeerSinkEvents | undefined;
  private queue: Uint8Array[] = [];

  constructor(clock: Clock, request: PeerRequest, reader: PeerStreamEvents) {
    this.clock = clock;
    this.request = request;
    this.reader = reader;
  }

  attach(writer: PeerSinkEvents): void {
    this.writer = writer;
  }

  get queuedBytes(): number {
    return this.queue.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  write(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    this.written += bytes.length;
    this.queue.push(bytes);
    this.clock.defer(() => this.flush());
  }

  /** Closed by its writer: the reader sees a proper end. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.clock.defer(() => this.reader.ended(undefined));
  }

  /** Closed by its reader. */
  cancel(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.clock.defer(() => this.writer?.closed());
  }

  /** Both ends see that it broke. */
  cut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.reader.ended(new Error('connection reset'));
    this.writer?.closed();
  }

  flush(): void {
    if (this.isStuck || !this.isOpen || this.queue.length === 0) return;
    const whole = concatBytes(this.queue);
    this.queue = [];
    this.reader.data(whole);
    if (this.isOpen) this.writer?.flushed();
  }
}

/** Members by URL, in one process, on a clock of the test's. */
export class FakeNetwork implements PeerDialer {
  readonly handlers = new Map<string, PeerHandler>();
  /** URLs that refuse connections. */
  readonly down = new Set<string>();
  /** Requests that are never answered: those it says yes to. */
  hangs: (request: PeerRequest) => boolean = () => false;
  /** Answers instead of a member. */
  answers: (request: PeerRequest) => PeerAnswer | undefined = () => undefined;
  readonly requests: (PeerRequest & { readonly atMs: number })[] = [];
  readonly streams: FakeStream[] = [];
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  count(path: string): number {
    return this.requests.filter((request) => request.path === path).length;
  }

  openStreams(path: string): FakeStream[] {
    return this.streams.filter((stream) => stream.isOpen && stream.request.path === path);
  }

  request(request: PeerRequest): PeerExchange {
    return this.exchange(request, bodyOf(request.body));
  }

  upload(request: PeerRequest, body: AsyncIterable<Uint8Array>): PeerExchange {
    return this.exchange(request, body);
  }

  openStream(request: PeerRequest, events: PeerStreamEvents): { cancel(): void } {
    const stream = new FakeStream(this.clock, request, events);
    let isCancelled = false;
    this.answer(request, bodyOf(undefined)).then(
      (answer) => {
        if (isCancelled) return;
        if (answer.kind === 'abort') events.ended(new Error('connection reset'));
        else if (answer.kind === 'whole') {
          events.answered(answer.status, headerOf(answer.headers));
          events.data(bytesOf(answer.body));
          events.ended(undefined);
        } else {
          events.answered(200, headerOf(answer.headers));
          this.streams.push(stream);
          stream.attach(answer.attach(stream));
        }
      },
      (error: Error) => {
        if (!isCancelled) events.ended(error);
      },
    );
    return {
      cancel: () => {
        isCancelled = true;
        stream.cancel();
      },
    };
  }

  private exchange(request: PeerRequest, body: AsyncIterable<Uint8Array>): PeerExchange {
    let cancel: (error: Error) => void = () => {};
    const cancelled = new Promise<never>((_, reject) => {
      cancel = reject;
    });
    cancelled.catch(() => {});
    const reply = this.answer(request, body).then((answer): PeerReply => {
      if (answer.kind !== 'whole') throw new CodedError('peer/unreachable', 'connection reset');
      return { status: answer.status, header: headerOf(answer.headers), body: bytesOf(answer.body) };
    });
    return {
      reply: Promise.race([reply, cancelled]),
      cancel: () => cancel(new CodedError('peer/unreachable', 'called off')),
    };
  }

  private async answer(request: PeerRequest, body: AsyncIterable<Uint8Array>): Promise<PeerAnswer> {
    this.requests.push({ ...request, atMs: this.clock.nowMs() });
    await new Promise<void>((resolve) => this.clock.defer(resolve));
    if (this.hangs(request)) await new Promise<never>(() => {});
    const handler = this.handlers.get(request.url);
    if (handler === undefined || this.down.has(request.url))
      throw new CodedError('peer/unreachable', 'connection refused');
    const { method, path, headers } = request;
    return this.answers(request) ?? handler.handle({ method, path, remote: 'fake:1', header: headerOf(headers), body });
  }
}

async function* bodyOf(body: Uint8Array | undefined): AsyncIterable<Uint8Array> {
  if (body !== undefined) yield body;
}

function bytesOf(body: Uint8Array | string): Uint8Array {
  if (typeof body !== 'string') return body;
  return body === '' ? emptyBytes : utf8ToBytes(body);
}

function headerOf(headers: Readonly<Record<string, string>>): (name: string) => string | undefined {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => lower.get(name);
}
