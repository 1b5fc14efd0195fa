import { CodedError, latin1ToBytes, readUint64BE } from '@quorate/base';
import type { Bucket, Cursor, ReadTransaction } from '@quorate/bbolt';
import type { BackendErrorCode, BackendView, PairVisitor, RevisionVisitor } from './backend.ts';
import { BucketId, bucketNameBytes, MetaKey, type PlainBucketId } from './bucket-id.ts';
import { isRevisionKey, tombstoneKeyBytes, writeRevisionKey } from './revision-key.ts';
import { revisionCode } from './revision-run.ts';

const consistentIndexKey = latin1ToBytes(MetaKey.consistentIndex);
const termKey = latin1ToBytes(MetaKey.term);

/** Reads one commit's content. A bucket that is missing in the file is empty. */
export class CommittedReader implements BackendView {
  private readonly transaction: ReadTransaction;
  private readonly buckets: (Bucket | undefined)[] = [];
  private readonly keyBucket: Bucket | undefined;
  private readonly scratch = new Uint8Array(tombstoneKeyBytes);

  constructor(transaction: ReadTransaction) {
    this.transaction = transaction;
    this.keyBucket = transaction.bucket(bucketNameBytes[BucketId.key] as Uint8Array);
  }

  get consistentIndex(): number {
    return this.metaNumber(consistentIndexKey);
  }

  get consistentTerm(): number {
    return this.metaNumber(termKey);
  }

  get(bucket: PlainBucketId, key: Uint8Array): Uint8Array | undefined {
    return this.bucket(bucket)?.get(key);
  }

  range(
    bucket: PlainBucketId,
    start: Uint8Array,
    end: Uint8Array | undefined,
    limit: number,
    visit: PairVisitor,
  ): void {
    const cursor = this.bucket(bucket)?.cursor();
    if (cursor === undefined) return;
    let left = limit;
    for (let there = cursor.seek(start); there && left > 0; there = cursor.next(), left--) {
      const { key, value } = cursor;
      if (end !== undefined && isAtOrBehind(key, end)) return;
      if (value !== undefined && visit(key, value) === false) return;
    }
  }

  getRevision(main: number, sub: number, tombstone = false): Uint8Array | undefined {
    if (this.keyBucket === undefined) return undefined;
    const length = writeRevisionKey(this.scratch, 0, main, sub, tombstone);
    return this.keyBucket.getSpan(this.scratch, 0, length);
  }

  rangeRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.visit(this.walkRevisions(fromMain, fromSub), toMain, visit);
  }

  scanRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.visit(this.walkRevisions(fromMain, fromSub, true), toMain, visit);
  }

  private visit(walk: RevisionWalk, toMain: number, visit: RevisionVisitor): void {
    while (walk.isValid && walk.main < toMain) {
      if (visit(walk.main, walk.code >>> 1, (walk.code & 1) === 1, walk.value) === false) return;
      walk.next();
    }
  }

  /** @param isScan see {@link BackendReader.scanRevisions}: what it stands on is valid until it moves. */
  walkRevisions(fromMain: number, fromSub: number, isScan = false): RevisionWalk {
    const length = writeRevisionKey(this.scratch, 0, fromMain, fromSub, false);
    const name = bucketNameBytes[BucketId.key] as Uint8Array;
    const bucket = isScan ? this.transaction.scan(name) : this.keyBucket;
    return new RevisionWalk(bucket?.cursor(), this.scratch.subarray(0, length));
  }

  cursor(bucket: PlainBucketId): Cursor | undefined {
    return this.bucket(bucket)?.cursor();
  }

  close(): void {
    this.transaction.close();
  }

  private bucket(id: PlainBucketId): Bucket | undefined {
    this.buckets[id] ??= this.transaction.bucket(bucketNameBytes[id] as Uint8Array);
    return this.buckets[id];
  }

  private metaNumber(key: Uint8Array): number {
    const value = this.get(BucketId.meta, key);
    if (value === undefined) return 0;
    const number = value.length === 8 ? readUint64BE(value, 0) : Number.NaN;
    if (Number.isNaN(number)) throw corrupt('a number in bucket meta is not an unsigned 64-bit integer in bounds');
    return number;
  }
}

/** Stands on one record of bucket `key` after the other. */
export class RevisionWalk {
  private readonly cursor: Cursor | undefined;
  isValid = false;
  main = 0;
  /** See revisionCode. */
  code = 0;

  constructor(cursor: Cursor | undefined, from: Uint8Array) {
    this.cursor = cursor;
    if (cursor !== undefined) this.stand(cursor, cursor.seek(from));
  }

  get value(): Uint8Array {
    return this.cursor?.value as Uint8Array;
  }

  next(): void {
    const { cursor } = this;
    if (cursor !== undefined) this.stand(cursor, cursor.next());
  }

  private stand(cursor: Cursor, there: boolean): void {
    this.isValid = there;
    if (!there) return;
    const { keySource, keyStart, keyLength } = cursor;
    if (!isRevisionKey(keySource, keyStart, keyLength)) throw corrupt('a key of bucket key is not a revision');
    this.main = readUint64BE(keySource, keyStart);
    this.code = revisionCode(readUint64BE(keySource, keyStart + 9), keyLength === tombstoneKeyBytes);
  }
}

function corrupt(what: string): Error {
  return new CodedError<BackendErrorCode>('backend/corrupt', what);
}

function isAtOrBehind(key: Uint8Array, bound: Uint8Array): boolean {
  const length = Math.min(key.length, bound.length);
  for (let i = 0; i < length; i++) {
    const difference = (key[i] as number) - (bound[i] as number);
    if (difference !== 0) return difference > 0;
  }
  return key.length >= bound.length;
}
