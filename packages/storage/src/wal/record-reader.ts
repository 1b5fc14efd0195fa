import { allocateUnsafe, type Clock, crc32c, type DiskFile, nextTurn } from '@quorate/base';
import { cursor, ProtobufError, readUint, readUint32, skipUnknownField } from './protobuf.ts';
import { RecordType } from './record-encoder.ts';
import { type WalError, type WalErrorCode, walError } from './wal-error.ts';

const sliceBytes = 256 * 1024;
/** How long decoding may hold the event loop. */
const sliceMs = 3;
/** Power loss tears a write between sectors of this size, at absolute positions in the file. */
const sectorBytes = 512;
const twoTo32 = 0x1_0000_0000;

/** One record, as the reader holds it until the next. `data` lies in `bytes[start, end)`; -1 for no data field. */
export interface RecordView {
  type: number;
  crc: number;
  bytes: Uint8Array;
  start: number;
  end: number;
}

/** What the next record is: `record` (in {@link RecordReader.view}), `end` of all files, `more` bytes have to be read first, or a failure. */
type Outcome = 'record' | 'end' | 'more' | WalError;

export interface ReadEnd {
  /** Why it stopped: undefined for a clean end. `wal/unexpected-eof` is what a crash leaves; everything else is damage. */
  readonly error: WalError | undefined;
  /** Behind the last good record of the last file that was read. */
  readonly position: number;
  /** The running checksum there. */
  readonly crc: number;
  /** Which of the files that is. */
  readonly fileIndex: number;
}

/**
 * Reads the records of consecutive segments, checks their frames and checksums, and tells a torn write at the very end from
 * damage. Reads ahead in slices and yields by the clock, so that a long log does not hold the event loop.
 */
export class RecordReader {
  readonly view: RecordView = { type: 0, crc: 0, bytes: new Uint8Array(0), start: 0, end: 0 };
  private readonly files: readonly DiskFile[];
  private readonly clock: Clock;
  private fileIndex = 0;
  private fileSize = 0;
  /** Position in the file of `buffer[0]`. */
  private base = 0;
  private buffer: Uint8Array = new Uint8Array(0);
  /** Bytes of `buffer` that are filled, and the position of the next frame in it. */
  private filled = 0;
  private next = 0;
  /** Bytes of the frame at `next`, padding included, once they are known. */
  private frameBytes = 0;
  private crc = 0;
  /** Reads that turned out not to be needed but may still run. */
  private readonly abandoned: Promise<unknown>[] = [];
  /** The read of what follows `buffer`, begun before it is needed. */
  private ahead: { readonly bytes: Uint8Array; readonly count: Promise<number> } | undefined;

  constructor(files: readonly DiskFile[], clock: Clock) {
    this.files = files;
    this.clock = clock;
  }

  /**
   * Calls `visit` for every good record up to the end, which may throw a {@link WalError} to stop: it comes back as the
   * reason. Views of `view.bytes` that are kept hold their slice of 256 KiB in memory.
   */
  async readAll(visit: (view: RecordView) => void): Promise<ReadEnd> {
    if (this.files.length > 0) this.startFile(0);
    let sliceEndsMs = this.clock.nowMs() + sliceMs;
    let error: WalError | undefined;
    let untilClock = 64;
    try {
      for (;;) {
        const outcome = this.files.length === 0 ? 'end' : this.step();
        if (outcome === 'more') await this.fill();
        else if (outcome === 'record') this.visit(visit);
        else {
          if (outcome !== 'end') error = outcome;
          break;
        }
        if (--untilClock > 0) continue;
        untilClock = 64;
        if (this.clock.nowMs() < sliceEndsMs) continue;
        await nextTurn(this.clock);
        sliceEndsMs = this.clock.nowMs() + sliceMs;
      }
    } catch (thrown) {
      error = thrown as WalError;
      if (!String(error.code).startsWith('wal/')) throw thrown;
    } finally {
      // The caller closes the files next, and no read may be under way then.
      if (this.ahead !== undefined) this.abandoned.push(this.ahead.count);
      await Promise.allSettled(this.abandoned);
    }
    return { error, position: this.base + this.next, crc: this.crc, fileIndex: this.fileIndex };
  }

  private visit(visit: (view: RecordView) => void): void {
    try {
      visit(this.view);
    } catch (thrown) {
      if (thrown instanceof ProtobufError) throw this.failure('wal/corrupt', `wal: ${thrown.message}`);
      throw thrown;
    }
    this.next += this.frameBytes;
    this.frameBytes = 0;
  }

  private step(): Outcome {
    const left = this.fileSize - this.base - this.next;
    if (left === 0) return this.endOfFile();
    if (left < 8) return this.failure('wal/unexpected-eof', 'unexpected EOF');
    const { buffer, next } = this;
    if (this.filled - next < 8) return 'more';
    const low = readUint32LE(buffer, next);
    const high = readUint32LE(buffer, next + 4);
    if (low === 0 && high === 0) return this.endOfFile();
    const recordBytes = (high & 0xff_ffff) * twoTo32 + low;
    const pad = high >>> 31 === 1 ? (high >>> 24) & 7 : 0;
    if (recordBytes > left - 8 - pad) return this.failure('wal/unexpected-eof', 'unexpected EOF');
    const size = 8 + recordBytes + pad;
    this.frameBytes = size;
    if (this.filled - next < size) return 'more';
    return this.decode(next + 8, next + 8 + recordBytes, pad);
  }

  private decode(start: number, end: number, pad: number): Outcome {
    const { view, buffer } = this;
    view.bytes = buffer;
    view.type = 0;
    view.crc = 0;
    view.start = -1;
    view.end = -1;
    try {
      for (let position = start; position < end; ) {
        const tag = buffer[position++] as number;
        if (tag === 0x1a) {
          const length = readUint(buffer, position, end);
          view.start = cursor.position;
          view.end = view.start + length;
          if (view.end > end) throw new ProtobufError('unexpected end');
          position = view.end;
          continue;
        }
        if (tag === 0x08) view.type = readUint(buffer, position, end);
        else if (tag === 0x10) view.crc = readUint32(buffer, position, end);
        else skipUnknownField(buffer, position - 1, end);
        position = cursor.position;
      }
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown;
      if (this.isTorn(start, end + pad)) return this.failure('wal/unexpected-eof', 'unexpected EOF');
      return this.failure('wal/corrupt', `wal: record: ${thrown.message}`);
    }
    return this.checkCrc(start, end + pad);
  }

  private checkCrc(start: number, end: number): Outcome {
    const { view } = this;
    if (view.type === RecordType.crc) {
      if (this.crc !== 0 && view.crc !== this.crc) return this.failure('wal/crc-mismatch', 'wal: crc mismatch');
      this.crc = view.crc;
      return 'record';
    }
    const crc = view.start < 0 ? this.crc : crc32c(this.crc, view.bytes, view.start, view.end);
    if (crc !== view.crc) {
      if (this.isTorn(start, end)) return this.failure('wal/unexpected-eof', 'unexpected EOF');
      const [expected, computed] = [view.crc.toString(16), crc.toString(16)];
      return this.failure('wal/crc-mismatch', `walpb: crc mismatch: expected: ${expected} computed: ${computed}`);
    }
    this.crc = crc;
    return 'record';
  }

  /**
   * Whether power loss explains the bad record: it is in the last file, and one of its pieces between sector boundaries is
   * all zero, as it was before it should have been written.
   */
  private isTorn(start: number, end: number): boolean {
    if (this.fileIndex !== this.files.length - 1) return false;
    for (let at = start; at < end; ) {
      const pieceEnd = Math.min(end, at + sectorBytes - ((this.base + at) % sectorBytes));
      let zero = true;
      for (; at < pieceEnd; at++) {
        if (this.buffer[at] !== 0) zero = false;
      }
      if (zero) return true;
    }
    return false;
  }

  private endOfFile(): Outcome {
    if (this.fileIndex === this.files.length - 1) return 'end';
    this.startFile(this.fileIndex + 1);
    return 'more';
  }

  private startFile(index: number): void {
    this.fileIndex = index;
    this.fileSize = (this.files[index] as DiskFile).size();
    this.base = 0;
    this.buffer = new Uint8Array(0);
    this.filled = 0;
    this.next = 0;
    this.frameBytes = 0;
    if (this.ahead !== undefined) this.abandoned.push(this.ahead.count);
    this.ahead = undefined;
  }

  /** Gets the next slice, in a buffer of its own behind what is left of this one, because records are handed out as views. */
  private async fill(): Promise<void> {
    const file = this.files[this.fileIndex] as DiskFile;
    const rest = this.filled - this.next;
    const end = this.base + this.filled;
    const ahead = this.ahead ?? readSlice(file, end, Math.min(sliceBytes, this.fileSize - end));
    const count = await ahead.count;
    const missing = Math.max(0, Math.min(this.frameBytes - rest, this.fileSize - end) - count);
    const buffer = allocateUnsafe(rest + count + missing);
    buffer.set(this.buffer.subarray(this.next, this.filled), 0);
    buffer.set(ahead.bytes.subarray(0, count), rest);
    let filled = rest + count;
    if (missing > 0) filled += await file.read(buffer.subarray(filled), end + count);
    this.base += this.next;
    this.next = 0;
    this.buffer = buffer;
    this.filled = filled;
    // A file that shrinks under the reader ends where it ends now.
    if (count < ahead.bytes.length || filled < buffer.length) this.fileSize = this.base + filled;
    const start = this.base + filled;
    this.ahead =
      start < this.fileSize ? readSlice(file, start, Math.min(sliceBytes, this.fileSize - start)) : undefined;
  }

  private failure(code: WalErrorCode, message: string): WalError {
    const file = (this.files[this.fileIndex] as DiskFile).path;
    const position = this.base + this.next;
    return walError(code, `${message}: in file '${file}' at position: ${position}`, { data: { file, position } });
  }
}

function readSlice(file: DiskFile, position: number, size: number): { bytes: Uint8Array; count: Promise<number> } {
  const bytes = allocateUnsafe(size);
  const count = file.read(bytes, position);
  // Whoever awaits it sees the failure; until then it must not count as unhandled.
  count.catch(() => undefined);
  return { bytes, count };
}

function readUint32LE(bytes: Uint8Array, position: number): number {
  return (
    ((bytes[position] as number) |
      ((bytes[position + 1] as number) << 8) |
      ((bytes[position + 2] as number) << 16) |
      ((bytes[position + 3] as number) << 24)) >>>
    0
  );
}
