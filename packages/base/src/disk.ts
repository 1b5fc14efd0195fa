/** Codes of errors a {@link Disk} throws as `CodedError`; every other failure keeps the system's code as `io/EIO` and so on. */
export type DiskErrorCode = 'disk/not-found' | 'disk/exists' | 'disk/no-space' | 'disk/locked' | `io/${string}`;

export interface OpenOptions {
  /** Opens for writing too; else read-only. */
  readonly write?: boolean;
  /** Creates the file when it is missing. */
  readonly create?: boolean;
  /** With `create`: fails with `disk/exists` when it is there. */
  readonly exclusive?: boolean;
  /** Permission bits of a created file, for example 0o600 (the default). */
  readonly mode?: number;
}

/** An open file. Positions and lengths are in bytes. Every failure is a `CodedError`. */
export interface DiskFile {
  readonly path: string;

  /** Size in bytes, as the system sees it now. */
  size(): number;

  /**
   * Fills `target` from `position`; returns how many bytes there were (less than asked only at the end of the file).
   * Synchronous: for pages that the system most likely has in memory.
   */
  readSync(target: Uint8Array, position: number): number;

  /** The same off the event loop, for long reads. */
  read(target: Uint8Array, position: number): Promise<number>;

  /** Writes all chunks one behind the other from `position`, growing the file as needed. The chunks must not change until it resolves. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>;

  /**
   * {@link write} and then {@link datasync}, with one wait for both: the path of a log's group commit. Not for bulk: a short
   * write may run on the event loop before the sync is handed to a thread.
   */
  writeAndDatasync(chunks: readonly Uint8Array[], position: number): Promise<void>;

  /** Makes written data and the size durable (fdatasync). A failure means that what the disk holds is unknown. */
  datasync(): Promise<void>;

  /** Makes data and all attributes durable (fsync). */
  sync(): Promise<void>;

  /** Cuts or extends (with zeros) to `size` bytes. */
  truncate(size: number): Promise<void>;

  /**
   * Tries to lock the whole file against other processes and other handles, in a way that etcd and bbolt respect on databases
   * (best effort where the platform lacks the means, never a success against a holder that can be seen). Not for hot paths:
   * the real disk starts a process for it, which holds the event loop for a time that grows with the memory in use.
   * @returns false when somebody else holds it.
   */
  tryLock(kind: 'exclusive' | 'shared'): Promise<boolean>;

  /** Whether another handle or process holds a lock on the file, as far as the system tells without taking one. Cheap. */
  isLockedElsewhere(): Promise<boolean>;

  /** Closes the file and drops its lock. */
  close(): Promise<void>;
}

/** Access to files: the real one is `NodeDisk`, the one of tests and simulations `MemoryDisk`. Paths use `/`. */
export interface Disk {
  /** @throws CodedError disk/not-found, disk/exists */
  open(path: string, options?: OpenOptions): Promise<DiskFile>;
  /** The whole file. @throws CodedError disk/not-found */
  readFile(path: string): Promise<Uint8Array>;
  /** Names in the directory, sorted ascending bytewise. @throws CodedError disk/not-found */
  list(path: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  /** Creates the directory and its missing parents with `mode` (0o700 by default); fine when it is there. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Renames over whatever has the new name. Durable only after {@link syncDirectory}. */
  rename(from: string, to: string): Promise<void>;
  /** Removes one file. @throws CodedError disk/not-found */
  remove(path: string): Promise<void>;
  /** Removes a file or a whole directory; fine when it is not there. */
  removeAll(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
}
