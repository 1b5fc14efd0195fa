const polynomial = 0x82f6_3b78;

/** CRC-32C bit by bit, to check the fast one by. */
export function dumbCrc32c(before: number, bytes: Uint8Array): number {
  let crc = ~before;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (polynomial & -(crc & 1));
  }
  return ~crc >>> 0;
}
