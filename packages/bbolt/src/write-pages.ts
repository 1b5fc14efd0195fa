import type { DiskFile } from '@quorate/base';
import { joined } from './page-buffers.ts';

/** At most so many bytes, and so many buffers, are handed to the disk at a time. */
const writeBytesMax = 1024 * 1024;
const writeBuffersMax = 256;

/** Writes pages to their places, those that lie together in one go, and makes them durable. */
export async function writePages(
  file: DiskFile,
  pageSize: number,
  ids: readonly number[],
  buffers: readonly Uint8Array[],
): Promise<void> {
  if (ids.length === 0) return;
  const order = ids.map((_, i) => i).sort((a, b) => (ids[a] as number) - (ids[b] as number));
  for (let i = 0; i < order.length; ) {
    const start = (ids[order[i] as number] as number) * pageSize;
    const run: Uint8Array[] = [];
    let size = 0;
    do {
      const buffer = buffers[order[i] as number] as Uint8Array;
      const last = run.at(-1);
      const both = last === undefined ? undefined : joined(last, buffer);
      if (both === undefined) run.push(buffer);
      else run[run.length - 1] = both;
      size += buffer.length;
      i += 1;
    } while (
      i < order.length &&
      (ids[order[i] as number] as number) * pageSize === start + size &&
      size < writeBytesMax &&
      run.length < writeBuffersMax
    );
    await file.write(run, start);
  }
  await file.datasync();
}
