import type { etcdserverpb, mvccpb } from '@quorate/api';
import { concatBytes } from '@quorate/base';

/** The smallest key behind all that begin with `prefix`; the one byte 0, "no end", when there is none. */
function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] as number;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, last + 1);
    end[last] = byte + 1;
    return end;
  }
  return Uint8Array.of(0);
}

/** An interval of keys as requests name it. */
export interface Ranged {
  readonly key: Uint8Array;
  /** Empty for the single key, the one byte 0 for "no end". */
  readonly rangeEnd: Uint8Array;
}

/**
 * Keys below a prefix that callers do not see: it is put before the keys of requests and taken off those of answers. An empty key stays
 * empty, so that the server refuses it as it does without a prefix.
 */
export class Namespace {
  private readonly prefix: Uint8Array;
  private readonly end: Uint8Array;

  constructor(prefix: Uint8Array) {
    this.prefix = prefix;
    this.end = prefixEnd(prefix);
  }

  get isEmpty(): boolean {
    return this.prefix.length === 0;
  }

  inner(key: Uint8Array): Uint8Array {
    return key.length === 0 ? key : concatBytes([this.prefix, key]);
  }

  outer(key: Uint8Array): Uint8Array {
    return key.subarray(this.prefix.length);
  }

  innerRange<T extends Ranged>(request: T): T {
    return { ...request, key: this.inner(request.key), rangeEnd: this.innerEnd(request.rangeEnd) };
  }

  /** Of a watch: an empty key is no mistake there, it means the first of all. */
  innerWatch(range: Ranged): Ranged {
    return this.innerRange(range.key.length === 0 ? { ...range, key: Uint8Array.of(0) } : range);
  }

  private innerEnd(rangeEnd: Uint8Array): Uint8Array {
    if (rangeEnd.length === 0) return rangeEnd;
    return rangeEnd.length === 1 && rangeEnd[0] === 0 ? this.end : concatBytes([this.prefix, rangeEnd]);
  }

  outerKeyValue(kv: mvccpb.KeyValue): mvccpb.KeyValue {
    return { ...kv, key: this.outer(kv.key) };
  }

  innerTxn(request: etcdserverpb.TxnRequest): etcdserverpb.TxnRequest {
    return {
      ...request,
      compare: request.compare.map((compare) => this.innerRange(compare)),
      success: request.success.map((op) => this.innerOp(op)),
      failure: request.failure.map((op) => this.innerOp(op)),
    };
  }

  private innerOp(op: etcdserverpb.RequestOp): etcdserverpb.RequestOp {
    const { requestRange, requestPut, requestDeleteRange, requestTxn } = op;
    if (requestRange !== undefined) return { ...op, requestRange: this.innerRange(requestRange) };
    if (requestPut !== undefined) return { ...op, requestPut: { ...requestPut, key: this.inner(requestPut.key) } };
    if (requestDeleteRange !== undefined) return { ...op, requestDeleteRange: this.innerRange(requestDeleteRange) };
    if (requestTxn !== undefined) return { ...op, requestTxn: this.innerTxn(requestTxn) };
    return op;
  }

  outerRange(response: etcdserverpb.RangeResponse): etcdserverpb.RangeResponse {
    return { ...response, kvs: response.kvs.map((kv) => this.outerKeyValue(kv)) };
  }

  outerPut(response: etcdserverpb.PutResponse): etcdserverpb.PutResponse {
    const { prevKv } = response;
    return prevKv === undefined ? response : { ...response, prevKv: this.outerKeyValue(prevKv) };
  }

  outerDeleteRange(response: etcdserverpb.DeleteRangeResponse): etcdserverpb.DeleteRangeResponse {
    return { ...response, prevKvs: response.prevKvs.map((kv) => this.outerKeyValue(kv)) };
  }

  outerTxn(response: etcdserverpb.TxnResponse): etcdserverpb.TxnResponse {
    return { ...response, responses: response.responses.map((op) => this.outerOp(op)) };
  }

  private outerOp(op: etcdserverpb.ResponseOp): etcdserverpb.ResponseOp {
    const { responseRange, responsePut, responseDeleteRange, responseTxn } = op;
    if (responseRange !== undefined) return { ...op, responseRange: this.outerRange(responseRange) };
    if (responsePut !== undefined) return { ...op, responsePut: this.outerPut(responsePut) };
    if (responseDeleteRange !== undefined)
      return { ...op, responseDeleteRange: this.outerDeleteRange(responseDeleteRange) };
    if (responseTxn !== undefined) return { ...op, responseTxn: this.outerTxn(responseTxn) };
    return op;
  }

  outerEvent(event: mvccpb.Event): mvccpb.Event {
    const { kv, prevKv } = event;
    return {
      ...event,
      kv: kv === undefined ? kv : this.outerKeyValue(kv),
      prevKv: prevKv === undefined ? prevKv : this.outerKeyValue(prevKv),
    };
  }

  outerTimeToLive(response: etcdserverpb.LeaseTimeToLiveResponse): etcdserverpb.LeaseTimeToLiveResponse {
    return { ...response, keys: response.keys.map((key) => this.outer(key)) };
  }
}
