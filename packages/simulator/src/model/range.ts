import { etcdserverpb, type mvccpb } from '@quorate/api';
import { compareBytes, emptyBytes } from '@quorate/base';
import { type Keys, scanInterval } from './state.ts';

const { SortOrder, SortTarget } = etcdserverpb;

/** The answer of a range on one state of the keys; the header is the caller's to add. */
export function readRange(keys: Keys, request: etcdserverpb.RangeRequest): etcdserverpb.RangeResponse {
  const all: mvccpb.KeyValue[] = [];
  scanInterval(keys, request.key, request.rangeEnd, (keyValue) => {
    all.push(keyValue);
    return true;
  });
  const count = all.length;
  if (request.countOnly) return etcdserverpb.RangeResponse.create({ count, kvs: [] });
  const { limit } = request;
  let kvs = all;
  // In this case only one more than the limit is looked at, even if it is then sorted by something else.
  if (limit > 0 && isKeyOrder(request) && !hasFilter(request)) kvs = kvs.slice(0, limit + 1);
  kvs = kvs.filter((keyValue) => passesFilter(keyValue, request));
  sort(kvs, request);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  if (request.keysOnly) kvs = kvs.map((keyValue) => withoutValue(keyValue, request));
  return etcdserverpb.RangeResponse.create({ count, more, kvs });
}

function isKeyOrder({ sortOrder, sortTarget }: etcdserverpb.RangeRequest): boolean {
  return sortOrder === SortOrder.NONE || (sortOrder === SortOrder.ASCEND && sortTarget === SortTarget.KEY);
}

function hasFilter(request: etcdserverpb.RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function passesFilter(keyValue: mvccpb.KeyValue, request: etcdserverpb.RangeRequest): boolean {
  return (
    isWithin(keyValue.modRevision, request.minModRevision, request.maxModRevision) &&
    isWithin(keyValue.createRevision, request.minCreateRevision, request.maxCreateRevision)
  );
}

/** Bounds of 0 are none. */
function isWithin(revision: number, min: number, max: number): boolean {
  return (min === 0 || revision >= min) && (max === 0 || revision <= max);
}

/** Equal ones stay in the order of their keys, descending ones too. */
function sort(kvs: mvccpb.KeyValue[], { sortOrder, sortTarget }: etcdserverpb.RangeRequest): void {
  if (sortOrder === SortOrder.NONE && sortTarget === SortTarget.KEY) return;
  const direction = sortOrder === SortOrder.DESCEND ? -1 : 1;
  kvs.sort((a, b) => direction * compareBy(sortTarget, a, b));
}

function compareBy(target: etcdserverpb.SortTarget, a: mvccpb.KeyValue, b: mvccpb.KeyValue): number {
  switch (target) {
    case SortTarget.VERSION:
      return a.version - b.version;
    case SortTarget.CREATE:
      return a.createRevision - b.createRevision;
    case SortTarget.MOD:
      return a.modRevision - b.modRevision;
    case SortTarget.VALUE:
      return compareBytes(a.value, b.value);
    default:
      return compareBytes(a.key, b.key);
  }
}

/** The lease goes too, unless values were read for sorting. */
function withoutValue(keyValue: mvccpb.KeyValue, { sortTarget }: etcdserverpb.RangeRequest): mvccpb.KeyValue {
  return { ...keyValue, value: emptyBytes, lease: sortTarget === SortTarget.VALUE ? keyValue.lease : 0n };
}
