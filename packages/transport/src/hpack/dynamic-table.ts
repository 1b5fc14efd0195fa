import type { HeaderField } from './header-field.ts';

/** The dynamic table of one direction (RFC 7541 section 2.3.2): newest first, bounded in bytes. */
export class DynamicTable {
  /** Bytes that entries may take together. */
  sizeMax: number;
  size = 0;
  count = 0;
  /** Insertions and evictions ever: unchanged means that the same index still names the same field. */
  generation = 0;
  private ring: (HeaderField | undefined)[] = new Array(16).fill(undefined);
  /** Where the newest entry is. */
  private head = 0;

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
  }

  /** The `age`-th newest entry, 0 being the newest. The caller has checked `age < count`. */
  at(age: number): HeaderField {
    return this.ring[(this.head - age) & (this.ring.length - 1)] as HeaderField;
  }

  /** Adds a field, evicting old ones; one larger than the table empties it (section 4.4). */
  add(field: HeaderField): void {
    this.generation++;
    this.evictTo(this.sizeMax - field.size);
    if (field.size > this.sizeMax) return;
    if (this.count === this.ring.length) this.grow();
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.ring[this.head] = field;
    this.count++;
    this.size += field.size;
  }

  resize(sizeMax: number): void {
    this.generation++;
    this.sizeMax = sizeMax;
    this.evictTo(sizeMax);
  }

  private evictTo(size: number): void {
    while (this.size > size && this.count > 0) {
      const oldest = (this.head - this.count + 1) & (this.ring.length - 1);
      this.size -= (this.ring[oldest] as HeaderField).size;
      this.ring[oldest] = undefined;
      this.count--;
    }
  }

  private grow(): void {
    const larger: (HeaderField | undefined)[] = new Array(this.ring.length * 2).fill(undefined);
    for (let age = 0; age < this.count; age++) larger[this.count - 1 - age] = this.at(age);
    this.ring = larger;
    this.head = this.count - 1;
  }
}
