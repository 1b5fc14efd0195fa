/** A reader that still needs history at and above a revision. */
export interface Pin {
  readonly revision: number;
  /** True once a compaction went past it: the reader must fail. */
  lost: boolean;
}

/** Readers in progress. A compaction above a pinned revision waits for its end, up to a bound that the compactor has. */
export class Pins {
  private readonly pins = new Set<Pin>();

  add(revision: number): Pin {
    const pin: Pin = { revision, lost: false };
    this.pins.add(pin);
    return pin;
  }

  release(pin: Pin): void {
    this.pins.delete(pin);
  }

  /** Whether somebody reads below `revision`. */
  hasBelow(revision: number): boolean {
    for (const pin of this.pins) if (pin.revision < revision) return true;
    return false;
  }

  /** Breaks the pins below `revision`; returns how many. */
  breakBelow(revision: number): number {
    let broken = 0;
    for (const pin of this.pins) {
      if (pin.revision >= revision) continue;
      pin.lost = true;
      this.pins.delete(pin);
      broken += 1;
    }
    return broken;
  }
}
