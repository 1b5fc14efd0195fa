/** Larger records are not kept, so that the cache is bounded in bytes too. */
const recordBytesMax = 2048;

/**
 * The records that single-key reads found last, one a slot, the slot chosen by the key's id: a hit saves the walk through the
 * database's pages. A record is named by its revision and never changes, so nothing need be invalidated. Copies, as the
 * backend's bytes may keep a whole page alive.
 */
export class RecordCache {
  private readonly mask: number;
  private readonly mains: Float64Array;
  private readonly subs: Int32Array;
  private readonly records: (Uint8Array | undefined)[];

  /** @param slots a power of two */
  constructor(slots: number) {
    this.mask = slots - 1;
    this.mains = new Float64Array(slots);
    this.subs = new Int32Array(slots);
    this.records = new Array(slots).fill(undefined);
  }

  get(id: number, main: number, sub: number): Uint8Array | undefined {
    const slot = id & this.mask;
    return this.mains[slot] === main && this.subs[slot] === sub ? this.records[slot] : undefined;
  }

  set(id: number, main: number, sub: number, record: Uint8Array): void {
    if (record.length > recordBytesMax) return;
    const slot = id & this.mask;
    this.mains[slot] = main;
    this.subs[slot] = sub;
    this.records[slot] = new Uint8Array(record);
  }
}
