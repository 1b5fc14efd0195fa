import { assert } from './assert.ts';
import { allocateUnsafe, concatBytes } from './bytes.ts';
import type { Disk, DiskFile, OpenOptions } from './disk.ts';
import { CodedError } from './errors.ts';
import { MemoryContent } from './memory-disk-content.ts';
import { nextBelow, type Random } from './random.ts';

/** What a {@link MemoryDisk} counts and can be told to fail at. `writeAndDatasync` counts as a `write` and then a `datasync`. */
export type DiskOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'truncate'
  | 'datasync'
  | 'sync'
  | 'lock'
  | 'close'
  | 'list'
  | 'make-directory'
  | 'rename'
  | 'remove'
  | 'sync-directory';

/**
 * What is to happen instead of the operation. `fail`: `io/EIO`, nothing done. `no-space`: `disk/no-space`, nothing done.
 * `crash`: the machine stops in the middle of it: a write or a change of a directory is under way but not durable, a sync has
 * made nothing durable for certain, and everything from here on rejects with `io/stopped` until {@link MemoryDisk.crash}.
 */
export type DiskFault = 'fail' | 'no-space' | 'crash' | Misdirection;

/**
 * A write is done, but elsewhere, and durable there at once; where it belongs stays what was there, zeros where that is behind the end.
 * All other operations do what they should.
 */
export interface Misdirection {
  /** Added to its position. What would come before the beginning or behind the end is in no file. */
  readonly byBytes: number;
  /** Of the file that it is written to; undefined for the right one. */
  readonly into?: string | undefined;
}

/**
 * What is left: `process`: all that was written, as when only the program dies; `synced`: only what was synced, file by file
 * and directory by directory; `torn`: that, and by chance some sectors of unsynced writes and the first few of the unsynced
 * changes of directories.
 */
export type CrashMode = 'process' | 'synced' | 'torn';

export interface MemoryDiskOptions {
  /** Called before every operation. */
  readonly onOperation?: (operation: DiskOperation, path: string) => DiskFault | undefined;
  /** Called after an operation took effect and before its promise resolves: what it returns is waited for. A sync's effect comes after the wait. */
  readonly settle?: (operation: DiskOperation, path: string) => Promise<void> | undefined;
}

class MemoryFile {
  readonly content = new MemoryContent();
  exclusive: MemoryHandle | undefined;
  readonly shared = new Set<MemoryHandle>();
}

class MemoryDirectory {
  readonly current = new Map<string, MemoryNode>();
  readonly durable = new Map<string, MemoryNode>();
}

type MemoryNode = MemoryFile | MemoryDirectory;

/** An unsynced change of directories: names that now mean another node, or none. */
type DirectoryChange = readonly {
  readonly directory: MemoryDirectory;
  readonly name: string;
  readonly node: MemoryNode | undefined;
}[];

/**
 * A disk in memory for tests and simulations, which knows what was synced and can lose the rest. Creations, renames and
 * removals survive {@link crash} only when their directory was synced, contents only when the file was. It starts with `/`.
 */
export class MemoryDisk implements Disk {
  private readonly root = new MemoryDirectory();
  private readonly options: MemoryDiskOptions;
  private readonly counts = new Map<DiskOperation, number>();
  private changes: DirectoryChange[] = [];
  private stopped = false;
  /** Handles opened before the last crash are dead. */
  private incarnation = 0;
  onOperation: MemoryDiskOptions['onOperation'];

  constructor(options: MemoryDiskOptions = {}) {
    this.options = options;
    this.onOperation = options.onOperation;
  }

  /** How many operations of that kind were begun, failed ones included. */
  operations(kind: DiskOperation): number {
    return this.counts.get(kind) ?? 0;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** Stops the machine now: everything rejects with `io/stopped` until {@link crash}. */
  stop(): void {
    this.stopped = true;
  }

  /** The machine loses power and starts again: open files and locks are gone, and what `mode` says of what was not synced. */
  crash(random: Random, mode: CrashMode): void {
    if (mode === 'torn') {
      const kept = nextBelow(random, this.changes.length + 1);
      for (const change of this.changes.slice(0, kept)) makeDurable(change);
    }
    if (mode !== 'process') this.changes = [];
    this.restart(this.root, random, mode);
    this.stopped = false;
    this.incarnation++;
  }

  private restart(directory: MemoryDirectory, random: Random, mode: CrashMode): void {
    if (mode !== 'process') {
      directory.current.clear();
      for (const [name, node] of directory.durable) directory.current.set(name, node);
    }
    for (const node of directory.current.values()) {
      if (node instanceof MemoryDirectory) {
        this.restart(node, random, mode);
        continue;
      }
      node.exclusive = undefined;
      node.shared.clear();
      if (mode !== 'process') node.content.crash(mode === 'torn' ? random : undefined);
    }
  }

  /** Inverts the bits of `mask` in the byte at `position` of a file, on the disk and for all that read it: what ages does to disks. */
  rot(path: string, position: number, mask: number): void {
    const file = this.find(path);
    if (!(file instanceof MemoryFile)) throw notFound(path);
    file.content.rot(position, mask);
  }

  /** @internal */
  misdirect(file: MemoryFile, data: Uint8Array, position: number, { byBytes, into }: Misdirection): void {
    const size = Math.max(file.content.size, position + data.length);
    const target = into === undefined ? file : this.find(into);
    const place = position + byBytes;
    if (target instanceof MemoryFile && place >= 0 && place + data.length <= target.content.size) {
      target.content.overwrite(data, place);
    }
    file.content.truncate(size);
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const existing = this.find(path);
    const creates = existing === undefined && options.create === true;
    const fault = this.begin(creates ? 'create' : 'open', path);
    if (existing === undefined && !creates) throw notFound(path);
    if (existing instanceof MemoryDirectory) throw new CodedError('io/EISDIR', `${path} is a directory`);
    if (existing !== undefined && options.create === true && options.exclusive === true) {
      throw new CodedError('disk/exists', `${path} exists`);
    }
    let file = existing;
    if (file === undefined) {
      file = new MemoryFile();
      const { directory, name } = this.parent(path);
      this.change([{ directory, name, node: file }]);
    }
    await this.end(creates ? 'create' : 'open', path, fault);
    return new MemoryHandle(this, path, file, options.write === true, this.incarnation);
  }

  async readFile(path: string): Promise<Uint8Array> {
    const fault = this.begin('read', path);
    const file = this.find(path);
    if (!(file instanceof MemoryFile)) throw notFound(path);
    const bytes = allocateUnsafe(file.content.size);
    file.content.read(bytes, 0);
    await this.end('read', path, fault);
    return bytes;
  }

  async list(path: string): Promise<string[]> {
    const fault = this.begin('list', path);
    const names = [...this.directory(path).current.keys()].sort();
    await this.end('list', path, fault);
    return names;
  }

  async exists(path: string): Promise<boolean> {
    this.checkRunning(this.incarnation);
    return this.find(path) !== undefined;
  }

  async makeDirectory(path: string, _mode?: number): Promise<void> {
    const fault = this.begin('make-directory', path);
    let directory = this.root;
    for (const name of segments(path)) {
      let node = directory.current.get(name);
      if (node instanceof MemoryFile) throw new CodedError('io/ENOTDIR', `${path}: ${name} is a file`);
      if (node === undefined) {
        node = new MemoryDirectory();
        this.change([{ directory, name, node }]);
      }
      directory = node;
    }
    await this.end('make-directory', path, fault);
  }

  async rename(from: string, to: string): Promise<void> {
    const fault = this.begin('rename', from);
    const node = this.find(from);
    if (node === undefined) throw notFound(from);
    const source = this.parent(from);
    const target = this.parent(to);
    const replaced = target.directory.current.get(target.name);
    if (replaced instanceof MemoryDirectory && replaced.current.size > 0) {
      throw new CodedError('io/ENOTEMPTY', `${to} is not empty`);
    }
    if (replaced !== node) {
      this.change([
        { ...source, node: undefined },
        { ...target, node },
      ]);
    }
    await this.end('rename', from, fault);
  }

  async remove(path: string): Promise<void> {
    const fault = this.begin('remove', path);
    const node = this.find(path);
    if (node === undefined) throw notFound(path);
    if (node instanceof MemoryDirectory) throw new CodedError('io/EISDIR', `${path} is a directory`);
    this.change([{ ...this.parent(path), node: undefined }]);
    await this.end('remove', path, fault);
  }

  async removeAll(path: string): Promise<void> {
    const fault = this.begin('remove', path);
    const node = this.find(path);
    if (node !== undefined) this.removeTree(path, node);
    await this.end('remove', path, fault);
  }

  /** Bottom up and one by one, as the real thing does it: a crash may leave a part. */
  private removeTree(path: string, node: MemoryNode): void {
    if (node instanceof MemoryDirectory) {
      for (const [name, child] of [...node.current]) this.removeTree(`${path}/${name}`, child);
    }
    const { directory, name } = this.parent(path);
    this.change([{ directory, name, node: undefined }]);
  }

  /** Also makes durable those earlier changes without which this directory's could not be: the other end of a rename. */
  async syncDirectory(path: string): Promise<void> {
    const fault = this.begin('sync-directory', path);
    const wanted = new Set([this.directory(path)]);
    const count = this.changes.length;
    await this.end('sync-directory', path, fault);
    const synced: DirectoryChange[] = [];
    const left = this.changes.slice(count).reverse();
    for (const change of this.changes.slice(0, count).reverse()) {
      if (change.some((part) => wanted.has(part.directory))) {
        for (const part of change) wanted.add(part.directory);
        synced.push(change);
      } else {
        left.push(change);
      }
    }
    for (const change of synced.reverse()) makeDurable(change);
    this.changes = left.reverse();
  }

  /** Counts, and asks the hook. @internal */
  begin(operation: DiskOperation, path: string, incarnation: number = this.incarnation): DiskFault | undefined {
    this.checkRunning(incarnation);
    this.counts.set(operation, this.operations(operation) + 1);
    const fault = this.onOperation?.(operation, path);
    if (fault === 'fail') throw new CodedError('io/EIO', `${operation} ${path}: injected failure`);
    if (fault === 'no-space') throw new CodedError('disk/no-space', `${operation} ${path}: no space (injected)`);
    return fault;
  }

  /** Waits as the options say; a crash, injected or meanwhile, ends the operation here. @internal */
  async end(operation: DiskOperation, path: string, fault: DiskFault | undefined): Promise<void> {
    const incarnation = this.incarnation;
    if (fault === 'crash') this.stopped = true;
    this.checkRunning(incarnation);
    await this.options.settle?.(operation, path);
    this.checkRunning(incarnation);
  }

  /** @internal */
  checkRunning(incarnation: number): void {
    if (this.stopped || incarnation !== this.incarnation) throw new CodedError('io/stopped', 'the machine has stopped');
  }

  private change(change: DirectoryChange): void {
    for (const { directory, name, node } of change) {
      if (node === undefined) directory.current.delete(name);
      else directory.current.set(name, node);
    }
    this.changes.push(change);
  }

  private find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root;
    for (const name of segments(path)) {
      if (!(node instanceof MemoryDirectory)) return undefined;
      node = node.current.get(name);
    }
    return node;
  }

  private directory(path: string): MemoryDirectory {
    const node = this.find(path);
    if (!(node instanceof MemoryDirectory)) throw notFound(path);
    return node;
  }

  private parent(path: string): { directory: MemoryDirectory; name: string } {
    const names = segments(path);
    const name = names.pop();
    assert(name !== undefined, 'the root has no parent');
    return { directory: this.directory(names.join('/')), name };
  }
}

class MemoryHandle implements DiskFile {
  readonly path: string;
  private readonly disk: MemoryDisk;
  private readonly file: MemoryFile;
  private readonly writable: boolean;
  private readonly incarnation: number;
  private closed = false;

  constructor(disk: MemoryDisk, path: string, file: MemoryFile, writable: boolean, incarnation: number) {
    this.disk = disk;
    this.path = path;
    this.file = file;
    this.writable = writable;
    this.incarnation = incarnation;
  }

  size(): number {
    this.check();
    return this.file.content.size;
  }

  readSync(target: Uint8Array, position: number): number {
    this.check();
    this.disk.begin('read', this.path, this.incarnation);
    return this.file.content.read(target, position);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const count = this.readSync(target, position);
    await this.disk.end('read', this.path, undefined);
    return count;
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.checkWritable();
    const fault = this.disk.begin('write', this.path, this.incarnation);
    const data = concatBytes(chunks);
    if (typeof fault === 'object') this.disk.misdirect(this.file, data, position, fault);
    else this.file.content.write(data, position);
    await this.disk.end('write', this.path, fault);
  }

  async writeAndDatasync(chunks: readonly Uint8Array[], position: number): Promise<void> {
    await this.write(chunks, position);
    await this.datasync();
  }

  datasync(): Promise<void> {
    return this.syncAs('datasync');
  }

  sync(): Promise<void> {
    return this.syncAs('sync');
  }

  private async syncAs(operation: 'datasync' | 'sync'): Promise<void> {
    this.check();
    const fault = this.disk.begin(operation, this.path, this.incarnation);
    const mark = this.file.content.mark;
    await this.disk.end(operation, this.path, fault);
    this.file.content.syncUpTo(mark);
  }

  async truncate(size: number): Promise<void> {
    this.checkWritable();
    const fault = this.disk.begin('truncate', this.path, this.incarnation);
    this.file.content.truncate(size);
    await this.disk.end('truncate', this.path, fault);
  }

  async tryLock(kind: 'exclusive' | 'shared'): Promise<boolean> {
    this.check();
    this.disk.begin('lock', this.path, this.incarnation);
    const { file } = this;
    if (file.exclusive !== undefined && file.exclusive !== this) return false;
    if (kind === 'exclusive') {
      for (const holder of file.shared) if (holder !== this) return false;
    }
    this.unlock();
    if (kind === 'exclusive') file.exclusive = this;
    else file.shared.add(this);
    return true;
  }

  async isLockedElsewhere(): Promise<boolean> {
    this.check();
    const { exclusive, shared } = this.file;
    if (exclusive !== undefined) return exclusive !== this;
    return shared.size > (shared.has(this) ? 1 : 0);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    // After a crash there is nothing to close, and whoever cleans up shall not stumble over it.
    if (this.disk.isStopped) return;
    this.unlock();
  }

  private unlock(): void {
    if (this.file.exclusive === this) this.file.exclusive = undefined;
    this.file.shared.delete(this);
  }

  private check(): void {
    if (this.closed) throw new CodedError('io/EBADF', `${this.path} is closed`);
    this.disk.checkRunning(this.incarnation);
  }

  private checkWritable(): void {
    this.check();
    if (!this.writable) throw new CodedError('io/EBADF', `${this.path} is open for reading only`);
  }
}

function makeDurable(change: DirectoryChange): void {
  for (const { directory, name, node } of change) {
    if (node === undefined) directory.durable.delete(name);
    else directory.durable.set(name, node);
  }
}

function segments(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function notFound(path: string): CodedError {
  return new CodedError('disk/not-found', `${path}: no such file or directory`);
}
