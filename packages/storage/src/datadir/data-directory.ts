import { CodedError, type Disk, type DiskFile, hasCode, type Logger } from '@quorate/base';
import { walExists } from '../wal/read-wal.ts';
import { parentOf } from './parent-of.ts';

export type DataDirectoryErrorCode = 'datadir/locked' | 'datadir/not-writable' | 'datadir/both-member-and-proxy';

export interface DataDirectoryDeps {
  readonly disk: Disk;
  readonly logger: Logger;
}

/** Where a member keeps what; all are paths. */
export interface DataDirectoryLayout {
  readonly root: string;
  readonly member: string;
  readonly snap: string;
  readonly wal: string;
  /** The bbolt file. */
  readonly database: string;
  /** Locked while a member of ours uses the directory; etcd's lock is that on the database. */
  readonly lock: string;
}

/**
 *     DATA-DIR/member/snap/db        0600, directories 0700
 *     DATA-DIR/member/snap/*.snap
 *     DATA-DIR/member/wal/*.wal      or in the WAL directory of the configuration, directly
 */
export function layoutOf(dataDirectory: string, walDirectory?: string): DataDirectoryLayout {
  const root = dataDirectory.replace(/(?<=.)\/+$/, '');
  const member = `${root}/member`;
  return {
    root,
    member,
    snap: `${member}/snap`,
    wal: walDirectory === undefined || walDirectory === '' ? `${member}/wal` : walDirectory.replace(/(?<=.)\/+$/, ''),
    database: `${member}/snap/db`,
    lock: `${member}/quorate.lock`,
  };
}

/** A member's directory, made, probed and locked. */
export class DataDirectory {
  readonly layout: DataDirectoryLayout;
  private readonly lock: DiskFile;

  private constructor(layout: DataDirectoryLayout, lock: DiskFile) {
    this.layout = layout;
    this.lock = lock;
  }

  /**
   * Makes what is missing of the directories (but not the log's, which comes to be complete), checks that they can be
   * written, and keeps other members of ours out until {@link close}.
   * @throws CodedError datadir/locked, datadir/not-writable, datadir/both-member-and-proxy
   */
  static async open(deps: DataDirectoryDeps, layout: DataDirectoryLayout): Promise<DataDirectory> {
    const { disk } = deps;
    await checkTop(deps, layout.root);
    await touchDirectory(disk, layout.root, 'data');
    for (const directory of [layout.member, layout.snap]) await touchDirectory(disk, directory, 'member');
    const lock = await disk.open(layout.lock, { write: true, create: true, mode: 0o600 });
    try {
      if (!(await lock.tryLock('exclusive'))) {
        throw new CodedError('datadir/locked', `${layout.root} is in use by another member`);
      }
    } catch (error) {
      await lock.close();
      throw error;
    }
    return new DataDirectory(layout, lock);
  }

  async close(): Promise<void> {
    await this.lock.close();
  }
}

/** Whether a member has been here before: there is a log. Then the configuration's initial cluster does not matter. */
export function hasMemberData(deps: Pick<DataDirectoryDeps, 'disk'>, layout: DataDirectoryLayout): Promise<boolean> {
  return walExists(deps, layout.wal);
}

/** Makes the directory with its parents, durably, and checks with a file `.touch` that it can be written. */
export async function touchDirectory(disk: Disk, directory: string, kind: 'data' | 'member' = 'data'): Promise<void> {
  try {
    if (!(await disk.exists(directory))) {
      const missing = await missingParents(disk, directory);
      await disk.makeDirectory(directory, 0o700);
      for (const parent of missing) await disk.syncDirectory(parent);
    }
    const probe = await disk.open(`${directory}/.touch`, { write: true, create: true, mode: 0o600 });
    await probe.close();
    await disk.remove(probe.path);
  } catch (error) {
    if (hasCode(error, 'io/stopped')) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new CodedError('datadir/not-writable', `cannot access ${kind} directory: ${what}`);
  }
}

/** The directories that get a new entry when `directory` is made. */
async function missingParents(disk: Disk, directory: string): Promise<string[]> {
  const parents: string[] = [];
  for (let path = directory; !(await disk.exists(path)); path = parentOf(path)) parents.push(parentOf(path));
  return parents;
}

async function checkTop({ disk, logger }: DataDirectoryDeps, root: string): Promise<void> {
  if (!(await disk.exists(root))) return;
  const names = await disk.list(root);
  if (names.includes('member') && names.includes('proxy')) {
    throw new CodedError(
      'datadir/both-member-and-proxy',
      `invalid datadir; both member and proxy directories exist: ${root}`,
    );
  }
  for (const name of names) {
    if (name !== 'member' && name !== 'proxy') {
      logger.warn('found invalid file under data directory', { filename: name, 'data-dir': root });
    }
  }
}
