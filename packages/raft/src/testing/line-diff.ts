/** Lines of both texts, marked `-` where only expected, `+` where only actual. For texts of a few hundred lines. */
export function lineDiff(expected: string, actual: string): string {
  const a = expected.trimEnd().split('\n');
  const b = actual.trimEnd().split('\n');
  // Longest common subsequence: length[i][j] is that of a[i..] and b[j..].
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const here = i * width + j;
      const skipped = Math.max(length[here + 1] as number, length[here + width] as number);
      length[here] = a[i] === b[j] ? (length[here + width + 1] as number) + 1 : skipped;
    }
  }
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const here = i * width + j;
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(`  ${a[i++]}`);
      j++;
    } else if (j >= b.length || (i < a.length && (length[here + width] as number) >= (length[here + 1] as number))) {
      out.push(`- ${a[i++]}`);
    } else {
      out.push(`+ ${b[j++]}`);
    }
  }
  return out.join('\n');
}
