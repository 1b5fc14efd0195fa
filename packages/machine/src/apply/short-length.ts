/** The length that {@link readShortLength} read last; scratch within one synchronous stretch. */
export const shortLength = { value: 0 };

/** Reads a length into `shortLength.value`; returns the position behind it, -1 when it is none below 2^28. */
export function readShortLength(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return -1;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      shortLength.value = value;
      return start + i + 1;
    }
  }
  return -1;
}
