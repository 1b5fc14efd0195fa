import { allocateUnsafe, type DiskFile } from '@quorate/base';
import { encodeMetaPages } from './compact.ts';
import { bboltError } from './errors.ts';
import type { ReadTransaction } from './read-transaction.ts';

const chunkBytesDefault = 256 * 1024;

/**
 * A complete database file as of a read transaction. It holds the transaction open until closed: pages that the image needs
 * stay as they are, others may change while they are read and are garbage in the image as in the file.
 */
export class DatabaseImage {
  readonly sizeBytes: number;
  readonly transaction: ReadTransaction;
  private readonly file: DiskFile;
  private isClosed = false;

  constructor(file: DiskFile, transaction: ReadTransaction) {
    this.file = file;
    this.transaction = transaction;
    this.sizeBytes = transaction.meta.highWaterMark * transaction.meta.pageSize;
  }

  /** The image from its beginning; each chunk is new and belongs to the receiver. @throws CodedError bbolt/transaction-over */
  async *chunks(chunkBytes: number = chunkBytesDefault): AsyncGenerator<Uint8Array, void, undefined> {
    yield encodeMetaPages(this.transaction.meta);
    let position = 2 * this.transaction.meta.pageSize;
    while (position < this.sizeBytes) {
      if (this.isClosed) throw bboltError('bbolt/transaction-over', 'the image is closed');
      const chunk = allocateUnsafe(Math.min(chunkBytes, this.sizeBytes - position));
      const count = await this.file.read(chunk, position);
      if (count === 0) throw bboltError('bbolt/corrupt', 'the file ends before its last page');
      yield count === chunk.length ? chunk : chunk.subarray(0, count);
      position += count;
    }
  }

  /** Closing twice is fine. */
  close(): void {
    this.isClosed = true;
    this.transaction.close();
  }
}
