import { allocateUnsafe } from './bytes.ts';
import { nextBelow, type Random } from './random.ts';

const pageSizeBytes = 4096;
/** What a disk writes in one piece: a write that power loss tears is torn between two of these. */
const sectorSizeBytes = 512;

/** Sparse bytes in pages of 4 KiB; a missing page reads as zeros. Two of them may share pages, see {@link MemoryContent}. */
class Pages {
  size = 0;
  readonly pages: (Uint8Array | undefined)[] = [];

  read(target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, this.size - position));
    for (let done = 0; done < length; ) {
      const start = (position + done) % pageSizeBytes;
      const part = Math.min(pageSizeBytes - start, length - done);
      const page = this.pages[(position + done - start) / pageSizeBytes];
      if (page === undefined) target.fill(0, done, done + part);
      else target.set(page.subarray(start, start + part), done);
      done += part;
    }
    return length;
  }

  /** Writes without touching a page that `other` holds too. */
  write(source: Uint8Array, position: number, other: Pages): void {
    const end = position + source.length;
    for (let at = position; at < end; ) {
      const start = at % pageSizeBytes;
      const part = Math.min(pageSizeBytes - start, end - at);
      const page = this.ownPage((at - start) / pageSizeBytes, part === pageSizeBytes, other);
      page.set(source.subarray(at - position, at - position + part), start);
      at += part;
    }
    this.size = Math.max(this.size, end);
  }

  /** Inverts bits of a byte, also where the page is shared. */
  invert(position: number, mask: number): void {
    const index = Math.floor(position / pageSizeBytes);
    const page = this.pages[index];
    if (page !== undefined) page[position % pageSizeBytes] = (page[position % pageSizeBytes] as number) ^ mask;
  }

  sharesPage(position: number, other: Pages): boolean {
    const index = Math.floor(position / pageSizeBytes);
    return this.pages[index] === other.pages[index];
  }

  truncate(size: number, other: Pages): void {
    if (size < this.size) {
      const index = Math.floor(size / pageSizeBytes);
      const start = size % pageSizeBytes;
      if (start > 0 && this.pages[index] !== undefined) this.ownPage(index, false, other).fill(0, start);
      this.pages.length = Math.min(this.pages.length, start > 0 ? index + 1 : index);
    }
    this.size = size;
  }

  private ownPage(index: number, overwritten: boolean, other: Pages): Uint8Array {
    const page = this.pages[index];
    if (page !== undefined && page !== other.pages[index]) return page;
    const own = page === undefined && !overwritten ? new Uint8Array(pageSizeBytes) : allocateUnsafe(pageSizeBytes);
    if (page !== undefined && !overwritten) own.set(page);
    while (this.pages.length < index) this.pages.push(undefined);
    this.pages[index] = own;
    return own;
  }
}

/** A change not yet synced. */
type Change =
  | { readonly kind: 'write'; readonly data: Uint8Array; readonly position: number }
  | { readonly kind: 'truncate'; readonly size: number };

/** One file's bytes: as programs see them, as a power loss would leave them, and the changes between the two in order. */
export class MemoryContent {
  private current = new Pages();
  private durable = new Pages();
  private changes: Change[] = [];
  /** Number of the first of `changes`, counted from the file's first change ever. */
  private firstChange = 0;

  get size(): number {
    return this.current.size;
  }

  get unsyncedChanges(): number {
    return this.changes.length;
  }

  /** A mark for {@link syncUpTo}: everything changed so far. */
  get mark(): number {
    return this.firstChange + this.changes.length;
  }

  read(target: Uint8Array, position: number): number {
    return this.current.read(target, position);
  }

  /** Keeps `data`. */
  write(data: Uint8Array, position: number): void {
    if (data.length === 0) return;
    this.current.write(data, position, this.durable);
    this.changes.push({ kind: 'write', data, position });
  }

  /** Not a change that a sync or a crash could undo. Bytes that nobody wrote stay as they are. */
  rot(position: number, mask: number): void {
    if (!this.current.sharesPage(position, this.durable)) this.durable.invert(position, mask);
    this.current.invert(position, mask);
  }

  /** Not a change that a sync or a crash could undo, within the file. */
  overwrite(data: Uint8Array, position: number): void {
    this.current.write(data, position, this.durable);
    const durable = data.subarray(0, Math.max(0, this.durable.size - position));
    if (durable.length > 0) this.durable.write(durable, position, this.current);
  }

  truncate(size: number): void {
    if (size === this.current.size) return;
    this.current.truncate(size, this.durable);
    this.changes.push({ kind: 'truncate', size });
  }

  /** Makes durable what had been changed when `mark` was taken. */
  syncUpTo(mark: number): void {
    const count = mark - this.firstChange;
    if (count <= 0) return;
    const synced = this.changes.splice(0, count);
    this.firstChange = mark;
    if (this.changes.length > 0) {
      for (const change of synced) apply(this.durable, change, this.current);
      return;
    }
    for (const change of synced) this.share(change);
    this.durable.size = this.current.size;
    this.durable.pages.length = Math.min(this.durable.pages.length, this.current.pages.length);
  }

  /** Power loss. With `random`, each sector of each unsynced write and each unsynced change of size survives or not, by chance. */
  crash(random: Random | undefined): void {
    if (random !== undefined) {
      // Now mostly kept, now mostly lost, so that whole survival and whole loss are both seen often.
      const keptOutOf8 = nextBelow(random, 9);
      for (const change of this.changes) this.survive(change, random, keptOutOf8);
    }
    this.firstChange += this.changes.length;
    this.changes = [];
    this.current = new Pages();
    this.current.size = this.durable.size;
    for (const page of this.durable.pages) this.current.pages.push(page);
  }

  private survive(change: Change, random: Random, keptOutOf8: number): void {
    if (change.kind === 'truncate') {
      if (nextBelow(random, 8) < keptOutOf8) apply(this.durable, change, this.current);
      return;
    }
    const { data, position } = change;
    const end = position + data.length;
    for (let at = position; at < end; ) {
      const part = Math.min(sectorSizeBytes - (at % sectorSizeBytes), end - at);
      if (nextBelow(random, 8) < keptOutOf8) {
        this.durable.write(data.subarray(at - position, at - position + part), at, this.current);
      }
      at += part;
    }
  }

  /** Both views are to be equal: instead of copying, the durable one takes over the pages that the change touched. */
  private share(change: Change): void {
    const from = change.kind === 'write' ? change.position : change.size;
    const to =
      change.kind === 'write' ? change.position + change.data.length : this.durable.pages.length * pageSizeBytes;
    const last = Math.min(Math.ceil(to / pageSizeBytes), this.current.pages.length);
    for (let index = Math.floor(from / pageSizeBytes); index < last; index++) {
      while (this.durable.pages.length < index) this.durable.pages.push(undefined);
      this.durable.pages[index] = this.current.pages[index];
    }
  }
}

function apply(pages: Pages, change: Change, other: Pages): void {
  if (change.kind === 'write') pages.write(change.data, change.position, other);
  else pages.truncate(change.size, other);
}
