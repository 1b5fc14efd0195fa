/** A source of random numbers. Whatever is drawn for an entry is drawn before the entry is proposed. */
export interface Random {
  /** A uniform 32-bit unsigned integer. */
  nextUint32(): number;
}

/** A uniform integer in [0, bound). */
export function nextBelow(random: Random, bound: number): number {
  return Math.floor((random.nextUint32() / 0x1_0000_0000) * bound);
}

/** A uniform 64-bit unsigned integer. */
export function nextUint64(random: Random): bigint {
  return (BigInt(random.nextUint32()) << 32n) | BigInt(random.nextUint32());
}

/** The sfc32 generator (Chris Doty-Humphrey, PractRand): the same seed gives the same numbers everywhere. */
export class SeededRandom implements Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed >>> 0;
    this.b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.c = 0x9e37_79b9;
    for (let i = 0; i < 12; i++) this.nextUint32();
  }

  nextUint32(): number {
    const sum = (this.a + this.b + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = (this.b ^ (this.b >>> 9)) >>> 0;
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0;
    return sum;
  }
}
