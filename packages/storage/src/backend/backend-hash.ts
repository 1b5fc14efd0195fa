import { type Clock, crc32c, emptyBytes, latin1FromBytes } from '@quorate/base';
import { Slice } from '@quorate/bbolt';
import type { BackendReader } from './backend.ts';
import { BucketId, bucketNameBytes, MetaKey, type PlainBucketId } from './bucket-id.ts';
import { encodeRevisionKey } from './revision-key.ts';

const notHashed: ReadonlySet<string> = new Set([MetaKey.consistentIndex, MetaKey.term, MetaKey.storageVersion]);

/** etcd's Hash: CRC-32C over each bucket's name, keys and values in order, without separators. `reader` must stay as it is. */
export async function hashBackend(clock: Clock, reader: BackendReader): Promise<number> {
  const slice = new Slice(clock);
  let crc = 0;
  for (let bucket = 0; bucket < bucketNameBytes.length; bucket++) {
    crc = crc32c(crc, bucketNameBytes[bucket] as Uint8Array);
    crc =
      bucket === BucketId.key
        ? await hashRevisions(reader, slice, crc)
        : await hashPlain(reader, slice, bucket as PlainBucketId, crc);
  }
  return crc;
}

async function hashRevisions(reader: BackendReader, slice: Slice, start: number): Promise<number> {
  let crc = start;
  let fromMain = 0;
  let fromSub = 0;
  for (let more = true; more; ) {
    more = false;
    reader.scanRevisions(fromMain, fromSub, Number.MAX_SAFE_INTEGER, (main, sub, tombstone, value) => {
      crc = crc32c(crc32c(crc, encodeRevisionKey(main, sub, tombstone)), value);
      if (!slice.spent()) return true;
      [fromMain, fromSub, more] = [main, sub + 1, true];
      return false;
    });
    if (more) await slice.rest();
  }
  return crc;
}

async function hashPlain(reader: BackendReader, slice: Slice, bucket: PlainBucketId, start: number): Promise<number> {
  let crc = start;
  let from: Uint8Array | undefined = emptyBytes;
  while (from !== undefined) {
    const begin: Uint8Array = from;
    from = undefined;
    reader.range(bucket, begin, undefined, Number.POSITIVE_INFINITY, (key, value) => {
      if (slice.spent()) {
        from = key;
        return false;
      }
      if (bucket !== BucketId.meta || !notHashed.has(latin1FromBytes(key))) crc = crc32c(crc32c(crc, key), value);
      return true;
    });
    if (from !== undefined) await slice.rest();
  }
  return crc;
}
