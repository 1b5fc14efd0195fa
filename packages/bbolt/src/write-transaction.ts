import { bboltError } from './errors.ts';
import type { Meta } from './meta.ts';
import type { Page } from './page.ts';
import type { SpillOwner } from './spill.ts';
import { WriteBucket } from './write-bucket.ts';

/** What a write transaction needs of its database. */
export interface TransactionOwner {
  readonly pageSize: number;
  page(id: number): Page;
  /** For changing it: valid until the transaction is over. */
  pageToChange(id: number): Page;
  allocate(count: number, txid: number): number | undefined;
  noteAllocation(id: number, txid: number): void;
  commit(transaction: WriteTransaction): Promise<void>;
  rollback(transaction: WriteTransaction): void;
}

/**
 * The one transaction that changes things. Nothing reaches the file before {@link commit}; reads inside see the changes, and what they
 * return is valid until the transaction is over.
 */
export class WriteTransaction implements SpillOwner {
  readonly txid: number;
  readonly pageSize: number;
  /** Grows while the commit takes pages behind the end. */
  highWaterMark: number;
  /** Pages given up, as pairs of id and count. */
  readonly freed: number[] = [];
  private readonly owner: TransactionOwner;
  private readonly rootBucket: WriteBucket;
  private state: 'open' | 'committing' | 'over' = 'open';

  constructor(owner: TransactionOwner, meta: Meta) {
    this.owner = owner;
    this.txid = meta.txid + 1;
    this.pageSize = owner.pageSize;
    this.highWaterMark = meta.highWaterMark;
    this.rootBucket = WriteBucket.at(this, meta.rootId, meta.rootSequence);
  }

  /** The bucket of all buckets; it holds no values. */
  root(): WriteBucket {
    return this.rootBucket;
  }

  bucket(name: Uint8Array): WriteBucket | undefined {
    return this.rootBucket.bucket(name);
  }

  createBucket(name: Uint8Array): WriteBucket {
    return this.rootBucket.createBucket(name);
  }

  createBucketIfMissing(name: Uint8Array): WriteBucket {
    return this.rootBucket.createBucketIfMissing(name);
  }

  deleteBucket(name: Uint8Array): void {
    this.rootBucket.deleteBucket(name);
  }

  /**
   * Writes everything, in slices; durable when it resolves. Nothing may be asked of the transaction from here on.
   * @throws CodedError bbolt/failed: it is unknown whether it will be there after opening the file anew.
   */
  async commit(): Promise<void> {
    this.checkOpen();
    this.state = 'committing';
    try {
      await this.owner.commit(this);
    } finally {
      this.state = 'over';
    }
  }

  /** Forgets all changes. After the end it does nothing. */
  rollback(): void {
    if (this.state !== 'open') return;
    this.state = 'over';
    this.owner.rollback(this);
  }

  // For its buckets and the commit

  page(id: number): Page {
    return this.owner.page(id);
  }

  pageToChange(id: number): Page {
    return this.owner.pageToChange(id);
  }

  free(id: number, count: number): void {
    this.freed.push(id, count);
  }

  allocate(count: number): number {
    const free = this.owner.allocate(count, this.txid);
    if (free !== undefined) return free;
    const id = this.highWaterMark;
    this.highWaterMark += count;
    this.owner.noteAllocation(id, this.txid);
    return id;
  }

  checkOpen(): void {
    if (this.state !== 'open') throw bboltError('bbolt/transaction-over', 'the transaction is over');
  }
}
