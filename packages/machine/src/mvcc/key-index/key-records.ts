import { KeySlab } from './key-slab.ts';

/**
 * One record a key, in chunks that never move, named by a small integer id (0 is none; freed ids are reused).
 * A record is 48 bytes, seen through a Float64Array and an Int32Array over the same memory:
 *
 *     f64 0   main revision of the newest change
 *     f64 1   create revision; 0 when the newest change is a delete
 *     f64 2   version; 0 when the newest change is a delete
 *     i32 6   sub of the newest change
 *     i32 7   head of the older revisions (RevisionHistory; 0 none)
 *     i32 8   hash of the key
 *     i32 9   place of the key (KeySlab ref)
 *     i32 10  length of the key
 *     i32 11  next id in the same hash bucket, or in the list of free ids
 */
export const recordFloats = 6;
export const recordInts = 12;
export const idBits = 12;
export const idMask = (1 << idBits) - 1;

export const RecordFloat = { main: 0, create: 1, version: 2 } as const;
export const RecordInt = { sub: 6, history: 7, hash: 8, keyRef: 9, keyLength: 10, next: 11 } as const;

export class KeyRecords {
  readonly floats: Float64Array[] = [];
  readonly ints: Int32Array[] = [];
  readonly slab = new KeySlab();
  /** All ids ever used are below it. */
  idEnd = 1;
  private freeHead = 0;

  allocate(key: Uint8Array, start: number, end: number, hash: number): number {
    let id = this.freeHead;
    if (id !== 0) this.freeHead = this.int(id, RecordInt.next);
    else {
      id = this.idEnd++;
      if (id >>> idBits === this.floats.length) this.addChunk();
    }
    const ints = this.ints[id >>> idBits] as Int32Array;
    const at = (id & idMask) * recordInts;
    ints[at + RecordInt.history] = 0;
    ints[at + RecordInt.hash] = hash;
    ints[at + RecordInt.keyRef] = this.slab.allocate(key, start, end);
    ints[at + RecordInt.keyLength] = end - start;
    ints[at + RecordInt.next] = 0;
    return id;
  }

  release(id: number): void {
    const ints = this.ints[id >>> idBits] as Int32Array;
    const at = (id & idMask) * recordInts;
    this.slab.release(ints[at + RecordInt.keyRef] as number, ints[at + RecordInt.keyLength] as number);
    ints[at + RecordInt.keyLength] = -1;
    ints[at + RecordInt.next] = this.freeHead;
    this.freeHead = id;
    (this.floats[id >>> idBits] as Float64Array)[(id & idMask) * recordFloats + RecordFloat.version] = 0;
  }

  /** False for an id that was freed. */
  isUsed(id: number): boolean {
    return this.int(id, RecordInt.keyLength) >= 0;
  }

  float(id: number, field: number): number {
    return (this.floats[id >>> idBits] as Float64Array)[(id & idMask) * recordFloats + field] as number;
  }

  int(id: number, field: number): number {
    return (this.ints[id >>> idBits] as Int32Array)[(id & idMask) * recordInts + field] as number;
  }

  isLive(id: number): boolean {
    return this.float(id, RecordFloat.version) !== 0;
  }

  /** Order of the key of `id` against `key[start, end)`; see KeySlab.compare. */
  compare(id: number, key: Uint8Array, start: number, end: number, skip: number): number {
    const ints = this.ints[id >>> idBits] as Int32Array;
    const at = (id & idMask) * recordInts;
    return this.slab.compare(
      ints[at + RecordInt.keyRef] as number,
      ints[at + RecordInt.keyLength] as number,
      key,
      start,
      end,
      skip,
    );
  }

  private addChunk(): void {
    const floats = new Float64Array((idMask + 1) * recordFloats);
    this.floats.push(floats);
    this.ints.push(new Int32Array(floats.buffer));
  }
}
