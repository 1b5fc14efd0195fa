import { idBits, idMask, type KeyRecords, RecordInt, recordInts } from './key-records.ts';

const chunkBits = 14;
const chunkMask = (1 << chunkBits) - 1;
const initialBuckets = 1 << 10;

/** A seeded 32-bit hash of key bytes. Not for anything that is stored. */
export function hashKey(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = seed ^ (end - start);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    hash = Math.imul(hash ^ word, 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2_ae35);
  return hash ^ (hash >>> 13);
}

/**
 * Finds ids by key. Linear hashing (Litwin 1980): the table grows by splitting one bucket an insertion, so that it never
 * stops to rehash. Chains run through the records.
 */
export class KeyHash {
  private readonly records: KeyRecords;
  private readonly seed: number;
  private readonly chunks: Int32Array[] = [new Int32Array(chunkMask + 1)];
  /** Buckets at the beginning of this doubling; a power of two. */
  private round = initialBuckets;
  /** Buckets below it are split in this doubling. */
  private split = 0;
  count = 0;

  constructor(records: KeyRecords, seed: number) {
    this.records = records;
    this.seed = seed | 0;
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    return hashKey(this.seed, bytes, start, end);
  }

  /** The id of the key; 0 when it is not there. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const { records } = this;
    const bucket = this.bucketOf(hash);
    let id = (this.chunks[bucket >>> chunkBits] as Int32Array)[bucket & chunkMask] as number;
    while (id !== 0) {
      const ints = records.ints[id >>> idBits] as Int32Array;
      const at = (id & idMask) * recordInts;
      if (
        ints[at + RecordInt.hash] === hash &&
        records.slab.equals(
          ints[at + RecordInt.keyRef] as number,
          ints[at + RecordInt.keyLength] as number,
          bytes,
          start,
          end,
        )
      ) {
        return id;
      }
      id = ints[at + RecordInt.next] as number;
    }
    return 0;
  }

  /** Adds a record that is not there yet. */
  insert(id: number, hash: number): void {
    this.link(id, this.bucketOf(hash));
    this.count += 1;
    if (this.count > this.round + this.split) this.splitOne();
  }

  remove(id: number): void {
    const { records } = this;
    const bucket = this.bucketOf(records.int(id, RecordInt.hash));
    const next = records.int(id, RecordInt.next);
    const chunk = this.chunks[bucket >>> chunkBits] as Int32Array;
    this.count -= 1;
    let at = chunk[bucket & chunkMask] as number;
    if (at === id) {
      chunk[bucket & chunkMask] = next;
      return;
    }
    for (;;) {
      const following = records.int(at, RecordInt.next);
      if (following === id) break;
      at = following;
    }
    (records.ints[at >>> idBits] as Int32Array)[(at & idMask) * recordInts + RecordInt.next] = next;
  }

  private bucketOf(hash: number): number {
    const bucket = hash & (this.round - 1);
    return bucket < this.split ? hash & (this.round * 2 - 1) : bucket;
  }

  private link(id: number, bucket: number): void {
    const chunk = this.chunks[bucket >>> chunkBits] as Int32Array;
    const ints = this.records.ints[id >>> idBits] as Int32Array;
    ints[(id & idMask) * recordInts + RecordInt.next] = chunk[bucket & chunkMask] as number;
    chunk[bucket & chunkMask] = id;
  }

  private splitOne(): void {
    const from = this.split;
    const to = this.round + from;
    if (to >>> chunkBits === this.chunks.length) this.chunks.push(new Int32Array(chunkMask + 1));
    const chunk = this.chunks[from >>> chunkBits] as Int32Array;
    let id = chunk[from & chunkMask] as number;
    chunk[from & chunkMask] = 0;
    this.split += 1;
    if (this.split === this.round) {
      this.round *= 2;
      this.split = 0;
    }
    while (id !== 0) {
      const next = this.records.int(id, RecordInt.next);
      this.link(id, this.bucketOf(this.records.int(id, RecordInt.hash)));
      id = next;
    }
  }
}
