/** Node's own way to memory that is not cleared first; absent in a browser. */
const native = (globalThis as { Buffer?: { allocUnsafeSlow(size: number): Uint8Array } }).Buffer;

const slabSize = 8192;
/** Larger ones get memory of their own: little is gained by sharing, and more would be kept alive. */
const sharedSizeMax = 1024;

// No part of a slab is given out twice, so that all users may share it.
let slab = new ArrayBuffer(slabSize);
let used = 0;

/**
 * Bytes of undefined content, all to be written by the caller. Small ones are parts of a slab shared with others (a
 * fresh ArrayBuffer costs more than half a microsecond): whoever keeps one for long keeps up to 8 KiB alive.
 */
export function allocate(size: number): Uint8Array {
  if (size > sharedSizeMax) {
    return native ? new Uint8Array(native.allocUnsafeSlow(size).buffer) : new Uint8Array(size);
  }
  if (used + size > slabSize) {
    slab = new ArrayBuffer(slabSize);
    used = 0;
  }
  const bytes = new Uint8Array(slab, used, size);
  used += size;
  return bytes;
}

/** `bytes[start, end)` without copy. Always a plain Uint8Array, also of a Buffer, so that hot code sees one class only. */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
