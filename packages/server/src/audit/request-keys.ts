import { DecodeError, decodeUtf8, encodeBase64, etcdserverpb, services } from '@quorate/api';

/** An interval of keys in words: UTF-8 text, or base64 behind `base64:`. */
export interface ShownRange {
  readonly key: string;
  /** Left out for the single key; `\0` for "no end". */
  readonly range_end?: string;
}

/** The most intervals of one request that are shown. */
export const shownRangesMax = 32;

interface Range {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
}

const { KV, Watch } = services;

/** What a request is about: the keys it names, in its order; none for requests without keys, and for what is no request. */
export function keysOf(path: string, message: Uint8Array): ShownRange[] {
  const ranges: Range[] = [];
  try {
    collect(path, message, ranges);
  } catch (error) {
    // The handler refuses it in its own words.
    if (!(error instanceof DecodeError)) throw error;
  }
  return ranges.slice(0, shownRangesMax).map(shown);
}

function collect(path: string, message: Uint8Array, into: Range[]): void {
  if (path === KV.methods.Put.path) into.push({ key: etcdserverpb.PutRequest.decode(message).key });
  else if (path === KV.methods.Range.path || path === KV.methods.RangeStream.path) {
    into.push(etcdserverpb.RangeRequest.decode(message));
  } else if (path === KV.methods.DeleteRange.path) into.push(etcdserverpb.DeleteRangeRequest.decode(message));
  else if (path === KV.methods.Txn.path) collectTxn(etcdserverpb.TxnRequest.decode(message), into);
  else if (path === Watch.methods.Watch.path) {
    const { createRequest } = etcdserverpb.WatchRequest.decode(message);
    if (createRequest !== undefined) into.push(createRequest);
  }
}

function collectTxn(request: etcdserverpb.TxnRequest, into: Range[]): void {
  into.push(...request.compare);
  for (const op of [...request.success, ...request.failure]) {
    if (into.length >= shownRangesMax) return;
    if (op.requestRange !== undefined) into.push(op.requestRange);
    else if (op.requestPut !== undefined) into.push({ key: op.requestPut.key });
    else if (op.requestDeleteRange !== undefined) into.push(op.requestDeleteRange);
    else if (op.requestTxn !== undefined) collectTxn(op.requestTxn, into);
  }
}

function shown({ key, rangeEnd }: Range): ShownRange {
  if (rangeEnd === undefined || rangeEnd.length === 0) return { key: textOf(key) };
  return { key: textOf(key), range_end: textOf(rangeEnd) };
}

function textOf(bytes: Uint8Array): string {
  return decodeUtf8(bytes, 0, bytes.length) ?? `base64:${encodeBase64(bytes)}`;
}
