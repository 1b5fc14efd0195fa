import { bboltError } from './errors.ts';
import { readUint64LE, writeUint64LE } from './little-endian.ts';

/*
 * A bucket as the value of its element in the parent:
 *
 *     0           8          16
 *     | root page | sequence | an inline page, when the root page is 0
 */
export const bucketHeaderBytes = 16;

export interface BucketHeader {
  /** 0: the bucket is one inline page in the value itself. */
  readonly rootId: number;
  readonly sequence: number;
}

/** @throws CodedError bbolt/corrupt */
export function decodeBucketHeader(value: Uint8Array, highWaterMark: number): BucketHeader {
  if (value.length < bucketHeaderBytes) throw bboltError('bbolt/corrupt', 'the header of a bucket is too short');
  const rootId = readUint64LE(value, 0);
  const sequence = readUint64LE(value, 8);
  const isInside = rootId === 0 || (rootId >= 2 && rootId < highWaterMark);
  if (!isInside || Number.isNaN(sequence)) throw bboltError('bbolt/corrupt', `a bucket has root page ${rootId}`);
  return { rootId, sequence };
}

export function writeBucketHeader(header: BucketHeader, target: Uint8Array): void {
  writeUint64LE(header.rootId, target, 0);
  writeUint64LE(header.sequence, target, 8);
}
