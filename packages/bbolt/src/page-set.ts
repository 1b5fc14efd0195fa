/** A set of page ids below a bound. */
export class PageSet {
  private readonly words: Uint32Array;
  size = 0;

  constructor(bound: number) {
    this.words = new Uint32Array((bound >>> 5) + 1);
  }

  has(id: number): boolean {
    return ((this.words[id >>> 5] as number) & (1 << (id & 31))) !== 0;
  }

  /** @returns false when it was there. */
  add(id: number): boolean {
    if (this.has(id)) return false;
    this.words[id >>> 5] = (this.words[id >>> 5] as number) | (1 << (id & 31));
    this.size += 1;
    return true;
  }
}
