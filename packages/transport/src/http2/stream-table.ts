import type { Http2Stream } from './http2-stream.ts';

const slotsMin = 16;
const slotsMax = 4096;

/**
 * Open streams by id. Ids ascend by two, so those open at one time mostly fit a ring indexed by id: a lookup is one array access, an
 * insertion hashes nothing. Streams that live longer than the ring turns, as watches do, move to a map when their slot is wanted.
 */
export class StreamTable<S extends Http2Stream> {
  size = 0;
  private slots: (S | null)[] = new Array(slotsMin).fill(null);
  private mask = slotsMin - 1;
  private readonly older = new Map<number, S>();

  get(id: number): S | undefined {
    const slot = this.slots[(id >>> 1) & this.mask] as S | null;
    if (slot !== null && slot.id === id) return slot;
    return this.older.size === 0 ? undefined : this.older.get(id);
  }

  set(stream: S): void {
    let index = (stream.id >>> 1) & this.mask;
    const occupant = this.slots[index] as S | null;
    if (occupant !== null) {
      if (this.slots.length < slotsMax && this.size * 2 >= this.slots.length) {
        this.grow();
        this.set(stream);
        return;
      }
      this.older.set(occupant.id, occupant);
      index = (stream.id >>> 1) & this.mask;
    }
    this.slots[index] = stream;
    this.size++;
  }

  delete(id: number): void {
    const index = (id >>> 1) & this.mask;
    const slot = this.slots[index] as S | null;
    if (slot !== null && slot.id === id) {
      this.slots[index] = null;
      this.size--;
    } else if (this.older.delete(id)) {
      this.size--;
    }
  }

  /** A snapshot: streams may come and go while the caller walks it. */
  values(): S[] {
    const all: S[] = [];
    for (const slot of this.slots) if (slot !== null) all.push(slot);
    for (const stream of this.older.values()) all.push(stream);
    return all;
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Array(old.length * 2).fill(null);
    this.mask = this.slots.length - 1;
    // Two of the old ring never share a slot of the larger one.
    for (const slot of old) if (slot !== null) this.slots[(slot.id >>> 1) & this.mask] = slot;
  }
}
