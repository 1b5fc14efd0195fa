import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { GrpcStatus, grpcStatusName } from '@quorate/api';
import type { Clock } from '@quorate/base';
import type {
  Call,
  HandlerWrapper,
  Metadata,
  StreamCall,
  StreamHandler,
  UnaryCall,
  UnaryHandler,
} from '@quorate/transport';
import { type CallEnd, ObservedStreamCall, ObservedUnaryCall } from '../../rpc/observed-call.ts';
import type { RequestSpan, RequestSpans, SpanAttributes } from '../../rpc/request-spans.ts';
import { toAttributes } from './attributes.ts';

const propagator = new W3CTraceContextPropagator();
const metadataGetter = {
  get: (metadata: Metadata, name: string) => metadata.get(name),
  keys: (metadata: Metadata) => metadata.entries().map(([name]) => name),
};

/** Statuses that are the server's fault, as OpenTelemetry's conventions for gRPC have it. */
const failures: ReadonlySet<number> = new Set([
  GrpcStatus.Unknown,
  GrpcStatus.DeadlineExceeded,
  GrpcStatus.Unimplemented,
  GrpcStatus.Internal,
  GrpcStatus.Unavailable,
  GrpcStatus.DataLoss,
]);

export interface CallSpansDeps {
  readonly tracer: Tracer;
  readonly clock: Clock;
}

/**
 * A span for each call that is sampled, and within it those of what the member does. A call that is made in the service of another (by the
 * lock service, for example) has no span of its own.
 */
export class CallSpans implements HandlerWrapper, RequestSpans {
  private readonly deps: CallSpansDeps;

  constructor(deps: CallSpansDeps) {
    this.deps = deps;
  }

  unary(handler: UnaryHandler): UnaryHandler {
    return (call, message) => {
      const spans = this.spansOf(call);
      handler(spans === undefined ? call : new TracedUnaryCall(call, spans), message);
    };
  }

  stream(handler: StreamHandler): StreamHandler {
    return (call) => {
      const spans = this.spansOf(call);
      handler(spans === undefined ? call : new TracedStreamCall(call, spans));
    };
  }

  begin<Subject>(
    call: Call | undefined,
    name: string,
    subject: Subject,
    attributes: (subject: Subject) => SpanAttributes,
  ): RequestSpan | undefined {
    const toShow = () => toAttributes(attributes(subject));
    if (call === undefined) return this.beginRoot(name, toShow);
    return isTraced(call) ? call.spans.begin(name, toShow) : undefined;
  }

  private beginRoot(name: string, attributes: () => Attributes): RequestSpan | undefined {
    const span = this.deps.tracer.startSpan(name, {}, ROOT_CONTEXT);
    if (!span.isRecording()) return undefined;
    span.setAttributes(attributes());
    return span;
  }

  /** Undefined for a call that is not sampled. */
  private spansOf(call: Call): SpansOfCall | undefined {
    const { tracer, clock } = this.deps;
    if (call.parent !== undefined) return isTraced(call.parent) ? call.parent.spans.within() : undefined;
    const method = call.path.slice(1);
    const parent = propagator.extract(ROOT_CONTEXT, call.metadata, metadataGetter);
    const times = new SpanTimes(clock);
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, startTime: times.nowMs() }, parent);
    if (!span.isRecording()) return undefined;
    span.setAttributes({ 'rpc.method': method, 'rpc.system.name': 'grpc', ...serverAddress(call) });
    const own = { span, hasTimedOut: () => clock.nowMs() >= call.deadlineMs };
    return new SpansOfCall({ tracer, times, context: trace.setSpan(ROOT_CONTEXT, span) }, own);
  }
}

/** Where the client reached the server; a call over HTTP or from within the process comes from no connection. */
function serverAddress({ peer }: Call): { 'server.address': string; 'server.port'?: number } {
  const { address, localAddress = address } = peer;
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(localAddress) ?? [];
  return host === undefined
    ? { 'server.address': localAddress }
    : { 'server.address': host, 'server.port': Number(port) };
}

/** The call's own span, where it has one. */
interface OwnSpan {
  readonly span: Span;
  readonly hasTimedOut: () => boolean;
}

/** The time of day, finer than the system's milliseconds, so that spans of a call are in their order. */
class SpanTimes {
  private readonly clock: Clock;
  private readonly offsetMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.offsetMs = clock.wallMs() - clock.nowMs();
  }

  nowMs(): number {
    return this.offsetMs + this.clock.nowMs();
  }
}

/** What the spans within a call have in common. */
interface CallFrame {
  readonly tracer: Tracer;
  readonly times: SpanTimes;
  readonly context: Context;
}

/** The spans of a call under way. */
class SpansOfCall {
  private readonly frame: CallFrame;
  private readonly own: OwnSpan | undefined;
  private readonly onEnd: () => void;
  private readonly open = new Set<Span>();
  /** Of calls in the service of this one. */
  private readonly inner = new Set<SpansOfCall>();
  private hasEnded = false;

  constructor(frame: CallFrame, own: OwnSpan | undefined, onEnd = () => {}) {
    this.frame = frame;
    this.own = own;
    this.onEnd = onEnd;
  }

  /** For a call that is made in the service of this one. */
  within(): SpansOfCall | undefined {
    if (this.hasEnded) return undefined;
    const inner: SpansOfCall = new SpansOfCall(this.frame, undefined, () => this.inner.delete(inner));
    this.inner.add(inner);
    return inner;
  }

  begin(name: string, attributes: () => Attributes): RequestSpan | undefined {
    if (this.hasEnded) return undefined;
    const { tracer, times, context } = this.frame;
    const span = tracer.startSpan(name, { attributes: attributes(), startTime: times.nowMs() }, context);
    this.open.add(span);
    return {
      end: () => {
        if (this.open.delete(span)) span.end(times.nowMs());
      },
    };
  }

  end({ code, message }: CallEnd): void {
    const nowMs = this.frame.times.nowMs();
    this.endInner(nowMs);
    this.onEnd();
    if (this.own === undefined) return;
    const { span, hasTimedOut } = this.own;
    const isLate = code === GrpcStatus.Canceled && hasTimedOut();
    const status = isLate ? GrpcStatus.DeadlineExceeded : code;
    if (failures.has(status)) span.setStatus({ code: SpanStatusCode.ERROR, message: isLate ? lateText : message });
    span.setAttribute('rpc.response.status_code', conventionalName(status));
    span.end(nowMs);
  }

  private endInner(nowMs: number): void {
    this.hasEnded = true;
    for (const inner of this.inner) inner.endInner(nowMs);
    for (const span of this.open) span.end(nowMs);
    this.inner.clear();
    this.open.clear();
  }
}

const lateText = 'context deadline exceeded';

/** `PermissionDenied` as `PERMISSION_DENIED`. */
function conventionalName(code: number): string {
  if (code === GrpcStatus.Canceled) return 'CANCELLED';
  return grpcStatusName(code)
    .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
    .toUpperCase();
}

interface Traced {
  readonly spans: SpansOfCall;
}

class TracedUnaryCall extends ObservedUnaryCall implements Traced {
  readonly spans: SpansOfCall;

  constructor(inner: UnaryCall, spans: SpansOfCall) {
    super(inner, (end) => spans.end(end));
    this.spans = spans;
  }
}

class TracedStreamCall extends ObservedStreamCall implements Traced {
  readonly spans: SpansOfCall;

  constructor(inner: StreamCall, spans: SpansOfCall) {
    super(
      inner,
      () => {},
      (end) => spans.end(end),
    );
    this.spans = spans;
  }
}

function isTraced(call: Call): call is Call & Traced {
  return call instanceof TracedUnaryCall || call instanceof TracedStreamCall;
}
