import { type Clock, copyBytes, type Disk, type DiskFile, equalBytes } from '@quorate/base';
import { decodeEntry, decodeHardState, decodeWalSnapshot } from './raft-codec.ts';
import { RecordType } from './record-encoder.ts';
import { type ReadEnd, RecordReader, type RecordView } from './record-reader.ts';
import { areConsecutive, parseSegmentName, type SegmentName, searchSegment } from './segment-name.ts';
import { type Entry, emptyHardState, type HardState, type WalDeps, type WalSnapshot } from './types.ts';
import { walError } from './wal-error.ts';

/** What a log says from a snapshot on. */
export interface WalContent {
  /** The bytes as they were given when the log was created; undefined in a log without any. */
  readonly metadata: Uint8Array | undefined;
  /** The last one written. Its commit may lag: it alone is not synced. */
  readonly hardState: HardState;
  /** Those behind the snapshot, without gaps. Their data are views into slices of 256 KiB. */
  readonly entries: Entry[];
  /** Whether the log has a record of the snapshot asked for. */
  readonly snapshotFound: boolean;
}

/** Gathers the records behind one snapshot. A later record of an index replaces everything from that index on. */
export class ContentCollector implements WalContent {
  metadata: Uint8Array | undefined;
  hardState: HardState = emptyHardState;
  readonly entries: Entry[] = [];
  snapshotFound = false;
  /** Index of the last entry or snapshot record. */
  lastIndex = 0;
  private readonly snapshot: WalSnapshot;

  constructor(snapshot: WalSnapshot) {
    this.snapshot = snapshot;
  }

  /** @throws WalError when the record contradicts others. */
  add(view: RecordView): void {
    switch (view.type) {
      case RecordType.entry:
        this.addEntry(decodeEntry(view.bytes, view.start, view.end));
        break;
      case RecordType.state:
        this.hardState = decodeHardState(dataOf(view));
        break;
      case RecordType.metadata:
        this.addMetadata(dataOf(view));
        break;
      case RecordType.snapshot:
        this.addSnapshot(decodeWalSnapshot(dataOf(view)));
        break;
      case RecordType.crc:
        break;
      default:
        throw walError('wal/corrupt', `unexpected block type ${view.type}`);
    }
  }

  private addEntry(entry: Entry): void {
    const { entries } = this;
    const offset = entry.index - this.snapshot.index - 1;
    if (offset >= 0) {
      if (offset > entries.length) {
        const at = `snapshot index ${this.snapshot.index}, entry index ${entry.index} behind ${entries.length} entries`;
        throw walError('wal/slice-out-of-range', `wal: slice bounds out of range: ${at}`);
      }
      if (offset < entries.length) entries.length = offset;
      entries.push(entry);
    }
    this.lastIndex = entry.index;
  }

  private addMetadata(metadata: Uint8Array): void {
    if (this.metadata !== undefined && !equalBytes(this.metadata, metadata)) {
      throw walError('wal/metadata-conflict', 'wal: conflicting metadata found');
    }
    this.metadata = copyBytes(metadata);
  }

  private addSnapshot(snapshot: WalSnapshot): void {
    this.lastIndex = Math.max(this.lastIndex, snapshot.index);
    if (snapshot.index !== this.snapshot.index) return;
    if (snapshot.term !== this.snapshot.term) {
      const terms = `record has term ${snapshot.term}, snapshot ${this.snapshot.term}, at index ${snapshot.index}`;
      throw walError('wal/snapshot-mismatch', `wal: snapshot mismatch: ${terms}`);
    }
    this.snapshotFound = true;
  }
}

export function dataOf(view: RecordView): Uint8Array {
  return view.start < 0 ? view.bytes.subarray(0, 0) : view.bytes.subarray(view.start, view.end);
}

/** Reads all records of open segments into `collector`. */
export function collect(files: readonly DiskFile[], clock: Clock, collector: ContentCollector): Promise<ReadEnd> {
  return new RecordReader(files, clock).readAll((view) => collector.add(view));
}

/** The segments in the directory, ascending. Other names are only worth a warning. @throws WalError wal/not-found without any. */
export async function listSegments(
  { disk, logger }: Pick<WalDeps, 'disk' | 'logger'>,
  directory: string,
): Promise<SegmentName[]> {
  const segments: SegmentName[] = [];
  for (const name of await listOrEmpty(disk, directory)) {
    const segment = parseSegmentName(name);
    if (segment !== undefined) segments.push(segment);
    else if (!/\.(tmp|lock)$/.test(name))
      logger.warn('ignored file in WAL directory', { path: `${directory}/${name}` });
  }
  if (segments.length === 0) throw walError('wal/not-found', `wal: file not found: ${directory}`);
  return segments;
}

/** The segments that are needed to read everything behind `index`. @throws WalError wal/not-found */
export async function selectSegments(
  deps: Pick<WalDeps, 'disk' | 'logger'>,
  directory: string,
  index: number,
): Promise<SegmentName[]> {
  const all = await listSegments(deps, directory);
  const first = searchSegment(all, index);
  const selected = all.slice(first);
  if (first < 0 || !areConsecutive(selected)) {
    const why = first < 0 ? `no segment begins at or before index ${index}` : 'a segment is missing';
    throw walError('wal/not-found', `wal: file not found: ${directory}: ${why}`);
  }
  return selected;
}

/** Opens all or none. */
export async function openSegments(
  disk: Disk,
  directory: string,
  segments: readonly SegmentName[],
  write: boolean,
): Promise<DiskFile[]> {
  const files: DiskFile[] = [];
  try {
    for (const { name } of segments) {
      const file = await disk.open(`${directory}/${name}`, { write });
      files.push(file);
      if (write && !(await file.tryLock('exclusive'))) {
        throw walError('wal/locked', `fileutil: file already locked: ${file.path}`);
      }
    }
    return files;
  } catch (error) {
    await closeAll(files);
    throw error;
  }
}

export async function closeAll(files: readonly DiskFile[]): Promise<void> {
  for (const file of files) await file.close();
}

async function listOrEmpty(disk: Disk, directory: string): Promise<string[]> {
  return (await disk.exists(directory)) ? disk.list(directory) : [];
}
