/** Tables of slicing-by-8 for CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 B.4), one behind the other. */
const tables = makeTables();

function makeTables(): Int32Array {
  const all = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
    all[i] = crc;
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let i = 0; i < 256; i++) {
      const before = all[(slice - 1) * 256 + i] as number;
      all[slice * 256 + i] = (before >>> 8) ^ (all[before & 0xff] as number);
    }
  }
  return all;
}

/**
 * Continues the finished checksum `previous` over `bytes[start, end)`; 0 starts a new one.
 * @returns an unsigned 32-bit number.
 */
export function crc32c(previous: number, bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const t = tables;
  let crc = ~previous;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24));
    crc =
      (t[0x700 + (low & 0xff)] as number) ^
      (t[0x600 + ((low >>> 8) & 0xff)] as number) ^
      (t[0x500 + ((low >>> 16) & 0xff)] as number) ^
      (t[0x400 + (low >>> 24)] as number) ^
      (t[0x300 + (bytes[i + 4] as number)] as number) ^
      (t[0x200 + (bytes[i + 5] as number)] as number) ^
      (t[0x100 + (bytes[i + 6] as number)] as number) ^
      (t[bytes[i + 7] as number] as number);
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return ~crc >>> 0;
}
