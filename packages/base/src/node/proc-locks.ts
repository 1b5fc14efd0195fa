/** A lock of /proc/locks that covers a file. */
export interface ProcLock {
  /** How it was taken: `FLOCK` by flock(2), `OFDLCK` and `POSIX` by fcntl(2). */
  readonly kind: string;
  readonly exclusive: boolean;
  /** Who took it; -1 for OFDLCK. */
  readonly pid: number;
}

/**
 * The locks held on one file, from the text of /proc/locks (proc_locks(5)); waiters (`->`) are left out.
 *
 *     1: FLOCK  ADVISORY  WRITE 708 fe:00:13457 0 EOF
 *     kind             access  pid  major:minor (hexadecimal):inode, range
 */
export function locksOf(text: string, device: bigint, inode: bigint): ProcLock[] {
  const wanted = `${hex2(deviceMajor(device))}:${hex2(deviceMinor(device))}:${inode}`;
  const locks: ProcLock[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === '->' || fields[5] !== wanted) continue;
    locks.push({ kind: fields[1] as string, exclusive: fields[3] !== 'READ', pid: Number(fields[4]) });
  }
  return locks;
}

/** Major and minor numbers as glibc's makedev packs them into a dev_t. */
function deviceMajor(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n);
}

function deviceMinor(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffff_ff00n);
}

function hex2(value: bigint): string {
  return value.toString(16).padStart(2, '0');
}
