import { assert } from '@quorate/base';
import { decodeHardState, decodeWalSnapshot } from './raft-codec.ts';
import { RecordType } from './record-encoder.ts';
import { type ReadEnd, RecordReader, type RecordView } from './record-reader.ts';
import { emptyHardState, type HardState, type WalDeps, type WalSnapshot } from './types.ts';
import {
  ContentCollector,
  closeAll,
  collect,
  dataOf,
  listSegments,
  openSegments,
  selectSegments,
  type WalContent,
} from './wal-content.ts';
import { walError } from './wal-error.ts';

type ReadDeps = Pick<WalDeps, 'disk' | 'clock' | 'logger'>;

/** Whether the directory holds a log: at least one name that ends in `.wal`. */
export async function walExists({ disk }: Pick<WalDeps, 'disk'>, directory: string): Promise<boolean> {
  if (!(await disk.exists(directory))) return false;
  return (await disk.list(directory)).some((name) => name.endsWith('.wal'));
}

/**
 * Reads the log behind `snapshot` without locks and without changing anything, also while a member writes it: a torn record
 * at the end is where it ends.
 * @throws WalError also `wal/snapshot-not-found`
 */
export async function readWal(deps: ReadDeps, directory: string, snapshot: WalSnapshot): Promise<WalContent> {
  const segments = await selectSegments(deps, directory, snapshot.index);
  const files = await openSegments(deps.disk, directory, segments, false);
  try {
    const collector = new ContentCollector(snapshot);
    const end = await collect(files, deps.clock, collector);
    throwUnlessTorn(end);
    if (!collector.snapshotFound) throw walError('wal/snapshot-not-found', 'wal: snapshot not found');
    return collector;
  } finally {
    await closeAll(files);
  }
}

/**
 * Checks frames, checksums, and that the log has the snapshot and fits together behind it.
 * @returns the last hard state.
 * @throws WalError
 */
export async function verifyWal(deps: ReadDeps, directory: string, snapshot: WalSnapshot): Promise<HardState> {
  const { hardState } = await readWal(deps, directory, snapshot);
  return hardState;
}

/**
 * The snapshot records of the whole log that the last hard state's commit covers, in the order of the log. A snapshot file
 * without such a record was being written when the member stopped.
 * @throws WalError
 */
export async function validSnapshotEntries(deps: ReadDeps, directory: string): Promise<WalSnapshot[]> {
  const files = await openSegments(deps.disk, directory, await listSegments(deps, directory), false);
  try {
    const snapshots: WalSnapshot[] = [];
    let state = emptyHardState;
    const visit = (view: RecordView): void => {
      if (view.type === RecordType.snapshot) snapshots.push(decodeWalSnapshot(dataOf(view)));
      else if (view.type === RecordType.state) state = decodeHardState(dataOf(view));
    };
    throwUnlessTorn(await new RecordReader(files, deps.clock).readAll(visit));
    return snapshots.filter(({ index }) => index <= state.commit);
  } finally {
    await closeAll(files);
  }
}

/**
 * Cuts off a torn record at the end of the last segment, as a crash leaves it, and keeps the file as it was beside it, as
 * `NAME.broken`.
 * @returns false when the segment is damaged in another way, which no cut repairs.
 */
export async function repairWal(deps: ReadDeps, directory: string): Promise<boolean> {
  const last = (await listSegments(deps, directory)).slice(-1);
  const [file] = await openSegments(deps.disk, directory, last, true);
  assert(file !== undefined, 'one segment opened');
  try {
    deps.logger.info('repairing', { path: file.path });
    const { error, position } = await new RecordReader([file], deps.clock).readAll(() => {});
    if (error === undefined) return true;
    if (error.code !== 'wal/unexpected-eof') {
      deps.logger.warn('failed to repair', { path: file.path, error: error.message });
      return false;
    }
    await keepBroken(deps, directory, file.path);
    await file.truncate(position);
    await file.sync();
    deps.logger.info('repaired', { path: file.path, position });
    return true;
  } finally {
    await file.close();
  }
}

async function keepBroken({ disk }: ReadDeps, directory: string, path: string): Promise<void> {
  const copy = await disk.open(`${path}.broken`, { write: true, create: true, mode: 0o600 });
  try {
    await copy.truncate(0);
    await copy.write([await disk.readFile(path)], 0);
    await copy.sync();
  } finally {
    await copy.close();
  }
  await disk.syncDirectory(directory);
}

function throwUnlessTorn({ error }: ReadEnd): void {
  if (error !== undefined && error.code !== 'wal/unexpected-eof') throw error;
}
