import { putCost, readShortLength, shortLength } from '@quorate/machine';

/**
 * The quota's cost of a put that has a key and a value and nothing else, read without decoding anything; -1 when the request is of
 * any other form, which the codec then judges. Such a put needs no further check.
 *
 *     0a length key | 12 length value        (the value may be missing)
 */
export function costOfPlainPut(bytes: Uint8Array): number {
  if (bytes[0] !== 0x0a) return -1;
  const keyStart = readShortLength(bytes, 1);
  const keyLength = shortLength.value;
  if (keyStart < 0 || keyLength === 0) return -1;
  const keyEnd = keyStart + keyLength;
  if (keyEnd === bytes.length) return putCost(keyLength, 0);
  if (bytes[keyEnd] !== 0x12) return -1;
  const valueStart = readShortLength(bytes, keyEnd + 1);
  return valueStart >= 0 && valueStart + shortLength.value === bytes.length
    ? putCost(keyLength, shortLength.value)
    : -1;
}
