import { hex } from '../hex.ts';
import { type JointVoters, jointIds, sortedIds } from './joint.ts';
import type { AckedIndex } from './majority.ts';

/** `(1 2 3)`, ascending, in hexadecimal. */
export function describeIds(ids: Iterable<bigint>): string {
  return `(${sortedIds(ids).map(hex).join(' ')})`;
}

/** `(1 2 3)`, or `(1 2)&&(2 3)` when joint. */
export function describeJoint(voters: JointVoters): string {
  const incoming = describeIds(voters.incoming);
  return voters.outgoing.size === 0 ? incoming : `${incoming}&&${describeIds(voters.outgoing)}`;
}

/** An index, or ∞ for that of the empty configuration. */
export function describeIndex(index: number): string {
  return index === Number.POSITIVE_INFINITY ? '∞' : String(index);
}

/** A line a voter, with a bar as long as the number of voters it is ahead of; `?` where nothing is known. */
export function describeProgressBars(voters: JointVoters, acked: AckedIndex): string {
  const ids = jointIds(voters);
  if (ids.length === 0) return '<empty majority quorum>';
  const rows = ids.map((id) => ({ id, index: acked(id), bar: 0 }));
  const byIndex = [...rows].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  for (let i = 1; i < byIndex.length; i++) {
    const before = byIndex[i - 1] as (typeof rows)[number];
    const row = byIndex[i] as (typeof rows)[number];
    row.bar = (before.index ?? 0) < (row.index ?? 0) ? i : before.bar;
  }
  const width = ids.length;
  let text = `${' '.repeat(width)}    idx\n`;
  for (const { id, index, bar } of rows) {
    const head = index === undefined ? `?${' '.repeat(width)}` : `${'x'.repeat(bar)}>${' '.repeat(width - bar)}`;
    text += `${head} ${describeIndex(index ?? 0).padStart(5)}    (id=${hex(id)})\n`;
  }
  return text;
}
