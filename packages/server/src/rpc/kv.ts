import { etcdserverpb, services, varintLength, writeVarint } from '@quorate/api';
import { allocateUnsafe, copyBytes, emptyBytes } from '@quorate/base';
import {
  type ApplyResult,
  checkDeleteRangeRequest,
  checkPutRequest,
  checkTxnRequest,
  isReadOnlyTxn,
  isSerializableTxn,
  putCost,
  type Quota,
  runTxn,
  txnCost,
} from '@quorate/machine';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import { holdAhead, rangeBytes, txnBytes } from './answer-estimate.ts';
import { decodeRequest, failCall, replyMessage } from './answers.ts';
import { fieldLength, type HeaderBytes, writeField } from './header-bytes.ts';
import type { MemberContext } from './member-context.ts';
import { costOfPlainPut } from './plain-put.ts';
import { refuseCall } from './preconditions.ts';
import { CallOutcome, RequestField } from './proposals.ts';
import { type RangeSource, registerRange } from './range.ts';
import { readThen } from './read-then.ts';
import { compactAttributes, deleteAttributes, putAttributes, txnAttributes } from './request-spans.ts';

/** What the key-value service needs beyond the member itself. */
export interface KeyValueSource extends RangeSource {
  readonly quota: Quota;
  readonly txnOpsMax: number;
  /** Raises the NOSPACE alarm, unless it is raised already, and then refuses the call. */
  refuseForSpace(call: UnaryCall): void;
}

const methods = services.KV.methods;
const copiedBytesMax = 32 * 1024;
const scratch = allocateUnsafe(copiedBytesMax + 128);

/** Serves etcdserverpb.KV. */
export function registerKeyValue(server: GrpcServer, member: MemberContext, source: KeyValueSource): void {
  registerRange(server, member, source);
  server.registerUnary(methods.Put.path, (call, bytes) => servePut(call, bytes, member, source));
  server.registerUnary(methods.DeleteRange.path, (call, bytes) => serveDeleteRange(call, bytes, member, source));
  server.registerUnary(methods.Txn.path, (call, bytes) => serveTxn(call, bytes, member, source));
  server.registerUnary(methods.Compact.path, (call, bytes) => serveCompact(call, bytes, member, source));
}

function servePut(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: KeyValueSource): void {
  if (refuseCall(call, member, false)) return;
  let cost = costOfPlainPut(bytes);
  if (cost < 0) {
    const request = decodeRequest(call, etcdserverpb.PutRequest, bytes);
    if (request === undefined) return;
    cost = putCost(request.key.length, request.value.length);
    const symbol = checkPutRequest(request);
    // With a full database even a malformed put hears that there is no space (semantics 2).
    if (symbol !== undefined && source.quota.allows(cost)) {
      failCall(call, symbol);
      return;
    }
    if (request.prevKv) holdAhead(call, rangeBytes(source.store, request.key, emptyBytes));
  }
  if (!source.quota.allows(cost)) {
    source.refuseForSpace(call);
    return;
  }
  member.spans?.begin(call, 'put', bytes, putAttributes);
  member.access.propose(call, RequestField.put, bytes, new PutOutcome(call, source.header));
}

class PutOutcome extends CallOutcome<UnaryCall, HeaderBytes> {
  /** `PutResponse { 1: header, 2: prev_kv }` */
  protected answer(result: ApplyResult): void {
    if (result.kind !== 'put') return;
    const { prevKv } = result;
    const size = prevKv === undefined ? 0 : prevKv.length;
    const target = size <= copiedBytesMax ? scratch : allocateUnsafe(size + 128);
    let position = this.context.writeField(result.revision, target, 0);
    if (prevKv !== undefined) position = writeField(0x12, prevKv, target, position);
    if (target === scratch) this.call.reply(target, 0, position);
    else this.call.replyChunks([target.subarray(0, position)]);
  }
}

function serveDeleteRange(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: KeyValueSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.DeleteRangeRequest, bytes);
  if (request === undefined) return;
  const symbol = checkDeleteRangeRequest(request);
  if (symbol !== undefined) {
    failCall(call, symbol);
    return;
  }
  member.spans?.begin(call, 'delete_range', request, deleteAttributes);
  if (request.prevKv) holdAhead(call, rangeBytes(source.store, request.key, request.rangeEnd));
  member.access.propose(call, RequestField.deleteRange, bytes, new DeleteOutcome(call, source.header));
}

class DeleteOutcome extends CallOutcome<UnaryCall, HeaderBytes> {
  protected answer(result: ApplyResult): void {
    if (result.kind !== 'delete') return;
    const { deleted, prevKvs, revision } = result;
    const response = etcdserverpb.DeleteRangeResponseRaw.create({
      header: this.context.take(revision),
      deleted,
      prevKvs,
    });
    replyMessage(this.call, etcdserverpb.DeleteRangeResponseRaw, response);
  }
}

function serveTxn(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: KeyValueSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.TxnRequest, bytes);
  if (request === undefined) return;
  if (!source.quota.allows(txnCost(request))) {
    source.refuseForSpace(call);
    return;
  }
  const symbol = checkTxnRequest(request, source.txnOpsMax);
  if (symbol !== undefined) {
    failCall(call, symbol);
    return;
  }
  member.spans?.begin(call, 'txn', request, txnAttributes);
  if (!isReadOnlyTxn(request)) {
    holdAhead(call, txnBytes(source.store, request));
    member.access.propose(call, RequestField.txn, bytes, new TxnOutcome(call, source.header));
    return;
  }
  const { access } = member;
  const mayReadNow = isSerializableTxn(request) || source.reads.isReadable();
  if (mayReadNow && !access.isOn) {
    answerReadOnlyTxn(call, request, source);
    return;
  }
  const owned = etcdserverpb.TxnRequest.decode(copyBytes(bytes));
  const answer = () => {
    access.admit(
      call,
      (identity) => access.permissions.checkTxn(identity, owned),
      () => answerReadOnlyTxn(call, owned, source),
    );
  };
  if (mayReadNow) answer();
  else readThen(source.reads, call, answer);
}

function answerReadOnlyTxn(call: UnaryCall, request: etcdserverpb.TxnRequest, source: KeyValueSource): void {
  const result = runTxn(source.store, request);
  if (typeof result === 'string') failCall(call, result);
  else replyTxn(call, source.header, source.store.currentRevision, result.succeeded, result.responses);
}

class TxnOutcome extends CallOutcome<UnaryCall, HeaderBytes> {
  protected answer(result: ApplyResult): void {
    if (result.kind === 'txn') replyTxn(this.call, this.context, result.revision, result.succeeded, result.responses);
  }
}

/** `TxnResponse { 1: header, 2: succeeded, 3: responses }` */
function replyTxn(
  call: UnaryCall,
  header: HeaderBytes,
  revision: number,
  succeeded: boolean,
  responses: readonly Uint8Array[],
): void {
  let size = 0;
  for (const response of responses) size += fieldLength(response.length);
  const target = size <= copiedBytesMax ? scratch : allocateUnsafe(size + 128);
  let position = header.writeField(revision, target, 0);
  if (succeeded) {
    target[position++] = 0x10;
    target[position++] = 1;
  }
  for (const response of responses) {
    target[position++] = 0x1a;
    position = writeVarint(response.length, target, position);
    target.set(response, position);
    position += response.length;
  }
  if (target === scratch) call.reply(target, 0, position);
  else call.replyChunks([target.subarray(0, position)]);
}

function serveCompact(call: UnaryCall, bytes: Uint8Array, member: MemberContext, source: KeyValueSource): void {
  if (refuseCall(call, member, false)) return;
  const request = decodeRequest(call, etcdserverpb.CompactionRequest, bytes);
  if (request === undefined) return;
  member.spans?.begin(call, 'compact', request, compactAttributes);
  const outcome = new CompactOutcome(call, { source, physical: request.physical });
  const { access } = member;
  access.propose(call, RequestField.compaction, bytes, outcome, access.checkAdmin);
}

interface CompactContext {
  readonly source: KeyValueSource;
  readonly physical: boolean;
}

class CompactOutcome extends CallOutcome<UnaryCall, CompactContext> {
  protected answer(result: ApplyResult): void {
    if (result.kind !== 'compaction') return;
    const { source, physical } = this.context;
    const { header, store } = source;
    const reply = () => {
      const response = { header: header.take(store.currentRevision) };
      replyMessage(this.call, compactionResponse, response);
    };
    if (physical) result.physical.then(reply, (error: Error) => this.call.fail(2, error.message));
    else reply();
  }
}

/** CompactionResponse with its header spliced. */
const compactionResponse = {
  byteLength: (message: { header: Uint8Array }) => 1 + varintLength(message.header.length) + message.header.length,
  write: (message: { header: Uint8Array }, target: Uint8Array, position: number) =>
    writeField(0x0a, message.header, target, position),
};
