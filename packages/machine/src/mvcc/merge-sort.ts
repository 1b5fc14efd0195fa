/** A stable bottom-up merge sort of the positions 0 … count-1 that can stop and go on. */
export class MergeSort {
  /** The positions in order, once {@link step} returned true. */
  order: Int32Array;
  private other: Int32Array;
  private readonly compare: (a: number, b: number) => number;
  private width = 1;
  private next = 0;

  constructor(count: number, compare: (a: number, b: number) => number) {
    this.order = Int32Array.from({ length: count }, (_, i) => i);
    this.other = new Int32Array(count);
    this.compare = compare;
  }

  /** Moves at least `items` positions, whole runs; true when all is sorted. */
  step(items: number): boolean {
    const count = this.order.length;
    for (let moved = 0; this.width < count; ) {
      if (moved >= items) return false;
      const middle = Math.min(this.next + this.width, count);
      const end = Math.min(middle + this.width, count);
      this.merge(this.next, middle, end);
      moved += end - this.next;
      this.next = end;
      if (end < count) continue;
      const sorted = this.other;
      this.other = this.order;
      this.order = sorted;
      this.width *= 2;
      this.next = 0;
    }
    return true;
  }

  private merge(start: number, middle: number, end: number): void {
    const { order, other, compare } = this;
    let left = start;
    let right = middle;
    for (let to = start; to < end; to++) {
      const takeLeft = left < middle && (right >= end || compare(order[left] as number, order[right] as number) <= 0);
      other[to] = (takeLeft ? order[left++] : order[right++]) as number;
    }
  }
}
