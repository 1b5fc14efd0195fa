import { assert } from '@quorate/base';

const initialCapacity = 64;

/** Kind and sub-revision as one number that orders like the key bytes: a tombstone's key is the same with a 't' behind it. */
export function revisionCode(sub: number, tombstone: boolean): number {
  return sub * 2 + (tombstone ? 1 : 0);
}

/**
 * Records by revision, in parallel arrays sorted by (main, code). Appending is the usual case; removal leaves a hole
 * (an undefined value) that keeps its place until {@link RevisionRun.squeeze}.
 */
export class RevisionRun {
  mains = new Float64Array(initialCapacity);
  /** {@link revisionCode}. */
  codes = new Int32Array(initialCapacity);
  values: (Uint8Array | undefined)[] = [];
  /** Bytes of all values. */
  valueBytes = 0;
  holes = 0;

  /** Places, holes included. */
  get length(): number {
    return this.values.length;
  }

  get live(): number {
    return this.values.length - this.holes;
  }

  get(main: number, code: number): Uint8Array | undefined {
    const at = this.indexOf(main, code);
    return at < 0 ? undefined : this.values[at];
  }

  put(main: number, code: number, value: Uint8Array): void {
    assert(main >= 0 && Number.isSafeInteger(main) && code >= 0 && code < 0x4000_0000, 'revision out of bounds');
    this.valueBytes += value.length;
    const length = this.values.length;
    const last = length - 1;
    if (
      length === 0 ||
      main > (this.mains[last] as number) ||
      (main === this.mains[last] && code > (this.codes[last] as number))
    ) {
      this.reserve(length + 1);
      this.mains[length] = main;
      this.codes[length] = code;
      this.values.push(value);
      return;
    }
    this.putInside(main, code, value);
  }

  /** @returns whether there was such a record. */
  remove(main: number, code: number): boolean {
    const at = this.indexOf(main, code);
    const value = at < 0 ? undefined : this.values[at];
    if (value === undefined) return false;
    this.values[at] = undefined;
    this.holes += 1;
    this.valueBytes -= value.length;
    return true;
  }

  /** The first place at or behind (main, code); {@link length} when there is none. */
  lowerBound(main: number, code: number): number {
    const { mains, codes } = this;
    let low = 0;
    let high = this.values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = mains[middle] as number;
      if (there < main || (there === main && (codes[middle] as number) < code)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Closes all holes. Places change. */
  squeeze(): void {
    const { mains, codes, values } = this;
    let to = 0;
    for (let from = 0; from < values.length; from++) {
      const value = values[from];
      if (value === undefined) continue;
      mains[to] = mains[from] as number;
      codes[to] = codes[from] as number;
      values[to] = value;
      to += 1;
    }
    values.length = to;
    this.holes = 0;
  }

  /** A copy that shares the values. */
  clone(): RevisionRun {
    const copy = new RevisionRun();
    copy.mains = this.mains.slice();
    copy.codes = this.codes.slice();
    copy.values = this.values.slice();
    copy.valueBytes = this.valueBytes;
    copy.holes = this.holes;
    return copy;
  }

  private indexOf(main: number, code: number): number {
    const { mains, codes } = this;
    const length = this.values.length;
    if (length === 0 || main < (mains[0] as number) || main > (mains[length - 1] as number)) return -1;
    // Most revisions make one record each, so that a run is nearly dense and the place can be guessed.
    const guess = main - (mains[0] as number);
    if (guess < length && mains[guess] === main && codes[guess] === code) return guess;
    const at = this.lowerBound(main, code);
    return at < length && mains[at] === main && codes[at] === code ? at : -1;
  }

  private putInside(main: number, code: number, value: Uint8Array): void {
    const at = this.lowerBound(main, code);
    const length = this.values.length;
    if (at < length && this.mains[at] === main && this.codes[at] === code) {
      const before = this.values[at];
      if (before === undefined) this.holes -= 1;
      else this.valueBytes -= before.length;
      this.values[at] = value;
      return;
    }
    this.reserve(length + 1);
    this.mains.copyWithin(at + 1, at, length);
    this.codes.copyWithin(at + 1, at, length);
    this.mains[at] = main;
    this.codes[at] = code;
    this.values.splice(at, 0, value);
  }

  private reserve(length: number): void {
    if (length <= this.mains.length) return;
    const mains = new Float64Array(length * 2);
    const codes = new Int32Array(length * 2);
    mains.set(this.mains);
    codes.set(this.codes);
    this.mains = mains;
    this.codes = codes;
  }
}
