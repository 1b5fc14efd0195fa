import { varintLength, writeVarint } from '@quorate/api';
import { allocateUnsafe, type Clock, nextTurn } from '@quorate/base';
import type { RangeReader, RangeResult } from '@quorate/machine';
import type { Call, UnaryCall } from '@quorate/transport';
import type { HeaderBytes } from './header-bytes.ts';

/** Longest stretch of collecting or encoding in one turn, in milliseconds. */
export const sliceMs = 2;
/** Keys looked at between two looks at the clock. */
const keysPerStep = 256;
/** Answers above this go out in chunks by reference. */
const copiedBytesMax = 32 * 1024;
const chunkBytes = 32 * 1024;

const scratch = allocateUnsafe(copiedBytesMax + 128);

/** Bytes of a RangeResponse beside its header: `{ 2: kvs, 3: more, 4: count }`. */
function bodyLength(result: RangeResult): number {
  let size = 0;
  for (const kv of result.kvs) size += 1 + varintLength(kv.length) + kv.length;
  if (result.more) size += 2;
  if (result.count > 0) size += 1 + varintLength(result.count);
  return size;
}

function writeKeyValues(
  kvs: readonly Uint8Array[],
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let position = at;
  for (let i = start; i < end; i++) {
    const kv = kvs[i] as Uint8Array;
    target[position++] = 0x12;
    position = writeVarint(kv.length, target, position);
    target.set(kv, position);
    position += kv.length;
  }
  return position;
}

function writeTail(result: RangeResult, target: Uint8Array, at: number): number {
  let position = at;
  if (result.more) {
    target[position++] = 0x18;
    target[position++] = 1;
  }
  if (result.count > 0) {
    target[position++] = 0x20;
    position = writeVarint(result.count, target, position);
  }
  return position;
}

/** The answer of a get that found at most one key: no object, no copy but the one into the connection's buffer. */
export function replyGet(
  call: UnaryCall,
  header: HeaderBytes,
  revision: number,
  keyValue: Uint8Array | undefined,
): void {
  const size = keyValue === undefined ? 0 : keyValue.length;
  const target = size <= copiedBytesMax ? scratch : allocateUnsafe(size + 128);
  let position = header.writeField(revision, target, 0);
  if (keyValue !== undefined) {
    target[position++] = 0x12;
    position = writeVarint(size, target, position);
    target.set(keyValue, position);
    position += size;
    target[position++] = 0x20;
    target[position++] = 1;
  }
  if (target === scratch) call.reply(target, 0, position);
  else call.replyChunks([target.subarray(0, position)]);
}

/** Answers with a whole range; a long one is encoded in slices. */
export function replyRange(
  call: UnaryCall,
  clock: Clock,
  header: HeaderBytes,
  result: RangeResult,
): Promise<void> | undefined {
  const size = bodyLength(result);
  if (size > copiedBytesMax) return replyLongRange(call, clock, header, result);
  let position = header.writeField(result.revision, scratch, 0);
  position = writeKeyValues(result.kvs, 0, result.kvs.length, scratch, position);
  call.reply(scratch, 0, writeTail(result, scratch, position));
  return undefined;
}

async function replyLongRange(call: UnaryCall, clock: Clock, header: HeaderBytes, result: RangeResult): Promise<void> {
  const { kvs } = result;
  // What is read is kept until it is sent: whoever asks next has to wait for it.
  call.hold(bodyLength(result));
  const encoded = new EncodedKeyValues();
  let turnStartMs = clock.nowMs();
  for (let start = 0; start < kvs.length; start += keysPerStep) {
    encoded.add(kvs.slice(start, start + keysPerStep));
    if (clock.nowMs() - turnStartMs > sliceMs) {
      await nextTurn(clock);
      if (call.cancelled) return;
      turnStartMs = clock.nowMs();
    }
  }
  replyEncoded(call, header, encoded, result);
}

/**
 * Key-values of a long answer, encoded as they are read into large chunks: a million views that all live until the end would make
 * every collection of the garbage long.
 */
export class EncodedKeyValues {
  readonly chunks: Uint8Array[] = [];
  bytes = 0;

  /** Encodes into chunks of exactly the size needed, of about {@link chunkBytes} where values are small. */
  add(kvs: readonly Uint8Array[]): void {
    for (let start = 0; start < kvs.length; ) {
      let end = start;
      let size = 0;
      do {
        const { length } = kvs[end++] as Uint8Array;
        size += 1 + varintLength(length) + length;
      } while (end < kvs.length && size < chunkBytes);
      const chunk = allocateUnsafe(size);
      writeKeyValues(kvs, start, end, chunk, 0);
      this.chunks.push(chunk);
      this.bytes += size;
      start = end;
    }
  }
}

/** Answers with key-values that are encoded already and the rest of the result. */
export function replyEncoded(
  call: UnaryCall,
  header: HeaderBytes,
  encoded: EncodedKeyValues,
  result: RangeResult,
): void {
  const head = allocateUnsafe(64);
  const tail = allocateUnsafe(16);
  const start = head.subarray(0, header.writeField(result.revision, head, 0));
  call.replyChunks([start, ...encoded.chunks, tail.subarray(0, writeTail(result, tail, 0))]);
}

/**
 * Steps a reader until it is done, in slices; with `encoded`, for a range in key order without filters, its key-values are encoded on the way,
 * and as far as the call's connection has room for them.
 * @returns false when nobody waits any more.
 */
export async function readInSlices(
  reader: RangeReader,
  clock: Clock,
  call: UnaryCall,
  encoded?: EncodedKeyValues,
): Promise<boolean> {
  for (;;) {
    const startMs = clock.nowMs();
    do {
      const isDone = reader.step(keysPerStep);
      encoded?.add(reader.takeKeyValues());
      if (isDone) return true;
    } while (clock.nowMs() - startMs < sliceMs);
    call.hold(reader.keptBytes + (encoded?.bytes ?? 0));
    await nextTurn(clock);
    await room(call);
    if (call.cancelled) {
      reader.close();
      return false;
    }
  }
}

/** Resolves when the call's connection has room for more of its answer, or the call is over. */
export function room(call: Call): Promise<void> {
  return new Promise((resolve) => call.whenRoom(resolve));
}

/** The first slice, in this turn: whether that was all. */
export function readFirstSlice(reader: RangeReader): boolean {
  return reader.step(keysPerStep);
}
