import { putCost } from '@quorate/machine';

/**
 * The quota's cost of a put that has a key and a value and nothing else, read without decoding anything; -1 when the request is of
 * any other form, which the codec then judges. Such a put needs no further check.
 *
 *     0a length key | 12 length value        (the value may be missing)
 */
export function costOfPlainPut(bytes: Uint8Array): number {
  if (bytes[0] !== 0x0a) return -1;
  const keyStart = readLength(bytes, 1);
  const keyLength = lastLength;
  if (keyStart < 0 || keyLength === 0) return -1;
  const keyEnd = keyStart + keyLength;
  if (keyEnd === bytes.length) return putCost(keyLength, 0);
  if (bytes[keyEnd] !== 0x12) return -1;
  const valueStart = readLength(bytes, keyEnd + 1);
  return valueStart >= 0 && valueStart + lastLength === bytes.length ? putCost(keyLength, lastLength) : -1;
}

// The length read last; scratch within one synchronous call.
let lastLength = 0;

/** Reads a length into `lastLength`; returns the position behind it, -1 when it is none below 2^28. */
function readLength(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return -1;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      lastLength = value;
      return start + i + 1;
    }
  }
  return -1;
}
