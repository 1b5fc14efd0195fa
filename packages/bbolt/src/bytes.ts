import { allocateUnsafe } from '@quorate/base';

/** A plain view, also of a Node Buffer: what leaves the package behaves the same whatever it lies in. */
export function viewOf(source: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(source.buffer, source.byteOffset + start, length);
}

/** Room of undefined content for a page. */
export function pageBytes(size: number): Uint8Array {
  return viewOf(allocateUnsafe(size), 0, size);
}
