/** The mulberry32 generator: small, and the same numbers from the same seed everywhere. */
export class SeededRandom {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e37_79b1) >>> 0;
  }

  nextUint32(): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.nextUint32() / 0x1_0000_0000) * bound);
  }

  chance(probability: number): boolean {
    return this.nextUint32() < probability * 0x1_0000_0000;
  }

  /** One of them; there must be one. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** One of them, each as likely as its weight. */
  weighted<T extends string>(items: readonly T[], weights: Readonly<Record<T, number>>): T {
    let total = 0;
    for (const item of items) total += weights[item];
    let dice = (this.nextUint32() / 0x1_0000_0000) * total;
    for (const item of items) {
      dice -= weights[item];
      if (dice < 0) return item;
    }
    return items[0] as T;
  }
}
