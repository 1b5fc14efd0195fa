import { decodeUtf8Lossy, etcdserverpb } from '@quorate/api';
import { isReadOnlyTxn, type WatchCreate } from '@quorate/machine';
import type { Call } from '@quorate/transport';

/** A span under way. */
export interface RequestSpan {
  end(): void;
}

export type SpanAttributes = Readonly<Record<string, string | number | bigint | boolean>>;

/** Records what the member does for its callers, and by itself, as spans with etcd's names and attributes. */
export interface RequestSpans {
  /**
   * Begins a span within that of a call, with which it ends at the latest; without a call, one of its own.
   * @param attributes says what is shown of the subject; only asked where the span is recorded. Not a closure, which would cost every call.
   * @returns undefined where it is not recorded
   */
  begin<Subject>(
    call: Call | undefined,
    name: string,
    subject: Subject,
    attributes: (subject: Subject) => SpanAttributes,
  ): RequestSpan | undefined;
}

const text = (bytes: Uint8Array): string => decodeUtf8Lossy(bytes, 0, bytes.length);

export function putAttributes(request: Uint8Array): SpanAttributes {
  return { key: text(etcdserverpb.PutRequest.decode(request).key) };
}

export function deleteAttributes({ key, rangeEnd }: etcdserverpb.DeleteRangeRequest): SpanAttributes {
  return { range_begin: text(key), range_end: text(rangeEnd) };
}

export function streamedRangeAttributes(request: etcdserverpb.RangeRequest): SpanAttributes {
  const { key, rangeEnd, revision, limit, countOnly } = request;
  return { range_begin: text(key), range_end: text(rangeEnd), rev: revision, limit, count_only: countOnly };
}

export function rangeAttributes(request: etcdserverpb.RangeRequest): SpanAttributes {
  return { ...streamedRangeAttributes(request), keys_only: request.keysOnly };
}

export function txnAttributes(request: etcdserverpb.TxnRequest): SpanAttributes {
  const { compare, success, failure } = request;
  return {
    compare_first_key: firstOf(compare.map(({ key }) => text(key))),
    success_first_key: firstOf(success.map(keyOf)),
    success_first_type: firstOf(success.map(typeOf)),
    success_first_lease: success.find(({ requestPut }) => requestPut !== undefined)?.requestPut?.lease ?? -1n,
    compare_len: compare.length,
    success_len: success.length,
    failure_len: failure.length,
    read_only: isReadOnlyTxn(request),
  };
}

/** The first that is not empty. */
function firstOf(texts: readonly string[]): string {
  return texts.find((one) => one !== '') ?? '';
}

function keyOf({ requestPut, requestRange, requestDeleteRange }: etcdserverpb.RequestOp): string {
  const request = requestPut ?? requestRange ?? requestDeleteRange;
  return request === undefined ? '' : text(request.key);
}

function typeOf(op: etcdserverpb.RequestOp): string {
  if (op.requestPut !== undefined) return 'put';
  if (op.requestRange !== undefined) return 'range';
  if (op.requestDeleteRange !== undefined) return 'delete_range';
  return op.requestTxn === undefined ? '' : 'txn';
}

export function compactAttributes({ physical, revision }: etcdserverpb.CompactionRequest): SpanAttributes {
  return { is_physical: physical, rev: revision };
}

export function grantAttributes({ id, ttl }: Pick<etcdserverpb.LeaseGrantRequest, 'id' | 'ttl'>): SpanAttributes {
  return { id, ttl };
}

export function leaseAttributes(id: bigint): SpanAttributes {
  return { id };
}

export function watchAttributes(request: WatchCreate): SpanAttributes {
  const { key, rangeEnd, startRevision, progressNotify, prevKv, fragment } = request;
  return {
    key: text(key),
    // As etcd shows it once it has read that one as "no end".
    range_end: rangeEnd.length === 1 && rangeEnd[0] === 0 ? '' : text(rangeEnd),
    start_rev: startRevision,
    progress_notify: progressNotify,
    prev_kv: prevKv,
    fragment,
  };
}
