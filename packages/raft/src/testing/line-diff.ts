/** Lines around a difference that are shown with it. */
const CONTEXT_LINES = 3;

/**
 * The lines in which two texts differ, marked `-` where only expected, `+` where only actual, with some lines around them.
 * Costs the product of the lengths of what differs: for texts of some thousand lines.
 */
export function lineDiff(expected: string, actual: string): string {
  const a = expected.trimEnd().split('\n');
  const b = actual.trimEnd().split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  return withContext([
    ...same(a.slice(0, head)),
    ...diffOf(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ]);
}

function diffOf(a: readonly string[], b: readonly string[]): string[] {
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
  return out;
}

function withContext(lines: readonly string[]): string {
  const shown = new Set<number>();
  for (const [at, line] of lines.entries()) {
    if (line.startsWith('  ')) continue;
    for (let i = at - CONTEXT_LINES; i <= at + CONTEXT_LINES; i++) shown.add(i);
  }
  let text = '';
  let skipped = false;
  for (const [at, line] of lines.entries()) {
    if (shown.has(at)) text += `${skipped ? '  ...\n' : ''}${line}\n`;
    skipped = !shown.has(at);
  }
  return skipped ? `${text}  ...` : text.trimEnd();
}
