import { allocateUnsafe, type DiskFile } from '@quorate/base';

const windowBytes = 1024 * 1024;

/** Reads a file mostly forwards, in large pieces off the event loop. */
export class FileWindow {
  private readonly file: DiskFile;
  private bytes = allocateUnsafe(windowBytes);
  private start = 0;
  private length = 0;

  constructor(file: DiskFile) {
    this.file = file;
  }

  /** The bytes from `position`, when they are here; valid until the next {@link load}. Fewer than `length` only at the end of the file. */
  view(position: number, length: number): Uint8Array | undefined {
    const offset = position - this.start;
    if (offset < 0 || offset + length > this.length) return undefined;
    return this.bytes.subarray(offset, offset + length);
  }

  async load(position: number, length: number): Promise<Uint8Array> {
    if (length > this.bytes.length) this.bytes = allocateUnsafe(length);
    this.start = position;
    this.length = 0;
    while (this.length < this.bytes.length) {
      const count = await this.file.read(this.bytes.subarray(this.length), position + this.length);
      if (count === 0) break;
      this.length += count;
      if (this.length >= length) break;
    }
    return this.bytes.subarray(0, Math.min(length, this.length));
  }
}
