import { readFileSync } from 'node:fs';
import type { ClusterMember } from '../support/cluster-member.ts';
import { sleep, waitUntil } from '../support/text.ts';

export const MEBIBYTE = 1024 * 1024;
const SETTLED_BYTES = MEBIBYTE;
const LOOK_EVERY_MS = 500;

/** What a process holds in memory. */
export function residentBytes(member: ClusterMember): number {
  const status = readFileSync(`/proc/${member.server?.child.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** The same once it grows no more. */
export async function settledBytes(member: ClusterMember, timeoutMs: number): Promise<number> {
  let last = 0;
  await waitUntil('the memory to settle', timeoutMs, async () => {
    const now = residentBytes(member);
    const isSettled = Math.abs(now - last) < SETTLED_BYTES;
    last = now;
    await sleep(LOOK_EVERY_MS);
    return isSettled;
  });
  return last;
}
