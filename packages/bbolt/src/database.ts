import { allocateUnsafe, assert, type Clock, copyBytes, type Disk, type Logger, silentLogger } from '@quorate/base';
import { type CheckReport, checkPages } from './check.ts';
import { compactInto } from './compact.ts';
import { initializeFile, isUnborn, lockFile, readMeta } from './database-file.ts';
import { bboltError } from './errors.ts';
import { FreePages } from './free-pages.ts';
import { encodeFreelist, freelistBytes, readFreelist } from './freelist.ts';
import { DatabaseImage } from './image.ts';
import { readUint16LE } from './little-endian.ts';
import { encodeMeta, type Meta } from './meta.ts';
import { corruptPage, Page, PageFlag } from './page.ts';
import { PageBuffers } from './page-buffers.ts';
import { Pager } from './pager.ts';
import { reachablePages } from './reachable.ts';
import { ReadTransaction } from './read-transaction.ts';
import { Slice } from './slice.ts';
import { Spill } from './spill.ts';
import { writePages } from './write-pages.ts';
import { type TransactionOwner, WriteTransaction } from './write-transaction.ts';

export interface DatabaseDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger?: Logger;
}

export interface DatabaseOptions {
  /** Opens without writing, under a shared lock. */
  readonly readOnly?: boolean;
  /** Of a file that is made; an existing one has its own. A power of two from 1024 to 65536; 4096 when missing. */
  readonly pageSize?: number;
  /** Bound of the page cache, in bytes; 128 MiB when missing. */
  readonly cacheBytesMax?: number;
  /** Writes the list of free pages with each commit: opening need not look at every page. Off as in etcd's server. */
  readonly storeFreelist?: boolean;
  /** How long to wait for the lock; for ever when missing. */
  readonly lockTimeoutMs?: number;
  /** Permission bits of a file that is made; 0o600. */
  readonly mode?: number;
}

export interface DatabaseStats {
  readonly pageSize: number;
  /** Pages below the high-water mark. */
  readonly pages: number;
  readonly freePages: number;
  /** Given up, but an open read transaction may reach them. */
  readonly pendingPages: number;
  readonly sizeBytes: number;
  readonly inUseBytes: number;
  readonly cacheBytes: number;
  readonly cacheMisses: number;
  readonly openReads: number;
  readonly txid: number;
}

const defaultPageSize = 4096;
const defaultCacheBytes = 128 * 1024 * 1024;

/**
 * A database in one file of bbolt's format. Any number of read transactions, each on the commit it was begun after, and one
 * write transaction at a time. Reads are synchronous, through a bounded page cache; commits are asynchronous.
 */
export class Database {
  readonly path: string;
  readonly isReadOnly: boolean;
  private readonly disk: Disk;
  private readonly clock: Clock;
  private readonly pager: Pager;
  private readonly pageBuffers = new PageBuffers();
  /** Leaves that a write transaction changes: their old form is free once it is committed, so the cache has no use for it. */
  private readonly leavesToChange = new PageBuffers();
  private readonly roomToChange = (size: number): Uint8Array => this.leavesToChange.take(size);
  private readonly free: FreePages;
  private readonly storeFreelist: boolean;
  private readonly owner: TransactionOwner;
  private meta: Meta;
  /** Slots of the stored list of free pages that {@link meta} names. */
  private freelistSlots: number;
  private writer: WriteTransaction | undefined;
  private committing: Promise<void> | undefined;
  private failure: unknown;
  private onLastRead: (() => void) | undefined;

  private constructor(
    deps: DatabaseDeps,
    pager: Pager,
    options: DatabaseOptions,
    meta: Meta,
    free: FreePages,
    freelistSlots: number,
  ) {
    this.path = pager.file.path;
    this.isReadOnly = options.readOnly === true;
    this.disk = deps.disk;
    this.clock = deps.clock;
    this.pager = pager;
    this.storeFreelist = options.storeFreelist === true;
    this.meta = meta;
    this.free = free;
    this.freelistSlots = freelistSlots;
    this.owner = {
      pageSize: pager.pageSize,
      page: (id) => pager.page(id),
      pageToChange: (id) => pager.pageInto(id, this.roomToChange),
      allocate: (count, txid) => free.allocate(count, txid) || undefined,
      noteAllocation: (id, txid) => free.note(id, txid),
      commit: (transaction) => this.commit(transaction),
      rollback: () => {
        this.writer = undefined;
        this.leavesToChange.release();
      },
    };
  }

  /**
   * Opens the file; makes it when it is missing and may be written.
   * @throws CodedError bbolt/timeout, bbolt/invalid, bbolt/version, bbolt/checksum, bbolt/corrupt and the disk's
   */
  static async open(deps: DatabaseDeps, path: string, options: DatabaseOptions = {}): Promise<Database> {
    const { disk, clock, logger = silentLogger } = deps;
    const readOnly = options.readOnly === true;
    const file = await disk.open(path, readOnly ? {} : { write: true, create: true, mode: options.mode ?? 0o600 });
    try {
      const timeoutMs = options.lockTimeoutMs ?? Number.POSITIVE_INFINITY;
      await lockFile(clock, file, readOnly ? 'shared' : 'exclusive', timeoutMs);
      const newPageSize = options.pageSize ?? defaultPageSize;
      const isNew = !readOnly && (await isUnborn(file, newPageSize));
      const meta = isNew ? await initializeFile(file, newPageSize) : await readMeta(file);
      if (isNew) await disk.syncDirectory(directoryOf(path));
      // A process that was killed may have left its last root in the memory of the system alone. Before that is durable, no page that it has
      // given free may be written over: a loss of power would bring back the root before it.
      else if (!readOnly) await file.datasync();
      if (meta.highWaterMark * meta.pageSize > file.size()) {
        throw bboltError(
          'bbolt/invalid',
          `invalid database: ${meta.highWaterMark} pages do not fit the file's ${file.size()} bytes`,
        );
      }
      const pager = new Pager(file, meta.pageSize, meta.highWaterMark, options.cacheBytesMax ?? defaultCacheBytes);
      const free = new FreePages();
      const isListed = meta.freelistId !== undefined;
      const slots = readOnly && !isListed ? 0 : await findFreePages(pager, meta, free, new Slice(clock));
      logger.debug('opened database', { path, 'page-size': meta.pageSize, pages: meta.highWaterMark, txid: meta.txid });
      return new Database(deps, pager, options, meta, free, slots);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get pageSize(): number {
    return this.meta.pageSize;
  }

  /** Size of the database (the file may be longer). */
  get sizeBytes(): number {
    return this.meta.highWaterMark * this.meta.pageSize;
  }

  /** The content as of the last commit. @throws CodedError bbolt/closed */
  beginRead(): ReadTransaction {
    if (this.pager.isClosed) throw bboltError('bbolt/closed', 'the database is closed');
    this.free.openReader(this.meta.txid);
    return new ReadTransaction(this.pager, this.meta, (transaction) => this.readClosed(transaction));
  }

  /** @throws CodedError bbolt/transaction-open while there is another one, bbolt/read-only, bbolt/failed, bbolt/closed */
  beginWrite(): WriteTransaction {
    if (this.pager.isClosed) throw bboltError('bbolt/closed', 'the database is closed');
    if (this.isReadOnly) throw bboltError('bbolt/read-only', 'the database is open for reading only');
    if (this.failure !== undefined) throw this.failedError();
    if (this.writer !== undefined) throw bboltError('bbolt/transaction-open', 'there is a write transaction already');
    this.free.settle();
    this.writer = new WriteTransaction(this.owner, this.meta);
    return this.writer;
  }

  stats(): DatabaseStats {
    const { pageSize, highWaterMark, txid } = this.meta;
    return {
      pageSize,
      pages: highWaterMark,
      freePages: this.free.freeCount,
      pendingPages: this.free.pendingCount,
      sizeBytes: highWaterMark * pageSize,
      inUseBytes: (highWaterMark - this.free.freeCount) * pageSize,
      cacheBytes: this.pager.cache.bytes,
      cacheMisses: this.pager.cache.misses,
      openReads: this.free.readerCount,
      txid,
    };
  }

  /** The whole file as of the last commit; writing goes on. Close it. @throws CodedError bbolt/closed */
  image(): DatabaseImage {
    return new DatabaseImage(this.pager.file, this.beginRead());
  }

  /**
   * Writes the content of the last commit without free pages to a new file at `path`, durable with its directory entry when it resolves. Writing goes
   * on meanwhile and does not show there.
   * @throws CodedError disk/exists, bbolt/closed, bbolt/corrupt and the disk's; the unfinished file is removed
   */
  async compactTo(path: string): Promise<void> {
    const transaction = this.beginRead();
    try {
      const file = await this.disk.open(path, { write: true, create: true, exclusive: true });
      try {
        await compactInto(file, transaction.root(), this.pageSize, transaction.txid, new Slice(this.clock));
      } catch (error) {
        await file.close();
        await this.disk.remove(path).catch(() => undefined);
        throw error;
      }
      await file.close();
      await this.disk.syncDirectory(directoryOf(path));
    } finally {
      transaction.close();
    }
  }

  /** Looks at every page of the last commit; writing may go on meanwhile. @throws CodedError bbolt/closed and the disk's */
  async check(): Promise<CheckReport> {
    // Pages taken by a commit under way are neither free nor reachable.
    while (this.committing !== undefined) await this.committing.catch(() => undefined);
    const transaction = this.beginRead();
    try {
      const { file, pageSize } = this.pager;
      const { meta } = transaction;
      const isListed = meta.freelistId !== undefined;
      const freelist = meta.freelistId === undefined ? undefined : { id: meta.freelistId, slots: this.freelistSlots };
      const freeIds = this.isReadOnly && !isListed ? undefined : this.free.ids();
      return await checkPages(
        { file, pageSize, rootId: meta.rootId, highWaterMark: meta.highWaterMark, freeIds, freelist },
        new Slice(this.clock),
      );
    } finally {
      transaction.close();
    }
  }

  /** {@link close} as soon as all read transactions are closed. New ones may not be begun. */
  async closeAfterReads(): Promise<void> {
    if (this.free.readerCount > 0) {
      await new Promise<void>((resolve) => {
        this.onLastRead = resolve;
      });
    }
    await this.close();
  }

  /** Waits for a commit under way, then closes the file. Views of pages stay valid. @throws CodedError bbolt/transaction-open */
  async close(): Promise<void> {
    if (this.committing !== undefined) await this.committing.catch(() => undefined);
    if (this.pager.isClosed) return;
    if (this.writer !== undefined) throw bboltError('bbolt/transaction-open', 'a write transaction is open');
    this.pager.isClosed = true;
    this.pager.cache.clear();
    await this.pager.file.close();
  }

  private async commit(transaction: WriteTransaction): Promise<void> {
    assert(transaction === this.writer, 'a transaction commits that is not the writer');
    this.committing = this.writeCommit(transaction);
    try {
      await this.committing;
    } catch (error) {
      this.failure = error;
      throw this.failedError();
    } finally {
      this.committing = undefined;
      this.writer = undefined;
    }
  }

  /** New pages, then a sync, then the meta page that makes them count, then a sync. */
  private async writeCommit(transaction: WriteTransaction): Promise<void> {
    const { file, pageSize } = this.pager;
    const spill = new Spill(transaction, new Slice(this.clock), this.pageBuffers);
    const root = transaction.root();
    await spill.root(root);
    const freelist = this.replaceFreelist(transaction, spill);
    const meta: Meta = {
      pageSize,
      rootId: root.rootId,
      rootSequence: root.sequence,
      freelistId: freelist?.id,
      highWaterMark: transaction.highWaterMark,
      txid: transaction.txid,
    };
    await writePages(file, pageSize, spill.ids, spill.buffers);
    const which = (transaction.txid % 2) as 0 | 1;
    const bytes = allocateUnsafe(pageSize);
    encodeMeta(meta, which, bytes, 0);
    // Not in one call: that may write on the event loop, and a page still on its way to the disk would hold it.
    await file.write([bytes], which * pageSize);
    await file.datasync();
    this.publish(transaction, meta, freelist?.slots ?? 0, spill);
  }

  private publish(transaction: WriteTransaction, meta: Meta, freelistSlots: number, spill: Spill): void {
    const { cache } = this.pager;
    this.meta = meta;
    this.freelistSlots = freelistSlots;
    this.pager.highWaterMark = meta.highWaterMark;
    for (let i = 0; i < spill.ids.length; i++) {
      const id = spill.ids[i] as number;
      const bytes = spill.buffers[i] as Uint8Array;
      cache.remove(id);
      // Every search goes through the branches. Leaves come in when somebody reads them: a bulk load would only push out others.
      if (readUint16LE(bytes, 8) === PageFlag.branch) cache.put(newPage(id, copyBytes(bytes)));
    }
    this.pageBuffers.release();
    this.leavesToChange.release();
    this.free.release(transaction.txid, transaction.freed);
  }

  /** Gives up the stored list of free pages, and writes a new one if wanted: with all that will be free after the commit. */
  private replaceFreelist(transaction: WriteTransaction, spill: Spill): { id: number; slots: number } | undefined {
    if (this.meta.freelistId !== undefined) transaction.free(this.meta.freelistId, this.freelistSlots);
    if (!this.storeFreelist) return undefined;
    let given = 0;
    for (let i = 1; i < transaction.freed.length; i += 2) given += transaction.freed[i] as number;
    const most = this.free.freeCount + this.free.pendingCount + given;
    const slots = Math.ceil(freelistBytes(most) / this.pageSize);
    const id = transaction.allocate(slots);
    const ids = this.free.ids();
    for (let i = 0; i < transaction.freed.length; i += 2) {
      const [first, count] = [transaction.freed[i] as number, transaction.freed[i + 1] as number];
      for (let k = 0; k < count; k++) ids.push(first + k);
    }
    const bytes = allocateUnsafe(slots * this.pageSize);
    encodeFreelist(
      ids.sort((a, b) => a - b),
      id,
      slots,
      bytes,
    );
    spill.ids.push(id);
    spill.buffers.push(bytes);
    return { id, slots };
  }

  private readClosed(transaction: ReadTransaction): void {
    this.free.closeReader(transaction.txid);
    if (this.free.readerCount === 0) this.onLastRead?.();
  }

  private failedError(): Error {
    return bboltError(
      'bbolt/failed',
      `an earlier commit to ${this.path} failed: ${String(this.failure)}`,
      this.failure,
    );
  }
}

function newPage(id: number, bytes: Uint8Array): Page {
  const page = new Page(id, bytes);
  page.prepareSearch();
  return page;
}

/** @returns the slots of the stored list, 0 when there is none. */
async function findFreePages(pager: Pager, meta: Meta, free: FreePages, slice: Slice): Promise<number> {
  const { file, pageSize } = pager;
  if (meta.freelistId !== undefined) {
    const { ids, slots } = await readFreelist(file, pageSize, meta.freelistId, meta.highWaterMark);
    for (const id of ids) {
      if (free.has(id)) throw corruptPage(meta.freelistId, `lists page ${id} as free twice`);
      free.add(id, 1);
    }
    return slots;
  }
  const used = await reachablePages({ file, pageSize, rootId: meta.rootId, highWaterMark: meta.highWaterMark }, slice);
  for (let id = 2; id < meta.highWaterMark; id++) if (!used.has(id)) free.add(id, 1);
  return 0;
}

function directoryOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end < 0 ? '.' : end === 0 ? '/' : path.slice(0, end);
}
