import { cursor, decodeRequest, etcdserverpb, readTag, services, skipField } from '@quorate/api';
import { copyBytes, latin1FromBytes } from '@quorate/base';
import { type GrpcServer, GrpcStatus, type StreamCall, type UnaryCall } from '@quorate/transport';
import { askUpstream, forwardStream, optionsOf, type ProxyContext } from './forwarding.ts';
import type { Namespace, Ranged } from './namespace.ts';
import type { RangeCache } from './range-cache.ts';

const { RangeRequest, RangeResponse, PutRequest, PutResponse, DeleteRangeRequest, DeleteRangeResponse } = etcdserverpb;
const { TxnRequest, TxnResponse, RangeStreamResponse } = etcdserverpb;
const methods = services.KV.methods;

export interface KeyValueContext extends ProxyContext {
  readonly namespace: Namespace;
  readonly cache: RangeCache;
  /** Whether reads never go back: what is cached may be older than what was answered since. */
  readonly isOrdered: boolean;
}

/** Serves etcdserverpb.KV: serializable ranges from the cache where it has them, everything else by the servers. */
export function registerKeyValue(server: GrpcServer, context: KeyValueContext): void {
  server.registerUnary(methods.Range.path, (call, bytes) => serveRange(call, bytes, context));
  server.registerUnary(methods.Put.path, (call, bytes) => servePut(call, bytes, context));
  server.registerUnary(methods.DeleteRange.path, (call, bytes) => serveDeleteRange(call, bytes, context));
  server.registerUnary(methods.Txn.path, (call, bytes) => serveTxn(call, bytes, context));
  server.registerUnary(methods.Compact.path, (call, bytes) => {
    askUpstream(context, call, copyBytes(bytes), (answer) => {
      // What was readable may not be any more.
      context.cache.clear();
      call.replyChunks([answer]);
    });
  });
  registerRangeStream(server, context);
}

/** Who asks, and what as a serializable range: answers are never given to another user. */
function questionOf(call: UnaryCall, request: etcdserverpb.RangeRequest, bytes: Uint8Array): string {
  const user = call.metadata.get('token') ?? call.metadata.get('authorization') ?? '';
  return `${user}\n${request.serializable ? latin1FromBytes(bytes) : asSerializable(bytes)}`;
}

/** The bytes of the same question with `serializable` (field 7) set, which all clients write between fields 6 and 8. */
function asSerializable(bytes: Uint8Array): string {
  let position = 0;
  while (position < bytes.length) {
    const tag = readTag(bytes, position, bytes.length);
    if (tag >>> 3 > 7) break;
    position = skipField(bytes, cursor.position, bytes.length, tag);
  }
  return `${latin1FromBytes(bytes, 0, position)}\x38\x01${latin1FromBytes(bytes, position)}`;
}

function serveRange(call: UnaryCall, bytes: Uint8Array, context: KeyValueContext): void {
  const { cache, namespace } = context;
  const owned = copyBytes(bytes);
  const request = decodeRequest(call, RangeRequest, owned);
  if (request === undefined) return;
  // A linearizable answer is also good for those who would take an older one.
  const question = questionOf(call, request, owned);
  const mayBeOld = request.serializable && !context.isOrdered;
  const known = mayBeOld ? cache.get(question, context.nowMs()) : undefined;
  if (known !== undefined) {
    call.reply(known, 0, known.length);
    return;
  }
  const inner = namespace.innerRange(request);
  const pending = cache.begin(question, inner);
  const asked = context.upstream.unary(
    call.path,
    namespace.isEmpty ? owned : RangeRequest.encode(inner),
    optionsOf(call, context),
    (code, message, answer) => {
      if (answer === null) {
        cache.forget(pending);
        call.fail(code, message);
        return;
      }
      const outer = namespace.isEmpty
        ? answer
        : RangeResponse.encode(namespace.outerRange(RangeResponse.decode(answer)));
      cache.store(pending, outer, context.nowMs());
      call.replyChunks([outer]);
    },
  );
  call.onCancel(() => asked.cancel());
}

function servePut(call: UnaryCall, bytes: Uint8Array, context: KeyValueContext): void {
  const { namespace } = context;
  const owned = copyBytes(bytes);
  const request = decodeRequest(call, PutRequest, owned);
  if (request === undefined) return;
  const inner = { ...request, key: namespace.inner(request.key) };
  const written = [{ key: inner.key, rangeEnd: emptyEnd }];
  if (namespace.isEmpty) write(context, call, owned, written, (answer) => answer);
  else {
    const outer = (answer: Uint8Array) => PutResponse.encode(namespace.outerPut(PutResponse.decode(answer)));
    write(context, call, PutRequest.encode(inner), written, outer);
  }
}

const emptyEnd = new Uint8Array(0);

function serveDeleteRange(call: UnaryCall, bytes: Uint8Array, context: KeyValueContext): void {
  const { namespace } = context;
  const owned = copyBytes(bytes);
  const request = decodeRequest(call, DeleteRangeRequest, owned);
  if (request === undefined) return;
  const inner = namespace.innerRange(request);
  if (namespace.isEmpty) write(context, call, owned, [inner], (answer) => answer);
  else {
    const outer = (answer: Uint8Array) =>
      DeleteRangeResponse.encode(namespace.outerDeleteRange(DeleteRangeResponse.decode(answer)));
    write(context, call, DeleteRangeRequest.encode(inner), [inner], outer);
  }
}

function serveTxn(call: UnaryCall, bytes: Uint8Array, context: KeyValueContext): void {
  const { namespace } = context;
  const owned = copyBytes(bytes);
  const request = decodeRequest(call, TxnRequest, owned);
  if (request === undefined) return;
  const inner = namespace.isEmpty ? request : namespace.innerTxn(request);
  const written: Ranged[] = [];
  collectWritten(inner, written);
  if (namespace.isEmpty) write(context, call, owned, written, (answer) => answer);
  else {
    const outer = (answer: Uint8Array) => TxnResponse.encode(namespace.outerTxn(TxnResponse.decode(answer)));
    write(context, call, TxnRequest.encode(inner), written, outer);
  }
}

/** What a transaction may change, whichever way it goes. */
function collectWritten(request: etcdserverpb.TxnRequest, into: Ranged[]): void {
  for (const op of [...request.success, ...request.failure]) {
    if (op.requestPut !== undefined) into.push({ key: op.requestPut.key, rangeEnd: emptyEnd });
    else if (op.requestDeleteRange !== undefined) into.push(op.requestDeleteRange);
    else if (op.requestTxn !== undefined) collectWritten(op.requestTxn, into);
  }
}

/** Sends a write. What it may change is dropped before the writer hears of it, and for good also when it fails: it may have happened. */
function write(
  context: KeyValueContext,
  call: UnaryCall,
  request: Uint8Array,
  written: readonly Ranged[],
  outer: (answer: Uint8Array) => Uint8Array,
): void {
  const options = optionsOf(call, context);
  const asked = context.upstream.unary(call.path, request, options, (code, message, answer) => {
    for (const range of written) context.cache.invalidate(range);
    if (answer === null) call.fail(code, message);
    else call.replyChunks([outer(answer)]);
  });
  call.onCancel(() => asked.cancel());
}

/** Refused where reads must not go back, as etcd's proxy refuses it everywhere. Without a namespace it is passed on unread. */
function registerRangeStream(server: GrpcServer, context: KeyValueContext): void {
  const { path } = methods.RangeStream;
  if (context.isOrdered) {
    const refuse = (call: StreamCall) =>
      call.fail(GrpcStatus.unimplemented, 'RangeStream is not supported by the gRPC proxy');
    server.registerStream(path, refuse, 'server_stream');
  } else if (context.namespace.isEmpty) forwardStream(server, context, methods.RangeStream);
  else server.registerStream(path, (call) => serveRangeStream(call, context), 'server_stream');
}

function serveRangeStream(call: StreamCall, context: KeyValueContext): void {
  const { namespace } = context;
  const upstream = context.upstream.stream(call.path, optionsOf(call, context));
  call.onMessage((bytes) => {
    const request = decodeRequest(call, RangeRequest, bytes);
    if (request === undefined) upstream.cancel();
    else upstream.write(RangeRequest.encode(namespace.innerRange(request)));
  });
  call.onEnd(() => upstream.end());
  call.onCancel(() => upstream.cancel());
  call.onDrain(() => upstream.resume());
  upstream.onMessage((bytes) => {
    const { rangeResponse, ...rest } = RangeStreamResponse.decode(bytes);
    const outer = rangeResponse === undefined ? rangeResponse : namespace.outerRange(rangeResponse);
    if (!call.write(RangeStreamResponse.encode({ ...rest, rangeResponse: outer }))) upstream.pause();
  });
  upstream.onEnd(({ code, message }) => {
    if (code === GrpcStatus.ok) call.end();
    else call.fail(code, message);
  });
}
