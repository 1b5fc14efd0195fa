import { allocateUnsafe, type Clock, type DiskFile, delay } from '@quorate/base';
import { bboltError } from './errors.ts';
import { chooseMeta, decodeMeta, encodeMeta, type Meta, metaBytes } from './meta.ts';
import { Node } from './node.ts';

const lockRetryMs = 50;
const firstReadBytes = 4096;
/** Where the second meta may lie when the first does not validate: behind a page of 1 KiB to 16 MiB. */
const probeStart = 1024;
const probes = 15;
/** A new file: two metas and the empty root. */
export const newFilePages = 3;

/** Waits for the file's lock. @throws CodedError bbolt/timeout */
export async function lockFile(
  clock: Clock,
  file: DiskFile,
  kind: 'exclusive' | 'shared',
  timeoutMs: number,
): Promise<void> {
  const startMs = clock.nowMs();
  while (!(await file.tryLock(kind))) {
    if (clock.nowMs() - startMs >= timeoutMs) throw bboltError('bbolt/timeout', `timeout: ${file.path} is locked`);
    await delay(clock, lockRetryMs);
  }
}

/** The meta page to start from. @throws CodedError bbolt/invalid, bbolt/version, bbolt/checksum */
export async function readMeta(file: DiskFile): Promise<Meta> {
  const head = await readUpTo(file, 0, firstReadBytes);
  const first = decodeMeta(head, 0);
  if (typeof first !== 'string') {
    return chooseMeta(first, decodeMeta(await readUpTo(file, first.pageSize, metaBytes), 0));
  }
  for (let i = 0; i < probes; i++) {
    const position = probeStart * 2 ** i;
    const second = decodeMeta(await readUpTo(file, position, metaBytes), 0);
    if (typeof second !== 'string' && second.pageSize === position) return second;
  }
  return chooseMeta(first, first);
}

/**
 * Whether nothing was ever committed to the file: new, or its making was cut short. The metas are written after the empty root is
 * durable, so that a file without either and no longer than those three pages never held anything.
 */
export async function isUnborn(file: DiskFile, pageSize: number): Promise<boolean> {
  if (file.size() > newFilePages * pageSize) return false;
  const head = await readUpTo(file, 0, metaBytes);
  const second = await readUpTo(file, pageSize, metaBytes);
  return head.every((byte) => byte === 0) && second.every((byte) => byte === 0);
}

/** Makes an empty database. */
export async function initializeFile(file: DiskFile, pageSize: number): Promise<Meta> {
  const root = allocateUnsafe(pageSize);
  new Node(true).encode(0, 0, 2, 0, root, 0, pageSize);
  await file.writeAndDatasync([root], 2 * pageSize);
  const meta: Meta = { pageSize, rootId: 2, rootSequence: 0, freelistId: undefined, highWaterMark: 3, txid: 1 };
  const metas = allocateUnsafe(2 * pageSize);
  encodeMeta({ ...meta, txid: 0 }, 0, metas, 0);
  encodeMeta(meta, 1, metas, pageSize);
  await file.write([metas], 0);
  await file.sync();
  return meta;
}

async function readUpTo(file: DiskFile, position: number, length: number): Promise<Uint8Array> {
  const bytes = allocateUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
