import { latin1FromBytes } from '@quorate/base';
import type { BackendReader, PairVisitor, RevisionVisitor } from './backend.ts';
import { bucketNames, type PlainBucketId } from './bucket-id.ts';
import { PlainBucket } from './plain-bucket.ts';
import { RevisionRun, revisionCode } from './revision-run.ts';

/** All pairs of a store in memory. */
export class MemoryContent implements BackendReader {
  readonly revisions: RevisionRun;
  readonly buckets: readonly PlainBucket[];

  constructor(
    revisions = new RevisionRun(),
    buckets: readonly PlainBucket[] = bucketNames.map(() => new PlainBucket()),
  ) {
    this.revisions = revisions;
    this.buckets = buckets;
  }

  bucket(id: PlainBucketId): PlainBucket {
    return this.buckets[id] as PlainBucket;
  }

  put(bucket: PlainBucketId, key: Uint8Array, value: Uint8Array): void {
    this.bucket(bucket).put(latin1FromBytes(key), value);
  }

  get(bucket: PlainBucketId, key: Uint8Array): Uint8Array | undefined {
    return this.bucket(bucket).get(latin1FromBytes(key));
  }

  range(
    bucket: PlainBucketId,
    start: Uint8Array,
    end: Uint8Array | undefined,
    limit: number,
    visit: PairVisitor,
  ): void {
    this.bucket(bucket).walk(
      latin1FromBytes(start),
      end === undefined ? undefined : latin1FromBytes(end),
      limit,
      visit,
    );
  }

  getRevision(main: number, sub: number, tombstone = false): Uint8Array | undefined {
    return this.revisions.get(main, revisionCode(sub, tombstone));
  }

  scanRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.rangeRevisions(fromMain, fromSub, toMain, visit);
  }

  rangeRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    const { mains, codes, values } = this.revisions;
    for (let i = this.revisions.lowerBound(fromMain, revisionCode(fromSub, false)); i < values.length; i++) {
      const main = mains[i] as number;
      if (main >= toMain) return;
      const value = values[i];
      const code = codes[i] as number;
      if (value !== undefined && visit(main, code >>> 1, (code & 1) === 1, value) === false) return;
    }
  }

  clone(): MemoryContent {
    return new MemoryContent(
      this.revisions.clone(),
      this.buckets.map((bucket) => bucket.clone()),
    );
  }
}
