/** Node's own way to memory that is not cleared first; absent in a browser. */
const native = (globalThis as { Buffer?: { allocUnsafeSlow(size: number): Uint8Array } }).Buffer;

const slabSize = 8192;
/** Larger ones get memory of their own: little is gained by sharing, and more would be kept alive. */
const sharedSizeMax = 1024;

function uncleared(size: number): ArrayBufferLike {
  return native ? native.allocUnsafeSlow(size).buffer : new ArrayBuffer(size);
}

// No part of a slab is given out twice, so that all users may share it.
let slab = uncleared(slabSize);
let used = 0;

/**
 * Bytes of undefined content, all to be written by the caller. Small ones are parts of a slab shared with others (a
 * fresh ArrayBuffer costs more than half a microsecond): whoever keeps one for long keeps up to 8 KiB alive.
 */
export function allocate(size: number): Uint8Array {
  if (size > sharedSizeMax) return new Uint8Array(uncleared(size));
  if (used + size > slabSize) {
    slab = uncleared(slabSize);
    used = 0;
  }
  const bytes = new Uint8Array(slab, used, size);
  used += size;
  return bytes;
}

// Asking a typed array for its buffer costs as much as making the view, and fields come from the same input one after the
// other: so the last answer is kept (bench/codec: 22 ns a view instead of 43, `subarray` 37 to 57). It keeps at most that
// one input alive, until the next.
let viewed: Uint8Array = new Uint8Array(0);
let viewedBuffer = viewed.buffer;
let viewedOffset = 0;

/** `bytes[start, end)` without copy. Always a plain Uint8Array, also of a Buffer, so that hot code sees one class only. */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (bytes !== viewed) {
    viewed = bytes;
    viewedBuffer = bytes.buffer;
    viewedOffset = bytes.byteOffset;
  }
  return new Uint8Array(viewedBuffer, viewedOffset + start, end - start);
}
