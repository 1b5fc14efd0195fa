import { type DiskFile, hasCode } from '@quorate/base';

const pieceBytes = 256 * 1024;
const pageBytes = 4096;
const zeros = new Uint8Array(pieceBytes);

/**
 * Writes zeros into a segment ahead of the log, in pieces, in the background. A write into blocks that exist and were
 * written before needs no change of the file's metadata, so its fdatasync is cheaper (measured in bench/wal.mjs) and cannot
 * run out of space. The bytes stay zeros, which is what the log relies on; only where they are changes.
 */
export class ZeroFiller {
  private readonly file: DiskFile;
  private readonly size: number;
  private readonly onFailure: (error: unknown) => void;
  /** Zeros are written up to here, and the log has been written up to `reserved`. */
  private filled: number;
  private reserved: number;
  private allowed: number;
  private stopped = false;
  private running: Promise<void> | undefined;
  private piece: { readonly from: number; readonly written: Promise<void> } | undefined;

  /**
   * Fills from `from` on up to `size`, as far as {@link allow} says.
   * @param onFailure told of a failed write or sync. A full disk only ends the filling: the log may still fit.
   */
  constructor(file: DiskFile, from: number, size: number, onFailure: (error: unknown) => void) {
    this.file = file;
    this.size = size;
    this.onFailure = onFailure;
    this.filled = from;
    this.reserved = from;
    this.allowed = from;
  }

  /** Fills on, up to `end` at most. */
  allow(end: number): void {
    this.allowed = Math.max(this.allowed, Math.min(end, this.size));
    if (this.running !== undefined || this.stopped || this.filled >= this.allowed) return;
    this.running = this.run();
  }

  /**
   * To be called before the log is written up to `end`.
   * @returns what has to be waited for first: zeros on their way to that place.
   */
  reserve(end: number): Promise<void> | undefined {
    this.reserved = Math.max(this.reserved, end);
    return this.piece !== undefined && end > this.piece.from ? this.piece.written : undefined;
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      while (!this.stopped) {
        const from = Math.max(this.filled, Math.ceil(this.reserved / pageBytes) * pageBytes);
        const end = Math.min(from + pieceBytes, this.allowed);
        if (from >= end) break;
        const written = this.file.write([end - from === pieceBytes ? zeros : zeros.subarray(0, end - from)], from);
        this.piece = { from, written: written.catch(() => undefined) };
        await written;
        this.piece = undefined;
        this.filled = end;
        await this.file.datasync();
      }
    } catch (error) {
      this.stopped = true;
      this.piece = undefined;
      if (!hasCode(error, 'disk/no-space')) this.onFailure(error);
    }
    this.running = undefined;
  }
}
