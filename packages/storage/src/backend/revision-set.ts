/** A set of revisions, by main and code (see revisionCode). */
export class RevisionSet {
  /** Almost every main revision has one. */
  private readonly codesOf = new Map<number, number | number[]>();
  size = 0;

  has(main: number, code: number): boolean {
    const codes = this.codesOf.get(main);
    return codes === code || (typeof codes === 'object' && codes.includes(code));
  }

  add(main: number, code: number): void {
    const codes = this.codesOf.get(main);
    if (codes === undefined) this.codesOf.set(main, code);
    else if (this.has(main, code)) return;
    else if (typeof codes === 'number') this.codesOf.set(main, [codes, code]);
    else codes.push(code);
    this.size += 1;
  }

  delete(main: number, code: number): void {
    if (!this.has(main, code)) return;
    const codes = this.codesOf.get(main);
    const left = typeof codes === 'object' ? codes.filter((other) => other !== code) : [];
    if (left.length === 0) this.codesOf.delete(main);
    else this.codesOf.set(main, left);
    this.size -= 1;
  }

  /** All, ascending, as pairs one behind the other: main, code, main, code. */
  sorted(): number[] {
    const pairs: number[] = [];
    for (const main of [...this.codesOf.keys()].sort((a, b) => a - b)) {
      const codes = this.codesOf.get(main);
      if (typeof codes === 'number') pairs.push(main, codes);
      else for (const code of (codes ?? []).sort((a, b) => a - b)) pairs.push(main, code);
    }
    return pairs;
  }
}
