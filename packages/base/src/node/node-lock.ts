import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { diskError } from './node-disk-error.ts';
import { locksOf, type ProcLock } from './proc-locks.ts';

/** What one open file holds: a flock(2) on its description, taken by the process `pid`, or a lock file of our own. */
export interface NodeLock {
  readonly exclusive: boolean;
  readonly pid: number | undefined;
  readonly lockFile: string | undefined;
}

export interface NodeLockOptions {
  /** The program of util-linux or busybox that calls flock(2) on an inherited descriptor. */
  readonly flockProgram: string;
  /** Where Linux lists the locks that are held. */
  readonly procLocks: string;
}

/**
 * Locks the open file without flock(2) or fcntl(2), which Node lacks:
 * - Holders that the kernel lists are seen and respected, whatever call they used: bbolt and etcd's databases (flock) and
 *   etcd's WAL segments (open-file-description locks).
 * - flock(2) locks belong to the open file description, and a child that inherits our descriptor shares ours. So
 *   `flock -n -x 3` with our descriptor as its 3 leaves the lock with us when it ends: etcd then waits for a database of ours.
 * - Without that program, a file PATH.lock naming our process keeps other Quorate processes out, and only those.
 *
 * An open-file-description lock cannot be taken in this way: a real etcd does not see that we hold a WAL segment. The
 * database beside it is what keeps it out.
 * @param held what this file holds already.
 * @returns undefined when somebody else holds it.
 */
export async function acquireLock(
  fd: number,
  path: string,
  exclusive: boolean,
  held: NodeLock | undefined,
  options: NodeLockOptions,
): Promise<NodeLock | undefined> {
  if (conflicts(foreignLocks(fd, held?.pid, options), exclusive)) return undefined;
  const outcome = await runFlock(options.flockProgram, exclusive ? '-x' : '-s', fd);
  if (outcome === 'missing') return acquireLockFile(path, exclusive, held);
  if (outcome === undefined) return undefined;
  // Somebody may have taken a lock of the kind that flock(2) does not see since we looked.
  const others = foreignLocks(fd, outcome, options).filter((lock) => lock.kind !== 'FLOCK');
  if (conflicts(others, exclusive)) {
    await runFlock(options.flockProgram, '-u', fd);
    return undefined;
  }
  return { exclusive, pid: outcome, lockFile: undefined };
}

/** What can be seen without taking a lock. */
export function isLockedElsewhere(
  fd: number,
  path: string,
  held: NodeLock | undefined,
  options: NodeLockOptions,
): boolean {
  if (foreignLocks(fd, held?.pid, options).length > 0) return true;
  return held?.lockFile === undefined && lockFileIsLive(`${path}.lock`);
}

/** To be called when the file is closed: closing drops the kernel's lock, the lock file has to be removed. */
export function releaseLock(lock: NodeLock): void {
  if (lock.lockFile !== undefined) fs.rmSync(lock.lockFile, { force: true });
}

function conflicts(locks: readonly ProcLock[], exclusive: boolean): boolean {
  return locks.some((lock) => exclusive || lock.exclusive);
}

function foreignLocks(fd: number, ownPid: number | undefined, options: NodeLockOptions): ProcLock[] {
  let text: string;
  try {
    text = fs.readFileSync(options.procLocks, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw diskError(error);
  }
  const { dev, ino } = fs.fstatSync(fd, { bigint: true });
  return locksOf(text, dev, ino).filter((lock) => !(lock.kind === 'FLOCK' && lock.pid === ownPid));
}

/** The process id under which the lock was taken, undefined when it is held elsewhere, `missing` when there is no such program. */
function runFlock(program: string, how: '-x' | '-s' | '-u', fd: number): Promise<number | undefined | 'missing'> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-n', how, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve('missing');
      else reject(diskError(error));
    });
    child.once('exit', (code) => resolve(code === 0 ? child.pid : undefined));
  });
}

function acquireLockFile(path: string, exclusive: boolean, held: NodeLock | undefined): NodeLock | undefined {
  if (held?.exclusive === true) return held;
  const lockFile = `${path}.lock`;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (!exclusive) {
      if (lockFileIsLive(lockFile)) return undefined;
      return { exclusive, pid: undefined, lockFile: undefined };
    }
    try {
      fs.writeFileSync(lockFile, processMark(process.pid), { flag: 'wx', mode: 0o600 });
      return { exclusive, pid: undefined, lockFile };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw diskError(error);
      if (lockFileIsLive(lockFile)) return undefined;
      fs.rmSync(lockFile, { force: true });
    }
  }
  return undefined;
}

function lockFileIsLive(lockFile: string): boolean {
  let mark: string;
  try {
    mark = fs.readFileSync(lockFile, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw diskError(error);
  }
  const pid = Number.parseInt(mark, 10);
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return processMark(pid) === mark;
}

/** A process id with the time it began, where the system tells: in a container every restart is process 1 again. */
function processMark(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Field 22, counted behind the program's name in parentheses, which may hold anything (proc_pid_stat(5)).
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}\n`;
  } catch {
    // Not Linux: the process id alone has to do.
    return `${pid} -\n`;
  }
}
