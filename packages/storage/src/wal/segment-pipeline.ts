import type { Disk, DiskFile } from '@quorate/base';
import { ZeroFiller } from './zero-filler.ts';

/** A file that will be the next segment. */
export interface PreparedSegment {
  readonly path: string;
  readonly file: DiskFile;
  readonly filler: ZeroFiller | undefined;
}

export interface PipelineOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly preallocation: 'zeros' | 'sparse';
}

/** Keeps the next segment ready as `0.tmp` or `1.tmp`, so that a cut does not wait for it. */
export class SegmentPipeline {
  private readonly disk: Disk;
  private readonly options: PipelineOptions;
  private readonly onFailure: (error: unknown) => void;
  private count = 0;
  private prepared: Promise<PreparedSegment> | undefined;
  private ready: PreparedSegment | undefined;

  constructor(disk: Disk, options: PipelineOptions, onFailure: (error: unknown) => void) {
    this.disk = disk;
    this.options = options;
    this.onFailure = onFailure;
  }

  /**
   * The log has come to `position` in the current segment. From its middle on the next one is being prepared, and filled with
   * zeros in step with the log, so that the disk sees no burst.
   */
  advance(position: number): void {
    const past = position - this.options.segmentBytes / 2;
    if (past < 0) return;
    if (this.prepared === undefined) this.begin();
    this.ready?.filler?.allow(2 * past);
  }

  /** Hands out the next segment's file. */
  take(): Promise<PreparedSegment> {
    const prepared = this.prepared ?? this.begin();
    this.prepared = undefined;
    this.ready = undefined;
    return prepared;
  }

  /** Removes what was prepared and not taken. */
  async close(): Promise<void> {
    const prepared = this.prepared;
    this.prepared = undefined;
    if (prepared === undefined) return;
    try {
      const { file, filler, path } = await prepared;
      await filler?.stop();
      await file.close();
      await this.disk.remove(path);
    } catch {
      // It was only a preparation; what is left of it is removed or reused at the next start.
    }
  }

  private begin(): Promise<PreparedSegment> {
    const prepared = this.prepare(`${this.options.directory}/${this.count++ % 2}.tmp`);
    this.prepared = prepared;
    prepared.then(
      (segment) => {
        if (this.prepared === prepared) this.ready = segment;
      },
      // Whoever takes it gets the failure.
      () => undefined,
    );
    return prepared;
  }

  private async prepare(path: string): Promise<PreparedSegment> {
    const { segmentBytes, preallocation } = this.options;
    const file = await this.disk.open(path, { write: true, create: true, mode: 0o600 });
    try {
      // A leftover of a crash may hold records.
      if (file.size() > 0) await file.truncate(0);
      await file.truncate(segmentBytes);
      await file.sync();
    } catch (error) {
      await file.close();
      throw error;
    }
    const filler = preallocation === 'zeros' ? new ZeroFiller(file, 0, segmentBytes, this.onFailure) : undefined;
    return { path, file, filler };
  }
}
