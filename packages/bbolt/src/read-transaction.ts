import { Bucket, type BucketPages, type ReadableBucket } from './bucket.ts';
import { bboltError } from './errors.ts';
import type { Meta } from './meta.ts';
import type { Page } from './page.ts';
import type { Pager } from './pager.ts';
import { ScanPages } from './scan-pages.ts';

/** The content as of one commit. Close it: the pages it can reach are not reused before. */
export class ReadTransaction implements BucketPages {
  readonly pageSize: number;
  readonly meta: Meta;
  private readonly pager: Pager;
  private readonly onClose: (transaction: ReadTransaction) => void;
  private isOpen = true;
  private rootBucket: Bucket | undefined;

  constructor(pager: Pager, meta: Meta, onClose: (transaction: ReadTransaction) => void) {
    this.pager = pager;
    this.meta = meta;
    this.pageSize = pager.pageSize;
    this.onClose = onClose;
  }

  get txid(): number {
    return this.meta.txid;
  }

  get highWaterMark(): number {
    return this.meta.highWaterMark;
  }

  /** @throws CodedError bbolt/transaction-over, bbolt/corrupt */
  page(id: number): Page {
    this.checkOpen();
    return this.pager.page(id);
  }

  private readonly checkOpen = (): void => {
    if (!this.isOpen) throw bboltError('bbolt/transaction-over', 'the transaction is closed');
  };

  /** The bucket of all buckets. */
  root(): Bucket {
    this.rootBucket ??= new Bucket(this, { rootId: this.meta.rootId, sequence: this.meta.rootSequence }, undefined);
    return this.rootBucket;
  }

  bucket(name: Uint8Array): Bucket | undefined {
    return this.root().bucket(name);
  }

  /**
   * The bucket for a walk over much of it, which leaves the cache alone and makes no garbage. Of its cursors only one may be used at a
   * time, and what it stands on is valid only until it moves.
   */
  scan(name: Uint8Array): Pick<ReadableBucket, 'cursor'> | undefined {
    const bucket = this.bucket(name);
    if (bucket === undefined || bucket.rootId === 0) return bucket;
    const pages = new ScanPages(this.pager, this.highWaterMark, this.checkOpen);
    return new Bucket(pages, { rootId: bucket.rootId, sequence: bucket.sequence }, undefined);
  }

  /** Closing twice is fine. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.onClose(this);
  }
}
