import { copyBytes } from '@quorate/base';
import type { RequestHead } from './request-head.ts';

const entries = 16;

/** Longer blocks are not worth comparing. */
const blockBytesMax = 128;

interface CachedHead {
  readonly block: Uint8Array;
  readonly generation: number;
  readonly head: RequestHead;
}

/**
 * Request heads by the bytes of their header blocks. The same bytes mean the same headers as long as the dynamic table has not changed, so
 * a client that repeats itself costs one comparison of a dozen bytes.
 */
export class HeadCache {
  private readonly cached: (CachedHead | null)[] = new Array(entries).fill(null);
  /** Hashes of blocks seen once: only what comes a second time is worth a copy. */
  private readonly candidates = new Int32Array(entries);

  /** The head of this block under this generation of the table, or null. */
  get(source: Uint8Array, start: number, end: number, generation: number): RequestHead | null {
    const length = end - start;
    if (length > blockBytesMax) return null;
    const entry = this.cached[hashOf(source, start, end) & (entries - 1)] as CachedHead | null;
    if (entry === null || entry.generation !== generation) return null;
    const block = entry.block;
    if (block.length !== length) return null;
    for (let i = 0; i < length; i++) if (block[i] !== source[start + i]) return null;
    return entry.head;
  }

  /** Notes a block that did not change the table; remembers its head from the second time on. */
  put(source: Uint8Array, start: number, end: number, generation: number, head: RequestHead): void {
    if (start === end || end - start > blockBytesMax) return;
    const hash = hashOf(source, start, end);
    const slot = hash & (entries - 1);
    if (this.candidates[slot] !== hash) {
      this.candidates[slot] = hash;
      return;
    }
    this.cached[slot] = { block: copyBytes(source, start, end), generation, head };
  }
}

function hashOf(source: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (source[i] as number)) | 0;
  return hash ^ (hash >>> 16);
}
