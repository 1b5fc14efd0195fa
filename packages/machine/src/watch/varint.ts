/** Bytes of `value` as a base-128 varint; a negative number takes ten (64-bit two's complement), as protobuf's int64 does. */
export function varintSize(value: number): number {
  if (value < 0) return 10;
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Writes a safe integer; returns the position behind it. */
export function writeVarint(value: number, target: Uint8Array, position: number): number {
  if (value < 0) return writeVarint64(BigInt(value), target, position);
  let rest = value;
  let at = position;
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** Writes the low 64 bits of `value`; returns the position behind it. */
export function writeVarint64(value: bigint, target: Uint8Array, position: number): number {
  let rest = BigInt.asUintN(64, value);
  let at = position;
  while (rest >= 0x80n) {
    target[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  target[at++] = Number(rest);
  return at;
}
