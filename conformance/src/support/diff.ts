interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

const CONTEXT_LINES = 3;
/** Above this many cells the longest-common-subsequence table is not built; the whole texts are shown instead. */
const TABLE_CELLS_MAX = 4_000_000;

function splitLines(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines.push(`${lines.pop() ?? ''} (no newline at end)`);
  return lines;
}

function diffLines(left: readonly string[], right: readonly string[]): Line[] {
  const width = right.length + 1;
  if ((left.length + 1) * width > TABLE_CELLS_MAX) {
    return [...left.map((text): Line => ({ sign: '-', text })), ...right.map((text): Line => ({ sign: '+', text }))];
  }
  // common[i * width + j]: length of the longest common subsequence of left[i..] and right[j..].
  const common = new Uint32Array((left.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      common[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push({ sign: ' ', text: left[i] ?? '' });
      i++;
      j++;
    } else if (j >= right.length || (i < left.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: '-', text: left[i++] ?? '' });
    } else {
      lines.push({ sign: '+', text: right[j++] ?? '' });
    }
  }
  return lines;
}

/** A unified diff of two texts (`-` is the reference, `+` the server under test); the empty string when they are equal. */
export function unifiedDiff(reference: string, underTest: string): string {
  if (reference === underTest) return '';
  const lines = diffLines(splitLines(reference), splitLines(underTest));
  const keep = new Set<number>();
  lines.forEach((line, index) => {
    if (line.sign === ' ') return;
    for (let near = index - CONTEXT_LINES; near <= index + CONTEXT_LINES; near++) keep.add(near);
  });
  const out: string[] = [];
  let skipped = false;
  lines.forEach((line, index) => {
    if (!keep.has(index)) {
      skipped = true;
      return;
    }
    if (skipped) out.push('@@');
    skipped = false;
    out.push(line.sign + line.text);
  });
  return out.join('\n');
}
