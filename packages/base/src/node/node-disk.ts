import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import path from 'node:path';
import type { Disk, DiskFile, OpenOptions } from '@quorate/base';
import { diskError } from './node-disk-error.ts';
import { acquireLock, isLockedElsewhere, type NodeLock, type NodeLockOptions, releaseLock } from './node-lock.ts';

/**
 * Up to this size {@link DiskFile.writeAndDatasync} writes on the event loop before it hands the sync to a thread. Measured
 * (ext4, NVMe, write and fdatasync into a zero-filled file, p50): 512 B in 47 µs instead of 83 µs by two trips to the thread
 * pool, 4 KiB 60/71, 64 KiB 77/105. The write alone holds the loop for 2, 3 and 12 µs: less than a trip costs it.
 */
const inlineWriteBytesMax = 64 * 1024;

export type NodeDiskOptions = Partial<NodeLockOptions> & {
  /** Never waits for the disk: a crash of the machine may lose what was acknowledged. */
  readonly unsafeNoSync?: boolean;
};

/** The machine's files. */
export class NodeDisk implements Disk {
  private readonly locks: NodeLockOptions;
  private readonly syncs: boolean;

  constructor(options: NodeDiskOptions = {}) {
    this.syncs = options.unsafeNoSync !== true;
    this.locks = {
      flockProgram: options.flockProgram ?? 'flock',
      procLocks: options.procLocks ?? '/proc/locks',
    };
  }

  async open(name: string, options: OpenOptions = {}): Promise<DiskFile> {
    let flags = options.write === true ? fs.constants.O_RDWR : fs.constants.O_RDONLY;
    if (options.create === true) {
      flags |= fs.constants.O_CREAT;
      if (options.exclusive === true) flags |= fs.constants.O_EXCL;
    }
    const fd = await called<number>((done) => fs.open(name, flags, options.mode ?? 0o600, done));
    return new NodeFile(name, fd, this.locks, this.syncs);
  }

  async readFile(name: string): Promise<Uint8Array> {
    const bytes = await translated(fsPromises.readFile(name));
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  async list(name: string): Promise<string[]> {
    return (await translated(fsPromises.readdir(name))).sort();
  }

  async exists(name: string): Promise<boolean> {
    try {
      await fsPromises.stat(name);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw diskError(error);
    }
  }

  /** Level by level: Node's own recursive form never returns where a parent refuses a child as if it were not there (/proc). */
  async makeDirectory(name: string, mode = 0o700): Promise<void> {
    const parent = path.dirname(name);
    if (parent !== name && !(await this.exists(parent))) await this.makeDirectory(parent, mode);
    try {
      await fsPromises.mkdir(name, { mode });
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
      if (!isThere || !(await translated(fsPromises.stat(name))).isDirectory()) throw diskError(error);
    }
  }

  rename(from: string, to: string): Promise<void> {
    return translated(fsPromises.rename(from, to));
  }

  remove(name: string): Promise<void> {
    return translated(fsPromises.unlink(name));
  }

  removeAll(name: string): Promise<void> {
    return translated(fsPromises.rm(name, { recursive: true, force: true }));
  }

  async syncDirectory(name: string): Promise<void> {
    if (!this.syncs) return;
    const fd = await called<number>((done) => fs.open(name === '' ? '.' : name, fs.constants.O_RDONLY, done));
    try {
      await called<void>((done) => fs.fsync(fd, done));
    } finally {
      await called<void>((done) => fs.close(fd, done));
    }
  }
}

class NodeFile implements DiskFile {
  readonly path: string;
  private readonly fd: number;
  private readonly locks: NodeLockOptions;
  private readonly syncs: boolean;
  private lock: NodeLock | undefined;
  private closed = false;

  constructor(name: string, fd: number, locks: NodeLockOptions, syncs: boolean) {
    this.path = name;
    this.fd = fd;
    this.locks = locks;
    this.syncs = syncs;
  }

  size(): number {
    try {
      return fs.fstatSync(this.fd).size;
    } catch (error) {
      throw diskError(error);
    }
  }

  readSync(target: Uint8Array, position: number): number {
    try {
      let done = 0;
      while (done < target.length) {
        const count = fs.readSync(this.fd, target, done, target.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    } catch (error) {
      throw diskError(error);
    }
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const count = await called<number>((callback) =>
        fs.read(this.fd, target, done, target.length - done, position + done, callback),
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    let left = chunks;
    let size = totalBytes(left);
    for (let at = position; size > 0; ) {
      const current = left;
      const start = at;
      const only = current[0];
      const count = await called<number>((done) =>
        current.length === 1 && only !== undefined
          ? fs.write(this.fd, only, 0, only.length, start, done)
          : fs.writev(this.fd, current, start, done),
      );
      at += count;
      size -= count;
      if (size > 0) left = afterBytes(left, count);
    }
  }

  writeAndDatasync(chunks: readonly Uint8Array[], position: number): Promise<void> {
    const size = totalBytes(chunks);
    if (size > inlineWriteBytesMax) return this.write(chunks, position).then(() => this.datasync());
    try {
      this.writeInline(chunks, size, position);
    } catch (error) {
      return Promise.reject(diskError(error));
    }
    return this.datasync();
  }

  private writeInline(chunks: readonly Uint8Array[], size: number, position: number): void {
    let left = chunks;
    for (let done = 0; done < size; ) {
      const only = left[0] as Uint8Array;
      const count =
        left.length === 1
          ? fs.writeSync(this.fd, only, 0, only.length, position + done)
          : fs.writevSync(this.fd, left, position + done);
      done += count;
      if (done < size) left = afterBytes(left, count);
    }
  }

  datasync(): Promise<void> {
    if (!this.syncs) return Promise.resolve();
    return called<void>((done) => fs.fdatasync(this.fd, done));
  }

  sync(): Promise<void> {
    if (!this.syncs) return Promise.resolve();
    return called<void>((done) => fs.fsync(this.fd, done));
  }

  truncate(size: number): Promise<void> {
    return called<void>((done) => fs.ftruncate(this.fd, size, done));
  }

  async tryLock(kind: 'exclusive' | 'shared'): Promise<boolean> {
    const exclusive = kind === 'exclusive';
    if (this.lock?.exclusive === exclusive) return true;
    const lock = await acquireLock(this.fd, path.resolve(this.path), exclusive, this.lock, this.locks);
    if (lock === undefined) return false;
    if (this.lock !== undefined && this.lock.lockFile !== lock.lockFile) releaseLock(this.lock);
    this.lock = lock;
    return true;
  }

  async isLockedElsewhere(): Promise<boolean> {
    return isLockedElsewhere(this.fd, path.resolve(this.path), this.lock, this.locks);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await called<void>((done) => fs.close(this.fd, done));
    if (this.lock !== undefined) releaseLock(this.lock);
    this.lock = undefined;
  }
}

/** A callback API's answer as a promise, its errors in the `Disk` interface's terms. */
function called<T>(call: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = (error: NodeJS.ErrnoException | null, value?: T): void => {
      if (error === null) resolve(value as T);
      else reject(diskError(error));
    };
    try {
      call(done);
    } catch (error) {
      reject(diskError(error));
    }
  });
}

function translated<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw diskError(error);
  });
}

function totalBytes(chunks: readonly Uint8Array[]): number {
  let size = 0;
  for (let i = 0; i < chunks.length; i++) size += (chunks[i] as Uint8Array).length;
  return size;
}

/** What is left of the chunks behind their first `count` bytes, after a short write. */
function afterBytes(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = count;
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      left.push(skip === 0 ? chunk : chunk.subarray(skip));
      skip = 0;
    }
  }
  return left;
}
