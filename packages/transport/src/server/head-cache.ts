import { copyBytes, emptyBytes } from '@quorate/base';
import type { RequestHead } from './request-head.ts';

const entries = 16;

/** Longer blocks are not worth comparing. */
const blockBytesMax = 256;

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

  /** The head of this block under this generation of the table, or null. */
  get(source: Uint8Array, start: number, end: number, generation: number): RequestHead | null {
    const entry = this.cached[this.slot(source, start, end)] as CachedHead | null;
    if (entry === null || entry.generation !== generation) return null;
    const block = entry.block;
    if (block.length !== end - start) return null;
    for (let i = 0; i < block.length; i++) if (block[i] !== source[start + i]) return null;
    return entry.head;
  }

  /** Remembers a block that did not change the table. */
  put(source: Uint8Array, start: number, end: number, generation: number, head: RequestHead): void {
    if (end - start > blockBytesMax) return;
    const block = start === end ? emptyBytes : copyBytes(source, start, end);
    this.cached[this.slot(source, start, end)] = { block, generation, head };
  }

  private slot(source: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    const until = Math.min(end, start + 24);
    for (let i = start; i < until; i++) hash = (Math.imul(hash, 31) + (source[i] as number)) | 0;
    return (hash ^ (hash >>> 16)) & (entries - 1);
  }
}
