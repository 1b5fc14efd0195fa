import { type KeyRecords, RecordInt } from './key-records.ts';
import { headOf } from './tree-node.ts';

/** Most ids sorted at once: their number fits beside a head in one exact float. */
export const sortIdsMax = 1 << 14;
const shortRun = 12;

/**
 * Sorts ids by their keys: by the four bytes behind what all keys share, as plain numbers, then each run of equal ones in the
 * same way. A comparison of keys costs two cold reads; this costs about one a key and level.
 */
export function sortIds(records: KeyRecords, ids: Int32Array): void {
  sortRun(records, ids, -1);
}

function sortRun(records: KeyRecords, ids: Int32Array, prefixBefore: number): void {
  if (ids.length <= shortRun) {
    insertionSort(records, ids);
    return;
  }
  const prefix = sharedPrefix(records, ids);
  // Keys that differ in zeros at their ends only have equal heads for ever.
  if (prefix <= prefixBefore) {
    ids.set(Array.from(ids).sort((a, b) => compareKeys(records, a, b)));
    return;
  }
  const { slab } = records;
  const packed = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    const ref = records.int(id, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    const end = start + records.int(id, RecordInt.keyLength);
    packed[i] = headOf(slab.chunkOf(ref), start, end, prefix) * sortIdsMax + i;
  }
  packed.sort();
  const before = ids.slice();
  let runStart = 0;
  let runHead = -1;
  for (let i = 0; i <= packed.length; i++) {
    const code = packed[i] ?? Number.POSITIVE_INFINITY;
    const head = Math.floor(code / sortIdsMax);
    if (i < packed.length) ids[i] = before[code - head * sortIdsMax] as number;
    if (head === runHead) continue;
    if (i - runStart > 1) sortRun(records, ids.subarray(runStart, i), prefix);
    runStart = i;
    runHead = head;
  }
}

/** Bytes that all keys begin with. */
function sharedPrefix(records: KeyRecords, ids: Int32Array): number {
  let shared = records.int(ids[0] as number, RecordInt.keyLength);
  for (let i = 1; i < ids.length && shared > 0; i++) {
    compareKeys(records, ids[i] as number, ids[0] as number);
    shared = Math.min(shared, records.slab.equalLength);
  }
  return shared;
}

function insertionSort(records: KeyRecords, ids: Int32Array): void {
  for (let i = 1; i < ids.length; i++) {
    const id = ids[i] as number;
    let at = i;
    for (; at > 0 && compareKeys(records, ids[at - 1] as number, id) > 0; at--) ids[at] = ids[at - 1] as number;
    ids[at] = id;
  }
}

function compareKeys(records: KeyRecords, a: number, b: number): number {
  const { slab } = records;
  const ref = records.int(b, RecordInt.keyRef);
  const start = slab.positionOf(ref);
  return records.compare(a, slab.chunkOf(ref), start, start + records.int(b, RecordInt.keyLength), 0);
}
