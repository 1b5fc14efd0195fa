/** Smaller records are not worth a name here. */
const largeBytesMin = 8 * 1024;
/** Names kept before those whose record is gone are looked for. */
const namesMin = 256;

/**
 * Large records that somebody still holds, a stalled watch for example, by their revision: however often and by however many one is read, it
 * is in memory once. Holds none itself.
 */
export class LargeRecords {
  private readonly known = new Map<string, WeakRef<Uint8Array>>();
  private sweepAt = namesMin;

  /** Names kept: of records that are held, and some of others. */
  get count(): number {
    return this.known.size;
  }

  /** The record as somebody holds it already, or else this one. */
  unique(main: number, sub: number, record: Uint8Array): Uint8Array {
    if (record.length < largeBytesMin) return record;
    const name = `${main}_${sub}`;
    const held = this.known.get(name)?.deref();
    if (held !== undefined) return held;
    if (this.known.size >= this.sweepAt) this.sweep();
    this.known.set(name, new WeakRef(record));
    return record;
  }

  private sweep(): void {
    for (const [name, record] of this.known) if (record.deref() === undefined) this.known.delete(name);
    this.sweepAt = Math.max(namesMin, this.known.size * 2);
  }
}
