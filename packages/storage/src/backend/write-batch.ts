import { allocateUnsafe, latin1ToBytes, writeUint64BE } from '@quorate/base';
import type { Slice, WriteBucket, WriteTransaction } from '@quorate/bbolt';
import type { Batch } from './batch.ts';
import { BucketId, bucketNameBytes, MetaKey, type PlainBucketId } from './bucket-id.ts';
import { compareLatin1 } from './plain-bucket.ts';
import { tombstoneKeyBytes, writeRevisionKey } from './revision-key.ts';

/** Keys of bucket `key` only grow: full pages waste nothing there. */
const keyFillPercent = 0.9;

/** Puts all of a closed batch into the transaction, in slices. Buckets that are missing are made. */
export async function writeBatch(transaction: WriteTransaction, batch: Batch, slice: Slice): Promise<void> {
  const buckets = bucketNameBytes.map((name) => transaction.createBucketIfMissing(name));
  const keyBucket = buckets[BucketId.key] as WriteBucket;
  keyBucket.fillPercent = keyFillPercent;
  await writeRevisions(keyBucket, batch, slice);
  for (let id = 0; id < buckets.length; id++) {
    if (id !== BucketId.key) await writePlain(buckets[id] as WriteBucket, batch.of(id as PlainBucketId), slice);
  }
  writeConsistentIndex(buckets[BucketId.meta] as WriteBucket, batch);
}

async function writeRevisions(bucket: WriteBucket, batch: Batch, slice: Slice): Promise<void> {
  const scratch = new Uint8Array(tombstoneKeyBytes);
  const deleted = batch.deletedRevisions.sorted();
  for (let i = 0; i < deleted.length; i += 2) {
    const code = deleted[i + 1] as number;
    bucket.deleteSpan(scratch, 0, writeRevisionKey(scratch, 0, deleted[i] as number, code >>> 1, (code & 1) === 1));
    if (slice.spent()) await slice.rest();
  }
  const { mains, codes, values, live } = batch.revisions;
  // One buffer for all keys: an object for each would cost more than the bytes.
  const keys = allocateUnsafe(live * tombstoneKeyBytes);
  let position = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined) continue;
    const code = codes[i] as number;
    const length = writeRevisionKey(keys, position, mains[i] as number, code >>> 1, (code & 1) === 1);
    bucket.putSpan(keys, position, length, value);
    position += length;
    if (slice.spent()) await slice.rest();
  }
}

async function writePlain(
  bucket: WriteBucket,
  changes: ReadonlyMap<string, Uint8Array | null>,
  slice: Slice,
): Promise<void> {
  if (changes.size === 0) return;
  for (const key of [...changes.keys()].sort(compareLatin1)) {
    const value = changes.get(key);
    if (value === null || value === undefined) bucket.delete(latin1ToBytes(key));
    else bucket.put(latin1ToBytes(key), value);
    if (slice.spent()) await slice.rest();
  }
}

function writeConsistentIndex(meta: WriteBucket, batch: Batch): void {
  if (batch.consistentIndex === 0) return;
  meta.put(latin1ToBytes(MetaKey.consistentIndex), uint64(batch.consistentIndex));
  if (batch.consistentTerm > 0) meta.put(latin1ToBytes(MetaKey.term), uint64(batch.consistentTerm));
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64BE(value, bytes, 0);
  return bytes;
}
