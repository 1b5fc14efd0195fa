/**
 * As much of ASN.1 DER as certificates and lists of revoked ones need.
 *
 *     tag (1 byte) | length (1 byte below 0x80, else 0x80 + n and n bytes) | content
 */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A value and where the next one begins. Offsets are into the bytes it was read from. */
export interface DerValue {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** Reads the value at `offset`, which must end at `end` or before. Undefined when the bytes are none. */
export function readValue(bytes: Uint8Array, offset: number, end: number): DerValue | undefined {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || offset + 2 > end) return undefined;
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    // Four bytes of length are more than any file here has.
    if (lengthBytes === 0 || lengthBytes > 4 || start + lengthBytes > end) return undefined;
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[start + i] as number);
    start += lengthBytes;
  }
  return start + length > end ? undefined : { tag, start, end: start + length };
}

export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const digits = length.toString(16);
  const size = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 + size.length]), size, content]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(tags.sequence, ...parts);
}

/** A number of any size that is not negative, big-endian. */
export function integer(magnitude: Uint8Array): Buffer {
  let from = 0;
  while (from < magnitude.length - 1 && magnitude[from] === 0) from++;
  const trimmed = magnitude.subarray(from);
  const needsSign = ((trimmed[0] ?? 0) & 0x80) !== 0 || trimmed.length === 0;
  return der(tags.integer, ...(needsSign ? [Buffer.of(0)] : []), trimmed);
}

/** An object identifier from its dotted form. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 + (left % 128));
    bytes.push(...groups);
  }
  return der(tags.objectId, Buffer.from(bytes));
}

/** A moment in whole seconds: RFC 5280 wants two digits of the year before 2050, four from then on. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, '');
  return date.getUTCFullYear() < 2050
    ? der(tags.utcTime, Buffer.from(digits.slice(2)))
    : der(tags.generalizedTime, Buffer.from(digits));
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return der(tags.bitString, Buffer.of(unusedBits), bytes);
}
