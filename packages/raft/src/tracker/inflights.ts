import { assert } from '../assert.ts';

/** Of all windows that were never used, as those of followers: a first message replaces it, and nothing writes into it. */
const noNumbers: number[] = [];

/**
 * Window of append messages that were sent to a follower and not yet acknowledged: the last index and the payload bytes of
 * each, in a ring that grows up to the limit as it is needed (pipelining, section 10.2.2 of the thesis).
 */
export class Inflights {
  private head = 0;
  private used = 0;
  private bytesInFlight = 0;
  private indexes = noNumbers;
  private sizes = noNumbers;
  /** Limit on messages. */
  readonly messagesMax: number;
  /** Limit on bytes, Infinity for none. A message that crosses it still goes out. */
  readonly bytesMax: number;

  /** An empty window with these limits. */
  constructor(messagesMax: number, bytesMax: number = Number.POSITIVE_INFINITY) {
    this.messagesMax = messagesMax;
    this.bytesMax = bytesMax;
  }

  /** Messages in flight. */
  get count(): number {
    return this.used;
  }

  /** Payload bytes in flight. */
  get bytes(): number {
    return this.bytesInFlight;
  }

  /** Whether one of the limits is reached, so that nothing more may be added. */
  isFull(): boolean {
    return this.used === this.messagesMax || this.bytesInFlight >= this.bytesMax;
  }

  /** Notes a message whose last entry has `index` and that holds `bytes` of payload. @throws {InvariantError} when full */
  add(index: number, bytes: number): void {
    assert(!this.isFull(), 'cannot add into a full Inflights');
    if (this.used === this.indexes.length) this.grow();
    const capacity = this.indexes.length;
    const slot = this.head + this.used;
    this.indexes[slot < capacity ? slot : slot - capacity] = index;
    this.sizes[slot < capacity ? slot : slot - capacity] = bytes;
    this.used++;
    this.bytesInFlight += bytes;
  }

  /** Frees the messages up to that index, which is now acknowledged. */
  freeUpTo(index: number): void {
    while (this.used > 0 && (this.indexes[this.head] as number) <= index) {
      this.bytesInFlight -= this.sizes[this.head] as number;
      this.head = this.head + 1 === this.indexes.length ? 0 : this.head + 1;
      this.used--;
    }
    if (this.used === 0) this.head = 0;
  }

  /** Forgets all messages. */
  reset(): void {
    this.head = 0;
    this.used = 0;
    this.bytesInFlight = 0;
  }

  /** A copy that shares nothing. */
  clone(): Inflights {
    const copy = new Inflights(this.messagesMax, this.bytesMax);
    copy.head = this.head;
    copy.used = this.used;
    copy.bytesInFlight = this.bytesInFlight;
    copy.indexes = this.indexes.slice();
    copy.sizes = this.sizes.slice();
    return copy;
  }

  private grow(): void {
    const capacity = Math.min(this.messagesMax, Math.max(4, this.indexes.length * 2));
    const indexes = new Array<number>(capacity).fill(0);
    const sizes = new Array<number>(capacity).fill(0);
    for (let i = 0; i < this.used; i++) {
      const slot = (this.head + i) % this.indexes.length;
      indexes[i] = this.indexes[slot] as number;
      sizes[i] = this.sizes[slot] as number;
    }
    this.indexes = indexes;
    this.sizes = sizes;
    this.head = 0;
  }
}
