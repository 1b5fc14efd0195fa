import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanStatusCode } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { GrpcStatus } from '@quorate/api';
import { type Clock, nextTurn, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { type Call, createGrpcServer, type GrpcServer } from '@quorate/transport';
import { ManualClock } from '../../testing/manual-clock.ts';
import { CallSpans } from './call-spans.ts';

const path = '/test.Service/Method';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const callerId = 'b7ad6b7169203331';
const sampled = { metadata: [['traceparent', `00-${traceId}-${callerId}-01`] as const] };
const answer = new Uint8Array(1);

function setUp(clock: Clock = new NodeClock()) {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const spans = new CallSpans({ tracer: provider.getTracer('test'), clock });
  const server = createGrpcServer({ clock, logger: silentLogger }, { wrapper: spans });
  return { spans, server, finished: () => exporter.getFinishedSpans() };
}

function serve(server: GrpcServer, handle: (call: Call) => void): void {
  server.registerUnary(path, (call) => {
    handle(call);
    call.reply(answer, 0, 1);
  });
}

test('a sampled call has a span of its own, in the trace of its caller, and those of its service within it', async () => {
  const { spans, server, finished } = setUp();
  serve(server, (call) => spans.begin(call, 'inner', 7587862094921392395n, (id) => ({ id, limit: 3 })));
  await server.local.unary(path, answer, sampled);
  const [inner, outer] = finished();
  assert.equal(outer?.name, 'test.Service/Method');
  assert.equal(outer.parentSpanContext?.spanId, callerId);
  assert.deepEqual(outer.attributes, {
    'rpc.method': 'test.Service/Method',
    'rpc.system.name': 'grpc',
    'server.address': 'in-process',
    'rpc.response.status_code': 'OK',
  });
  assert.equal(inner?.name, 'inner');
  assert.equal(inner.spanContext().traceId, traceId);
  assert.equal(inner.parentSpanContext?.spanId, outer.spanContext().spanId);
  assert.deepEqual(inner.attributes, { id: '7587862094921392395', limit: 3 });
});

test('a call that is not sampled reaches its handler as it is, and nobody is asked for attributes', async () => {
  const { spans, server, finished } = setUp();
  let handled: Call | undefined;
  serve(server, (call) => {
    handled = call;
    spans.begin(call, 'inner', 0, () => assert.fail('asked for attributes'));
  });
  await server.local.unary(path, answer);
  await server.local.unary(path, answer, { metadata: [['traceparent', `00-${traceId}-${callerId}-00`]] });
  assert.deepEqual(finished(), []);
  assert.equal(handled?.constructor.name, 'LocalUnaryCall');
});

test("failures that are the server's are errors; others only have their status", async () => {
  const { server, finished } = setUp();
  let status: number = GrpcStatus.PermissionDenied;
  server.registerUnary(path, (call) => call.fail(status, 'why'));
  await assert.rejects(server.local.unary(path, answer, sampled));
  status = GrpcStatus.Unavailable;
  await assert.rejects(server.local.unary(path, answer, sampled));
  assert.deepEqual(
    finished().map((span) => [span.attributes['rpc.response.status_code'], span.status]),
    [
      ['PERMISSION_DENIED', { code: SpanStatusCode.UNSET }],
      ['UNAVAILABLE', { code: SpanStatusCode.ERROR, message: 'why' }],
    ],
  );
});

test('a deadline that passes ends the spans, and what is begun later has none', async () => {
  const clock = new ManualClock();
  const { spans, server, finished } = setUp(clock);
  let late: Call | undefined;
  server.registerUnary(path, (call) => {
    late = call;
    spans.begin(call, 'inner', 0, () => ({}));
  });
  const outcome = assert.rejects(server.local.unary(path, answer, { ...sampled, timeoutMs: 1_000 }));
  await nextTurn(clock);
  await clock.advance(2_000);
  await outcome;
  spans.begin(late, 'late', 0, () => ({}));
  const ended = finished().map(({ name, attributes }) => [name, attributes['rpc.response.status_code']]);
  assert.deepEqual(ended, [
    ['inner', undefined],
    ['test.Service/Method', 'DEADLINE_EXCEEDED'],
  ]);
});

test('a call in the service of another has no span of its own; what it leaves open ends with that one', async () => {
  const { spans, server, finished } = setUp();
  const innerPath = '/test.Service/Inner';
  let isServed = (): void => {};
  const served = new Promise<void>((resolve) => {
    isServed = resolve;
  });
  server.registerStream(innerPath, (call) => {
    spans.begin(call, 'watch', 0, () => ({}));
    isServed();
  });
  server.registerUnary(path, (call) => {
    server.local.stream(innerPath, { parent: call });
    served.then(() => call.reply(answer, 0, 1));
  });
  await server.local.unary(path, answer, sampled);
  const [inner, outer] = finished();
  assert.deepEqual([inner?.name, outer?.name], ['watch', 'test.Service/Method']);
  assert.equal(inner?.parentSpanContext?.spanId, outer?.spanContext().spanId);
  assert.equal(finished().length, 2);
});
