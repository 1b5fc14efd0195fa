import { type Clock, type Disk, emptyBytes, MemoryDisk } from '@quorate/base';
import { Database, Slice } from '@quorate/bbolt';
import type { BackendSnapshot } from './backend.ts';
import { Batch } from './batch.ts';
import { BucketId, bucketNames, type PlainBucketId } from './bucket-id.ts';
import { CommittedReader } from './committed-reader.ts';
import type { MemoryContent } from './memory-content.ts';
import { writeBatch } from './write-batch.ts';

const path = '/db';

/** The content, which must stay as it is, as a database file. All of it is in memory until the snapshot is closed. */
export async function imageOf(
  clock: Clock,
  content: MemoryContent,
  consistentIndex: number,
  consistentTerm: number,
): Promise<BackendSnapshot> {
  const database = await Database.open({ disk: new MemoryDisk(), clock }, path);
  const transaction = database.beginWrite();
  await writeBatch(transaction, batchOf(content, consistentIndex, consistentTerm), new Slice(clock));
  await transaction.commit();
  const image = database.image();
  return {
    sizeBytes: image.sizeBytes,
    consistentIndex,
    consistentTerm,
    chunks: () => image.chunks(),
    close: () => image.close(),
  };
}

function batchOf(content: MemoryContent, consistentIndex: number, consistentTerm: number): Batch {
  const batch = new Batch();
  batch.consistentIndex = consistentIndex;
  batch.consistentTerm = consistentTerm;
  content.rangeRevisions(0, 0, Number.POSITIVE_INFINITY, (main, sub, tombstone, value) => {
    batch.putRevision(main, sub, tombstone, value);
    return true;
  });
  for (const [id, bucket] of content.buckets.entries()) {
    if (id === BucketId.key) continue;
    for (const [key, value] of bucket.entries()) batch.put(id as PlainBucketId, key, value);
  }
  return batch;
}

/** Reads a store's file into `content`. @throws CodedError of the database */
export async function loadInto(
  content: MemoryContent,
  clock: Clock,
  disk: Disk,
  file: string,
): Promise<{ consistentIndex: number; consistentTerm: number }> {
  const database = await Database.open({ disk, clock }, file, { readOnly: true });
  try {
    const reader = new CommittedReader(database.beginRead());
    const slice = new Slice(clock);
    for (const walk = reader.walkRevisions(0, 0); walk.isValid; walk.next()) {
      content.revisions.put(walk.main, walk.code, new Uint8Array(walk.value));
      if (slice.spent()) await slice.rest();
    }
    for (let id = 0; id < bucketNames.length; id++) {
      if (id === BucketId.key) continue;
      const bucket = id as PlainBucketId;
      reader.range(bucket, emptyBytes, undefined, Number.POSITIVE_INFINITY, (key, value) => {
        content.put(bucket, key, new Uint8Array(value));
        return true;
      });
    }
    const { consistentIndex, consistentTerm } = reader;
    reader.close();
    return { consistentIndex, consistentTerm };
  } finally {
    await database.close();
  }
}
