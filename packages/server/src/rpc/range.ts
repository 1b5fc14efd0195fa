import { etcdserverpb, services } from '@quorate/api';
import { copyBytes, nextTurn } from '@quorate/base';
import { checkRangeRequest, checkRangeStreamRequest, type MvccStore, type RangeReader } from '@quorate/machine';
import type { Call, GrpcServer, StreamCall, UnaryCall } from '@quorate/transport';
import type { Recheck } from './access.ts';
import { decodeRequest, failCall, writeMessage } from './answers.ts';
import type { HeaderBytes } from './header-bytes.ts';
import type { LinearizableReads, MemberContext } from './member-context.ts';
import { refuseCall } from './preconditions.ts';
import {
  EncodedKeyValues,
  readFirstSlice,
  readInSlices,
  replyEncoded,
  replyGet,
  replyRange,
  room,
} from './range-answer.ts';
import { readThen } from './read-then.ts';
import { rangeAttributes, streamedRangeAttributes } from './request-spans.ts';

/** What reads of the key-value service need beyond the member itself. */
export interface RangeSource {
  readonly store: MvccStore;
  readonly reads: LinearizableReads;
  readonly header: HeaderBytes;
  readonly requestBytesMax: number;
}

const { SortOrder, SortTarget } = etcdserverpb;
const methods = services.KV.methods;

/** Serves KV.Range and KV.RangeStream. */
export function registerRange(server: GrpcServer, member: MemberContext, source: RangeSource): void {
  server.registerUnary(methods.Range.path, (call, bytes) => serveRange(call, bytes, member, source));
  server.registerStream(
    methods.RangeStream.path,
    (call) => {
      // The stream is for one request.
      let isServed = false;
      call.onMessage((bytes) => {
        if (!isServed) serveRangeStream(call, copyBytes(bytes), member, source);
        isServed = true;
      });
      call.onEnd(() => {});
    },
    'server_stream',
  );
}

function serveRange(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: RangeSource): void {
  const request = decodeRequest(call, etcdserverpb.RangeRequest, bytes);
  if (request === undefined || refuseCall(call, member, request.serializable)) return;
  const symbol = checkRangeRequest(request);
  if (symbol !== undefined) {
    failCall(call, symbol);
    return;
  }
  member.spans?.begin(call, 'range', request, rangeAttributes);
  const mayReadNow = request.serializable || source.reads.isReadable();
  const { access } = member;
  if (mayReadNow && !access.isOn && isPlainGet(request)) {
    replyGet(call, source.header, source.store.currentRevision, source.store.get(request.key));
    return;
  }
  // What goes on in later turns needs its own copy: the bytes are a view on the socket's buffer.
  const owned = etcdserverpb.RangeRequest.decode(copyBytes(bytes));
  const answer = () => {
    admitRange(call, owned, member, (recheck) => answerRange(call, owned, member, source, recheck));
  };
  if (mayReadNow) answer();
  else readThen(source.reads, call, answer);
}

function admitRange(
  call: Call,
  { key, rangeEnd }: etcdserverpb.RangeRequest,
  { access }: MemberContext,
  serve: (recheck?: Recheck) => void,
): void {
  access.admit(call, (identity) => access.permissions.checkRange(identity, key, rangeEnd), serve);
}

/** True for the commonest read: one key, now, nothing else asked. */
function isPlainGet(request: etcdserverpb.RangeRequest): boolean {
  return (
    request.rangeEnd.length === 0 &&
    request.revision <= 0 &&
    !request.keysOnly &&
    !request.countOnly &&
    !hasFilters(request)
  );
}

function hasFilters(request: etcdserverpb.RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function answerRange(
  call: UnaryCall,
  request: etcdserverpb.RangeRequest,
  member: MemberContext,
  source: RangeSource,
  recheck: Recheck | undefined,
): void {
  const { store, header } = source;
  if (isPlainGet(request)) {
    replyGet(call, header, store.currentRevision, store.get(request.key));
    return;
  }
  const reader = store.openRange(request);
  if (typeof reader === 'string') {
    failCall(call, reader);
    return;
  }
  const running = readFirstSlice(reader)
    ? replyRead(call, reader, member, header)
    : finishLongRange(call, request, reader, member, header, recheck);
  running?.catch((error: unknown) => failLate(call, member, error));
}

function replyRead(
  call: UnaryCall,
  reader: RangeReader,
  member: MemberContext,
  header: HeaderBytes,
): Promise<void> | undefined {
  if (reader.error === undefined) return replyRange(call, member.clock, header, reader.result);
  failCall(call, reader.error);
  return undefined;
}

async function finishLongRange(
  call: UnaryCall,
  request: etcdserverpb.RangeRequest,
  reader: RangeReader,
  member: MemberContext,
  header: HeaderBytes,
  recheck: Recheck | undefined,
): Promise<void> {
  const isInOrder =
    request.sortTarget === SortTarget.KEY && request.sortOrder !== SortOrder.DESCEND && !hasFilters(request);
  const encoded = isInOrder ? new EncodedKeyValues() : undefined;
  encoded?.add(reader.takeKeyValues());
  if (!(await readInSlices(reader, member.clock, call, encoded))) return;
  const refused = recheck?.();
  if (refused !== undefined) {
    failCall(call, refused);
    return;
  }
  if (encoded !== undefined && reader.error === undefined) replyEncoded(call, header, encoded, reader.result);
  else await replyRead(call, reader, member, header);
}

function failLate(call: UnaryCall | StreamCall, member: MemberContext, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  member.logger.error('range failed', { error: text });
  call.fail(2, text);
}

function serveRangeStream(call: StreamCall, bytes: Uint8Array, member: MemberContext, source: RangeSource): void {
  const request = decodeRequest(call, etcdserverpb.RangeRequest, bytes);
  if (request === undefined || refuseCall(call, member, request.serializable)) return;
  const symbol = checkRangeRequest(request) ?? checkRangeStreamRequest(request);
  if (symbol !== undefined) {
    failCall(call, symbol);
    return;
  }
  member.spans?.begin(call, 'range_streaming', request, streamedRangeAttributes);
  const stream = () => {
    admitRange(call, request, member, (recheck) => {
      streamRange(call, request, source, member, recheck).catch((error: unknown) => failLate(call, member, error));
    });
  };
  if (request.serializable) stream();
  else readThen(source.reads, call, stream);
}

/** Keys in the first piece; then twice as many while pieces are small, half as many when they are large. */
const firstPieceKeys = 10;
/** Keys looked at in one turn. */
const keysPerTurn = 1024;

/**
 * Sends the range in pieces of whole numbers of keys, as etcd cuts them: only the last one, which may hold key-values too, has header, count
 * and more. So one key more than a piece takes is read before it is sent.
 */
async function streamRange(
  call: StreamCall,
  request: etcdserverpb.RangeRequest,
  source: RangeSource,
  member: MemberContext,
  recheck: Recheck | undefined,
): Promise<void> {
  // A sort target without an order is accepted and means nothing in a stream: pieces come in key order.
  const reader = source.store.openRange({ ...request, sortTarget: 0 });
  if (typeof reader === 'string') {
    failCall(call, reader);
    return;
  }
  let pieceKeys = firstPieceKeys;
  let pending: Uint8Array[] = [];
  for (let done = false; ; ) {
    await room(call);
    while (!done && pending.length <= pieceKeys) {
      done = reader.step(Math.min(keysPerTurn, pieceKeys + 1 - pending.length));
      pending.push(...reader.takeKeyValues());
      if (!done && reader.error === undefined && pending.length <= pieceKeys) await nextTurn(member.clock);
      if (call.cancelled) {
        reader.close();
        return;
      }
    }
    if (reader.error !== undefined) {
      failCall(call, reader.error);
      return;
    }
    if (pending.length <= pieceKeys) break;
    const kvs = pending.slice(0, pieceKeys);
    pending = pending.slice(pieceKeys);
    const size = kvs.reduce((sum, kv) => sum + kv.length, 0);
    if (size < source.requestBytesMax / 2) pieceKeys *= 2;
    else if (size > source.requestBytesMax * 2) pieceKeys = Math.max(1, pieceKeys >> 1);
    const isOpen = await sendPiece(call, { header: undefined, kvs, more: false, count: 0 }, member);
    if (!isOpen) {
      reader.close();
      return;
    }
  }
  const refused = recheck?.();
  if (refused !== undefined) {
    failCall(call, refused);
    return;
  }
  const { more, count, revision } = reader.result;
  const isOpen = await sendPiece(call, { header: source.header.take(revision), kvs: pending, more, count }, member);
  if (isOpen) call.end();
}

/** Sends a piece and waits for room; false when the client is gone. */
async function sendPiece(
  call: StreamCall,
  piece: etcdserverpb.RangeResponseRaw,
  member: MemberContext,
): Promise<boolean> {
  const rangeResponse = etcdserverpb.RangeResponseRaw.encode(piece);
  const hasRoom = writeMessage(call, etcdserverpb.RangeStreamResponseRaw, { rangeResponse });
  call.hold(call.queuedBytes);
  await new Promise<void>((resolve) => {
    call.onCancel(resolve);
    if (hasRoom) member.clock.defer(resolve);
    else call.onDrain(resolve);
  });
  call.hold(call.queuedBytes);
  return !call.cancelled;
}
