import { assert, type Clock, CodedError, type Disk, latin1FromBytes } from '@quorate/base';
import type {
  Backend,
  BackendErrorCode,
  BackendSnapshot,
  BackendView,
  PairVisitor,
  RevisionVisitor,
} from './backend.ts';
import { hashBackend } from './backend-hash.ts';
import { type BucketId, BucketId as Id, type PlainBucketId } from './bucket-id.ts';
import { MemoryContent } from './memory-content.ts';
import { imageOf, loadInto } from './memory-image.ts';
import { revisionCode } from './revision-run.ts';

export interface MemoryBackendDeps {
  readonly clock: Clock;
}

/** A backend without a file: nothing is durable, everything else is as in the one over bbolt. Also the dumb twin of its tests. */
export function createMemoryBackend(deps: MemoryBackendDeps): Backend {
  return new MemoryBackend(deps);
}

/** The same with the content of a store's file. @throws CodedError of the database and the disk's */
export async function loadMemoryBackend(deps: MemoryBackendDeps, disk: Disk, path: string): Promise<Backend> {
  const backend = new MemoryBackend(deps);
  await backend.load(disk, path);
  return backend;
}

class MemoryBackend implements Backend {
  private readonly clock: Clock;
  private content = new MemoryContent();
  private closed = false;
  consistentIndex = 0;
  consistentTerm = 0;

  constructor(deps: MemoryBackendDeps) {
    this.clock = deps.clock;
  }

  async load(disk: Disk, path: string): Promise<void> {
    const { consistentIndex, consistentTerm } = await loadInto(this.content, this.clock, disk, path);
    this.consistentIndex = consistentIndex;
    this.consistentTerm = consistentTerm;
  }

  put(bucket: PlainBucketId, key: Uint8Array, value: Uint8Array): void {
    assert((bucket as BucketId) !== Id.key, 'bucket key is written by revision');
    assert(key.length > 0, 'empty key');
    this.open().put(bucket, key, value);
  }

  delete(bucket: PlainBucketId, key: Uint8Array): void {
    this.open().bucket(bucket).delete(latin1FromBytes(key));
  }

  get(bucket: PlainBucketId, key: Uint8Array): Uint8Array | undefined {
    return this.open().get(bucket, key);
  }

  range(
    bucket: PlainBucketId,
    start: Uint8Array,
    end: Uint8Array | undefined,
    limit: number,
    visit: PairVisitor,
  ): void {
    this.open().range(bucket, start, end, limit, visit);
  }

  putRevision(main: number, sub: number, tombstone: boolean, value: Uint8Array): void {
    this.open().revisions.put(main, revisionCode(sub, tombstone), value);
  }

  getRevision(main: number, sub: number, tombstone = false): Uint8Array | undefined {
    return this.open().getRevision(main, sub, tombstone);
  }

  deleteRevision(main: number, sub: number, tombstone: boolean): void {
    const { revisions } = this.open();
    revisions.remove(main, revisionCode(sub, tombstone));
    if (revisions.holes > 1024 && revisions.holes > revisions.live) revisions.squeeze();
  }

  scanRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.rangeRevisions(fromMain, fromSub, toMain, visit);
  }

  rangeRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.open().rangeRevisions(fromMain, fromSub, toMain, visit);
  }

  setConsistentIndex(index: number, term: number): void {
    this.consistentIndex = index;
    this.consistentTerm = term;
  }

  async commit(): Promise<void> {
    this.open();
  }

  pendingBytes(): number {
    return 0;
  }

  whenBelow(): undefined {
    return undefined;
  }

  size(): number {
    return this.open().revisions.valueBytes + this.content.revisions.live * 32;
  }

  sizeInUse(): number {
    return this.size();
  }

  hash(): Promise<number> {
    return hashBackend(this.clock, this.open().clone());
  }

  async openView(): Promise<BackendView> {
    const { consistentIndex, consistentTerm } = this;
    return Object.assign(this.open().clone(), { consistentIndex, consistentTerm, close() {} });
  }

  async snapshot(): Promise<BackendSnapshot> {
    return await imageOf(this.clock, this.open().clone(), this.consistentIndex, this.consistentTerm);
  }

  async defragment(): Promise<void> {
    this.open().revisions.squeeze();
  }

  async retire(): Promise<void> {}

  abandon(): void {}

  async close(): Promise<void> {
    this.closed = true;
    this.content = new MemoryContent();
  }

  private open(): MemoryContent {
    if (this.closed) throw new CodedError<BackendErrorCode>('backend/closed', 'the backend is closed');
    return this.content;
  }
}
