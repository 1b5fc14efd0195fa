export function readUint16LE(bytes: Uint8Array, position: number): number {
  return (bytes[position] as number) | ((bytes[position + 1] as number) << 8);
}

export function readUint32LE(bytes: Uint8Array, position: number): number {
  return (
    ((bytes[position] as number) |
      ((bytes[position + 1] as number) << 8) |
      ((bytes[position + 2] as number) << 16) |
      ((bytes[position + 3] as number) << 24)) >>>
    0
  );
}

/** NaN when it is not a safe integer. */
export function readUint64LE(bytes: Uint8Array, position: number): number {
  const high = readUint32LE(bytes, position + 4);
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + readUint32LE(bytes, position);
}

export function writeUint16LE(value: number, target: Uint8Array, position: number): void {
  target[position] = value;
  target[position + 1] = value >>> 8;
}

export function writeUint32LE(value: number, target: Uint8Array, position: number): void {
  target[position] = value;
  target[position + 1] = value >>> 8;
  target[position + 2] = value >>> 16;
  target[position + 3] = value >>> 24;
}

/** Of a safe integer. */
export function writeUint64LE(value: number, target: Uint8Array, position: number): void {
  writeUint32LE(value >>> 0, target, position);
  writeUint32LE(Math.floor(value / 0x1_0000_0000), target, position + 4);
}
