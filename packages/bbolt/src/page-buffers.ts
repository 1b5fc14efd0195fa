import { allocateUnsafe } from '@quorate/base';
import { viewOf } from './bytes.ts';

const slabBytes = 256 * 1024;
/** Kept between commits; a commit of 10,000 records of 300 bytes takes about so much. */
const keptSlabsMax = 24;

/**
 * Memory for the pages of one commit at a time, used again by the next: a buffer for each page would cost more to make and to
 * collect than to fill. Pages taken one after the other lie one behind the other. Nothing may hold on to them after {@link release}.
 */
export class PageBuffers {
  private readonly kept: Uint8Array[] = [];
  private taken: Uint8Array[] = [];
  private slab: Uint8Array | undefined;
  private position = 0;

  /** Room of undefined content, until the next {@link release}. */
  take(size: number): Uint8Array {
    if (size > slabBytes) return allocateUnsafe(size);
    if (this.slab === undefined || this.position + size > slabBytes) {
      this.slab = this.kept.pop() ?? allocateUnsafe(slabBytes);
      this.taken.push(this.slab);
      this.position = 0;
    }
    const start = this.position;
    this.position += size;
    return viewOf(this.slab, start, size);
  }

  /** The commit is over: its pages are on the disk. */
  release(): void {
    for (const slab of this.taken) if (this.kept.length < keptSlabsMax) this.kept.push(slab);
    this.taken = [];
    this.slab = undefined;
  }
}

/** One view on `a` and `b` where `b` lies right behind `a` in the same memory; undefined otherwise. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array | undefined {
  if (a.buffer !== b.buffer || a.byteOffset + a.length !== b.byteOffset) return undefined;
  return new Uint8Array(a.buffer, a.byteOffset, a.length + b.length);
}
