import { bucketNames, type PlainBucketId } from './bucket-id.ts';
import { RevisionRun, revisionCode } from './revision-run.ts';
import { RevisionSet } from './revision-set.ts';

/** What an operation costs besides its bytes: a rough bound, for the account of pending bytes. */
const operationBytes = 64;

/** Writes that are not yet committed. A value of null: the key is deleted. */
export class Batch {
  readonly revisions = new RevisionRun();
  readonly deletedRevisions = new RevisionSet();
  readonly plain: readonly Map<string, Uint8Array | null>[] = bucketNames.map(() => new Map());
  operations = 0;
  bytes = 0;
  /** As of the moment the batch was closed. */
  consistentIndex = 0;
  consistentTerm = 0;

  put(bucket: PlainBucketId, key: string, value: Uint8Array): void {
    this.count(key.length + value.length);
    this.of(bucket).set(key, value);
  }

  delete(bucket: PlainBucketId, key: string): void {
    this.count(key.length);
    this.of(bucket).set(key, null);
  }

  /** Null: deleted here. Undefined: the batch says nothing about it. */
  get(bucket: PlainBucketId, key: string): Uint8Array | null | undefined {
    return this.of(bucket).get(key);
  }

  putRevision(main: number, sub: number, tombstone: boolean, value: Uint8Array): void {
    this.count(value.length);
    const code = revisionCode(sub, tombstone);
    if (this.deletedRevisions.size > 0) this.deletedRevisions.delete(main, code);
    this.revisions.put(main, code, value);
  }

  deleteRevision(main: number, sub: number, tombstone: boolean): void {
    this.count(0);
    const code = revisionCode(sub, tombstone);
    this.revisions.remove(main, code);
    this.deletedRevisions.add(main, code);
  }

  getRevision(main: number, code: number): Uint8Array | null | undefined {
    const value = this.revisions.get(main, code);
    if (value !== undefined) return value;
    return this.deletedRevisions.size > 0 && this.deletedRevisions.has(main, code) ? null : undefined;
  }

  of(bucket: PlainBucketId): Map<string, Uint8Array | null> {
    return this.plain[bucket] as Map<string, Uint8Array | null>;
  }

  private count(bytes: number): void {
    this.operations += 1;
    this.bytes += bytes + operationBytes;
  }
}
