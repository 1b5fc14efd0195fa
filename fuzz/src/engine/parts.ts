import { concatBytes } from '@quorate/base';

/**
 * An input that is several byte strings:
 *
 *     | length u16 little-endian | bytes | length | bytes ...
 *
 * Any bytes are some parts: a length beyond the end means the rest.
 */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(parts.flatMap((part) => [Uint8Array.of(part.length & 0xff, part.length >>> 8), part]));
}

export function splitParts(input: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let position = 0; position + 2 <= input.length; ) {
    const length = (input[position] as number) | ((input[position + 1] as number) << 8);
    const end = Math.min(input.length, position + 2 + length);
    parts.push(input.subarray(position + 2, end));
    position = end;
  }
  return parts;
}
