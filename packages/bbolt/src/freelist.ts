import type { DiskFile } from '@quorate/base';
import {
  readUint16LE,
  readUint32LE,
  readUint64LE,
  writeUint16LE,
  writeUint32LE,
  writeUint64LE,
} from './little-endian.ts';
import { corruptPage, PageFlag, pageHeaderBytes } from './page.ts';

/*
 * A page that lists the free pages, when the meta names one:
 *
 *     0      16
 *     | head | ids, u64 each |            count in the head
 *     | head | count | ids   |            when the head says 0xffff
 */
const countEscape = 0xffff;

export interface StoredFreelist {
  readonly ids: readonly number[];
  /** Slots of the page itself. */
  readonly slots: number;
}

/** @throws CodedError bbolt/corrupt */
export async function readFreelist(
  file: DiskFile,
  pageSize: number,
  id: number,
  highWaterMark: number,
): Promise<StoredFreelist> {
  const head = new Uint8Array(pageSize);
  await file.read(head, id * pageSize);
  if (readUint64LE(head, 0) !== id || readUint16LE(head, 8) !== PageFlag.freelist) {
    throw corruptPage(id, 'it is not a list of free pages');
  }
  const slots = readUint32LE(head, 12) + 1;
  if (id + slots > highWaterMark) throw corruptPage(id, 'the list of free pages ends behind the last page');
  const bytes = new Uint8Array(slots * pageSize);
  await file.read(bytes, id * pageSize);
  const isLong = readUint16LE(bytes, 10) === countEscape;
  const count = isLong ? readUint64LE(bytes, pageHeaderBytes) : readUint16LE(bytes, 10);
  const start = pageHeaderBytes + (isLong ? 8 : 0);
  if (!(start + count * 8 <= bytes.length)) throw corruptPage(id, `a list of ${count} free pages does not fit`);
  const ids: number[] = [];
  for (let i = 0; i < count; i++) {
    const free = readUint64LE(bytes, start + i * 8);
    if (!(free >= 2 && free < highWaterMark)) throw corruptPage(id, `lists page ${free} as free`);
    ids.push(free);
  }
  return { ids, slots };
}

export function freelistBytes(count: number): number {
  return pageHeaderBytes + (count >= countEscape ? 8 : 0) + count * 8;
}

/** Fills `target`, the whole page. */
export function encodeFreelist(ids: readonly number[], id: number, slots: number, target: Uint8Array): void {
  target.fill(0);
  writeUint64LE(id, target, 0);
  writeUint16LE(PageFlag.freelist, target, 8);
  writeUint16LE(Math.min(ids.length, countEscape), target, 10);
  writeUint32LE(slots - 1, target, 12);
  let position = pageHeaderBytes;
  if (ids.length >= countEscape) {
    writeUint64LE(ids.length, target, position);
    position += 8;
  }
  for (const free of ids) {
    writeUint64LE(free, target, position);
    position += 8;
  }
}
